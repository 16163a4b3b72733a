import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { groupNorm } from './group-norm.ts';
import { layerNorm, linear, product, scopeOf } from './layers.ts';

/** What all transformers of a UNet share. */
export interface TransformerContext {
  /** Text embeddings, flat: [B * T, contextDim]. */
  context: Endpoint;
  contextDim: number;
  /** Batch size of the sample, int32 [1]. */
  batch: Endpoint;
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
  const attended = add('attn1_out', attention(builder, `${module}.attn1`, first, self, context.batch), x);
  const second = layerNorm(builder, `${module}.norm2`, attended, channels);
  const crossed = add('attn2_out', attention(builder, `${module}.attn2`, second, cross, context.batch), attended);
  const third = layerNorm(builder, `${module}.norm3`, crossed, channels);
  return add('ff_out', feedForward(builder, `${module}.ff`, third, channels), crossed);
}

interface AttentionSize {
  channels: number;
  heads: number;
  /** Keys and values are made of this; of the hidden states where undefined. */
  source: Endpoint | undefined;
  sourceDim: number;
}

/** Multi-head attention over flat tokens. The queries are scaled: they are the smallest tensor that can be. */
function attention(builder: GraphBuilder, module: string, x: Endpoint, size: AttentionSize, batch: Endpoint): Endpoint {
  const { channels, heads, source = x, sourceDim } = size;
  const scope = scopeOf(module);
  const headDim = channels / heads;
  const split = headShape(builder, batch, heads, headDim);
  const toHeads = (name: string, from: Endpoint, inputs: number) => {
    const flat = linear(builder, `${module}.${name}`, from, { inputs, outputs: channels, bias: false });
    const apart = builder.op(`${scope}/${name}/heads`, 'Reshape', [flat, split]);
    return builder.op(`${scope}/${name}/out`, 'Transpose', [apart, builder.ints([0, 2, 1, 3])]);
  };
  const query = builder.op(`${scope}/scaled`, 'Mul', [toHeads('to_q', x, channels), builder.float(headDim ** -0.5)]);
  const key = toHeads('to_k', source, sourceDim);
  const value = toHeads('to_v', source, sourceDim);
  const logits = builder.op(`${scope}/logits`, 'BatchMatMulV2', [query, key], {
    adj_x: attr.bool(false),
    adj_y: attr.bool(true),
  });
  const weights = builder.op(`${scope}/softmax`, 'Softmax', [logits]);
  const sum = builder.op(`${scope}/sum`, 'BatchMatMulV2', [weights, value], {
    adj_x: attr.bool(false),
    adj_y: attr.bool(false),
  });
  const together = builder.op(`${scope}/together`, 'Transpose', [sum, builder.ints([0, 2, 1, 3])]);
  const merged = builder.op(`${scope}/merged`, 'Reshape', [together, builder.ints([-1, channels])]);
  return linear(builder, `${module}.to_out.0`, merged, { inputs: channels, outputs: channels });
}

/** [B, -1, heads, headDim] as a tensor; one for all attentions of that shape. */
function headShape(builder: GraphBuilder, batch: Endpoint, heads: number, headDim: number): Endpoint {
  const name = `shapes/heads_${heads}x${headDim}`;
  if (builder.graph.node(name)) return { node: name, output: 0 };
  const rest = builder.ints([-1, heads, headDim]);
  const attributes = { N: attr.int(2), T: attr.type('int32') };
  return builder.op(name, 'ConcatV2', [batch, rest, builder.ints([0], [])], attributes);
}

/**
 * GEGLU: value * gelu(gate), then a projection back. One product each for value and gate, so that nothing is split.
 *
 * gelu(gate) = gate * (0.5 + 0.5 erf(gate / sqrt 2))
 */
function feedForward(builder: GraphBuilder, module: string, x: Endpoint, channels: number): Endpoint {
  const scope = scopeOf(module);
  const inner = 4 * channels;
  const half = (name: string, from: number) => {
    const rows = { from, to: from + inner };
    const weight = builder.matrix(`${module}.net.0.proj.weight`, channels, 2 * inner, { rows });
    return product(
      builder,
      `${scope}/${name}`,
      x,
      weight,
      builder.vector(`${module}.net.0.proj.bias`, 2 * inner, rows),
    );
  };
  const op = (name: string, kind: string, inputs: Endpoint[]) => builder.op(`${scope}/gelu/${name}`, kind, inputs);
  const value = half('value', 0);
  const gate = half('gate', inner);
  const erf = op('erf', 'Erf', [op('scaled', 'Mul', [gate, builder.float(Math.SQRT1_2)])]);
  const share = op('share', 'AddV2', [op('half', 'Mul', [erf, builder.float(0.5)]), builder.float(0.5)]);
  const gated = op('out', 'Mul', [op('gelu', 'Mul', [gate, share]), value]);
  return linear(builder, `${module}.net.2`, gated, { inputs: inner, outputs: channels });
}
