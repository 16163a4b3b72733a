import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { shapeFrom } from './shape-ops.ts';

/**
 * The ops of multi-head attention between its projections, which differ from model to model.
 *
 * Tokens are flat, [B * N, channels], on both sides: see `linear`.
 */
export class Heads {
  private readonly headDim: number;

  /** @param batch batch size, int32 [1] */
  constructor(
    private readonly builder: GraphBuilder,
    private readonly batch: Endpoint,
    readonly channels: number,
    private readonly heads: number,
  ) {
    this.headDim = channels / heads;
  }

  /** [B * N, channels] -> [B, heads, N, headDim] */
  apart(scope: string, flat: Endpoint): Endpoint {
    const split = this.builder.op(`${scope}/heads`, 'Reshape', [flat, this.shape()]);
    return this.builder.op(`${scope}/out`, 'Transpose', [split, this.builder.ints([0, 2, 1, 3])]);
  }

  /** Queries times headDim^-0.5: they are the smallest tensor that can be scaled. */
  scaled(scope: string, query: Endpoint): Endpoint {
    return this.builder.op(`${scope}/scaled`, 'Mul', [query, this.builder.float(this.headDim ** -0.5)]);
  }

  /**
   * softmax(query key^T) value, with the heads together again: [B * N, channels]
   *
   * @param mask added to the logits
   */
  attend(scope: string, query: Endpoint, key: Endpoint, value: Endpoint, mask?: Endpoint): Endpoint {
    const { builder } = this;
    const batchProduct = (name: string, a: Endpoint, b: Endpoint, turned: boolean) =>
      builder.op(`${scope}/${name}`, 'BatchMatMulV2', [a, b], { adj_x: attr.bool(false), adj_y: attr.bool(turned) });
    const products = batchProduct('logits', query, key, true);
    const logits = mask ? builder.op(`${scope}/masked`, 'AddV2', [products, mask]) : products;
    const weights = builder.op(`${scope}/softmax`, 'Softmax', [logits]);
    const sum = batchProduct('sum', weights, value, false);
    const together = builder.op(`${scope}/together`, 'Transpose', [sum, builder.ints([0, 2, 1, 3])]);
    return builder.op(`${scope}/merged`, 'Reshape', [together, builder.ints([-1, this.channels])]);
  }

  /** [B, -1, heads, headDim] as a tensor; one for all attentions of that shape. */
  private shape(): Endpoint {
    const { builder, headDim } = this;
    const name = `shapes/heads_${this.heads}x${headDim}`;
    if (builder.graph.node(name)) return { node: name, output: 0 };
    return shapeFrom(builder, name, this.batch, [-1, this.heads, headDim]);
  }
}
