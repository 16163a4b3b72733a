import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from '../nn/graph-builder.ts';
import { linear, scopeOf } from '../nn/layers.ts';
import type { ImageContext } from './image-tokens.ts';

/** What all attentions of a UNet share. */
export interface AttentionContext {
  /** Batch size of the sample, int32 [1]. */
  batch: Endpoint;
  /** Image tokens of an IP-Adapter, to which the cross-attentions attend too. */
  image?: ImageContext;
}

export interface AttentionSize {
  channels: number;
  heads: number;
  /** Keys and values are made of this; of the hidden states where undefined. */
  source: Endpoint | undefined;
  sourceDim: number;
}

/** Multi-head attention over flat tokens. */
export function attention(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: AttentionSize,
  context: AttentionContext,
): Endpoint {
  const { channels, source = x, sourceDim } = size;
  const scope = scopeOf(module);
  const heads = new Heads(builder, context.batch, channels, size.heads);
  const project = (name: string, from: Endpoint, inputs: number) =>
    heads.apart(
      `${scope}/${name}`,
      linear(builder, `${module}.${name}`, from, { inputs, outputs: channels, bias: false }),
    );
  const query = heads.scaled(scope, project('to_q', x, channels));
  const key = project('to_k', source, sourceDim);
  const value = project('to_v', source, sourceDim);
  let merged = heads.attend(scope, query, key, value);
  if (size.source && context.image) {
    const seen = imageAttention(builder, module, query, heads, context.image);
    merged = builder.op(`${scope}/with_image`, 'AddV2', [merged, seen]);
  }
  return linear(builder, `${module}.to_out.0`, merged, { inputs: channels, outputs: channels });
}

/** The same queries over image tokens, times the adapter's scale. Source: diffusers, `IPAdapterAttnProcessor2_0`. */
function imageAttention(
  builder: GraphBuilder,
  module: string,
  query: Endpoint,
  heads: Heads,
  image: ImageContext,
): Endpoint {
  const scope = `${scopeOf(module)}/image`;
  const project = (name: string) => {
    const size = { inputs: image.contextDim, outputs: heads.channels, bias: false };
    const flat = linear(builder, `ip_adapter.${image.idOf(module)}.${name}_ip`, image.tokens, size);
    return heads.apart(`${scope}/${name}`, flat);
  };
  const merged = heads.attend(scope, query, project('to_k'), project('to_v'));
  return builder.op(`${scope}/weighted`, 'Mul', [merged, image.scale]);
}

/** Takes heads apart and puts them together again. */
export class Heads {
  private readonly headDim: number;

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

  /** softmax(query key^T) value, with the heads together again: [B * N, channels] */
  attend(scope: string, query: Endpoint, key: Endpoint, value: Endpoint): Endpoint {
    const { builder } = this;
    const batchProduct = (name: string, a: Endpoint, b: Endpoint, turned: boolean) =>
      builder.op(`${scope}/${name}`, 'BatchMatMulV2', [a, b], { adj_x: attr.bool(false), adj_y: attr.bool(turned) });
    const logits = batchProduct('logits', query, key, true);
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
    const rest = builder.ints([-1, this.heads, headDim]);
    const attributes = { N: attr.int(2), T: attr.type('int32') };
    return builder.op(name, 'ConcatV2', [this.batch, rest, builder.ints([0], [])], attributes);
  }
}
