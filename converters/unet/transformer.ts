import { attr, type Endpoint } from '../../src/graph/index.ts';
import { gelu } from '../nn/gelu.ts';
import type { GraphBuilder } from '../nn/graph-builder.ts';
import { groupNorm } from '../nn/group-norm.ts';
import { layerNorm, linear, product, scopeOf } from '../nn/layers.ts';
import { type AttentionContext, attention } from './attention.ts';

/** What all transformers of a UNet share. */
export interface TransformerContext extends AttentionContext {
  /** Text embeddings, flat: [B * T, contextDim]. */
  context: Endpoint;
  contextDim: number;
  groups: number;
  linearProjection: boolean;
}

interface TransformerSize {
  channels: number;
  heads: number;
  depth: number;
}

/**
 * [B, H, W, C] -> [B, H, W, C]: group norm, projection, `depth` transformer blocks over the pixels as tokens, projection.
 *
 * Between the projections the tokens stay flat, [B * H * W, C].
 * Source: diffusers, `Transformer2DModel`.
 */
export function transformer(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: TransformerSize,
  context: TransformerContext,
): Endpoint {
  const { channels } = size;
  const scope = scopeOf(module);
  const plane = { inputs: channels, outputs: channels, conv: !context.linearProjection };
  const normal = groupNorm(builder, `${module}.norm`, x, { channels, groups: context.groups, eps: 1e-6 });
  const tokens = builder.op(`${scope}/tokens`, 'Reshape', [normal, builder.ints([-1, channels])]);
  let hidden = linear(builder, `${module}.proj_in`, tokens, plane);
  for (let block = 0; block < size.depth; block++) {
    hidden = transformerBlock(builder, `${module}.transformer_blocks.${block}`, hidden, size, context);
  }
  const projected = linear(builder, `${module}.proj_out`, hidden, plane);
  const shape = builder.op(`${scope}/shape`, 'Shape', [x], { out_type: attr.type('int32') });
  const pixels = builder.op(`${scope}/pixels`, 'Reshape', [projected, shape]);
  return builder.op(`${scope}/out`, 'AddV2', [pixels, x]);
}

/** Self-attention, cross-attention and feed-forward, each with norm and residual. Source: diffusers, `BasicTransformerBlock`. */
function transformerBlock(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  { channels, heads }: TransformerSize,
  context: TransformerContext,
): Endpoint {
  const scope = scopeOf(module);
  const add = (name: string, a: Endpoint, b: Endpoint) => builder.op(`${scope}/${name}`, 'AddV2', [a, b]);
  const self = { channels, heads, source: undefined, sourceDim: channels };
  const cross = { channels, heads, source: context.context, sourceDim: context.contextDim };
  const first = layerNorm(builder, `${module}.norm1`, x, channels);
  const attended = add('attn1_out', attention(builder, `${module}.attn1`, first, self, context), x);
  const second = layerNorm(builder, `${module}.norm2`, attended, channels);
  const crossed = add('attn2_out', attention(builder, `${module}.attn2`, second, cross, context), attended);
  const third = layerNorm(builder, `${module}.norm3`, crossed, channels);
  return add('ff_out', feedForward(builder, `${module}.ff`, third, channels), crossed);
}

/**
 * GEGLU: value * gelu(gate), then a projection back. One product each for value and gate, so that nothing is split.
 */
function feedForward(builder: GraphBuilder, module: string, x: Endpoint, channels: number): Endpoint {
  const scope = scopeOf(module);
  const inner = 4 * channels;
  const half = (name: string, from: number) => {
    const rows = { from, to: from + inner, part: name };
    const weight = builder.matrix(`${module}.net.0.proj.weight`, channels, 2 * inner, { rows });
    return product(
      builder,
      `${scope}/${name}`,
      x,
      weight,
      builder.vector(`${module}.net.0.proj.bias`, 2 * inner, rows),
    );
  };
  const value = half('value', 0);
  const gate = half('gate', inner);
  const gated = builder.op(`${scope}/gelu/out`, 'Mul', [gelu(builder, `${scope}/gelu`, gate), value]);
  return linear(builder, `${module}.net.2`, gated, { inputs: inner, outputs: channels });
}
