import type { Endpoint } from '../../src/graph/index.ts';
import {
  type GraphBuilder,
  gelu,
  groupNorm,
  Heads,
  layerNorm,
  linear,
  product,
  scopeOf,
  shapeOf,
} from '../nn/index.ts';
import type { ImageContext } from './image-tokens.ts';

/** What all transformers of a UNet share. */
export interface TransformerContext {
  /** Batch size of the sample, int32 [1]. */
  batch: Endpoint;
  /** Text embeddings, flat: [B * T, contextDim]. */
  context: Endpoint;
  contextDim: number;
  groups: number;
  linearProjection: boolean;
  /** Image tokens of an IP-Adapter, to which the cross-attentions attend too. */
  image?: ImageContext;
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
  const shape = shapeOf(builder, `${scope}/shape`, x);
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

interface AttentionWidths {
  channels: number;
  heads: number;
  /** Keys and values are made of this; of the hidden states where undefined. */
  source: Endpoint | undefined;
  sourceDim: number;
}

/** Multi-head attention over flat tokens, [B * N, channels]. Source: diffusers, `Attention`. */
function attention(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: AttentionWidths,
  context: TransformerContext,
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
