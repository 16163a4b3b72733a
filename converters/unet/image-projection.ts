import { attr, type Endpoint } from '../../src/graph/index.ts';
import {
  concat,
  type GraphBuilder,
  gelu,
  Heads,
  layerNorm,
  linear,
  product,
  scopeOf,
  shapeFrom,
  shapeOf,
  slice,
} from '../nn/index.ts';

/**
 * How an image's embedding becomes tokens: by one linear layer, (plus) by a resampler over its patches, or (full) each patch
 * becomes one by two linear layers.
 */
export type ImageProjection =
  | { readonly kind: 'base'; readonly embedDim: number; readonly tokens: number }
  | { readonly kind: 'full'; readonly embedDim: number; readonly tokens: number; readonly hiddenDim: number }
  | ResamplerSize;

export interface ResamplerSize {
  readonly kind: 'plus';
  readonly embedDim: number;
  readonly tokens: number;
  readonly hiddenDim: number;
  /** Heads times their width. */
  readonly innerDim: number;
  readonly feedForwardDim: number;
  readonly depth: number;
}

/** Width of a resampler's heads, which its tensors do not tell. */
export const RESAMPLER_HEAD_DIM = 64;

const MODULE = 'image_proj';

/** Image tokens of an embedding, [B * tokens, contextDim]. Source: diffusers, `ImageProjection`. */
export function projectImage(
  builder: GraphBuilder,
  embeds: Endpoint,
  projection: ImageProjection,
  contextDim: number,
): Endpoint {
  if (projection.kind === 'plus') return resample(builder, embeds, projection, contextDim);
  if (projection.kind === 'full') return projectPatches(builder, embeds, projection, contextDim);
  const { embedDim, tokens } = projection;
  const wide = linear(builder, `${MODULE}.proj`, embeds, { inputs: embedDim, outputs: tokens * contextDim });
  const flat = builder.op(`${MODULE}/tokens`, 'Reshape', [wide, builder.ints([-1, contextDim])]);
  return layerNorm(builder, `${MODULE}.norm`, flat, contextDim);
}

/** A token for each patch. Source: diffusers, `IPAdapterFullImageProjection`. */
function projectPatches(
  builder: GraphBuilder,
  embeds: Endpoint,
  { embedDim, hiddenDim }: { embedDim: number; hiddenDim: number },
  contextDim: number,
): Endpoint {
  const module = `${MODULE}.proj`;
  const flat = builder.op(`${MODULE}/patches`, 'Reshape', [embeds, builder.ints([-1, embedDim])]);
  const wide = linear(builder, `${module}.0`, flat, { inputs: embedDim, outputs: hiddenDim });
  const inner = gelu(builder, `${scopeOf(module)}/gelu`, wide);
  const tokens = linear(builder, `${module}.2`, inner, { inputs: hiddenDim, outputs: contextDim });
  return layerNorm(builder, `${module}.3`, tokens, contextDim);
}

/** Learned queries that attend to the patches and to themselves. Source: diffusers, `IPAdapterPlusImageProjection`. */
function resample(builder: GraphBuilder, embeds: Endpoint, size: ResamplerSize, contextDim: number): Endpoint {
  const { embedDim, hiddenDim, depth } = size;
  const flat = builder.op(`${MODULE}/patches`, 'Reshape', [embeds, builder.ints([-1, embedDim])]);
  const patches = linear(builder, `${MODULE}.proj_in`, flat, { inputs: embedDim, outputs: hiddenDim });
  const batch = slice(builder, `${MODULE}/batch`, shapeOf(builder, `${MODULE}/shape`, embeds), 0, 1);
  let latents = startLatents(builder, batch, size);
  for (let layer = 0; layer < depth; layer++) latents = resamplerLayer(builder, layer, patches, latents, batch, size);
  const out = linear(builder, `${MODULE}.proj_out`, latents, { inputs: hiddenDim, outputs: contextDim });
  return layerNorm(builder, `${MODULE}.norm_out`, out, contextDim);
}

/** The learned queries, once for each image: [B * tokens, hiddenDim]. */
function startLatents(builder: GraphBuilder, batch: Endpoint, { tokens, hiddenDim }: ResamplerSize): Endpoint {
  const learned = builder.tensor(`${MODULE}.latents`, [1, tokens, hiddenDim]);
  const repeats = shapeFrom(builder, `${MODULE}/repeats`, batch, [1, 1]);
  const repeated = builder.op(`${MODULE}/queries`, 'Tile', [learned, repeats], { Tmultiples: attr.type('int32') });
  return builder.op(`${MODULE}/queries/flat`, 'Reshape', [repeated, builder.ints([-1, hiddenDim])]);
}

/** Source: IP-Adapter, `PerceiverAttention` and `FeedForward` of its resampler. */
function resamplerLayer(
  builder: GraphBuilder,
  layer: number,
  patches: Endpoint,
  latents: Endpoint,
  batch: Endpoint,
  { hiddenDim, feedForwardDim, innerDim }: ResamplerSize,
): Endpoint {
  const [attention, feedForward] = [`${MODULE}.layers.${layer}.0`, `${MODULE}.layers.${layer}.1`];
  const add = (name: string, a: Endpoint, b: Endpoint) => builder.op(`${scopeOf(attention)}/${name}`, 'AddV2', [a, b]);
  const seen = perceive(builder, attention, patches, latents, batch, { hiddenDim, innerDim });
  const attended = add('attended', seen, latents);
  const normal = layerNorm(builder, `${feedForward}.0`, attended, hiddenDim);
  const sizes = { inputs: hiddenDim, outputs: feedForwardDim, bias: false };
  const inner = gelu(builder, `${scopeOf(feedForward)}/gelu`, linear(builder, `${feedForward}.1`, normal, sizes));
  const back = linear(builder, `${feedForward}.3`, inner, { inputs: feedForwardDim, outputs: hiddenDim, bias: false });
  return add('out', back, attended);
}

function perceive(
  builder: GraphBuilder,
  module: string,
  patches: Endpoint,
  latents: Endpoint,
  batch: Endpoint,
  { hiddenDim, innerDim }: Pick<ResamplerSize, 'hiddenDim' | 'innerDim'>,
): Endpoint {
  const scope = scopeOf(module);
  const heads = new Heads(builder, batch, innerDim, innerDim / RESAMPLER_HEAD_DIM);
  const queries = layerNorm(builder, `${module}.norm2`, latents, hiddenDim);
  const source = joinTokens(builder, scope, layerNorm(builder, `${module}.norm1`, patches, hiddenDim), queries, {
    batch,
    hiddenDim,
  });
  const query = linear(builder, `${module}.to_q`, queries, { inputs: hiddenDim, outputs: innerDim, bias: false });
  const half = (part: 'key' | 'value', from: number) => {
    const rows = { from, to: from + innerDim, part };
    const weight = builder.matrix(`${module}.to_kv.weight`, hiddenDim, 2 * innerDim, { rows });
    return heads.apart(`${scope}/${part}`, product(builder, `${scope}/${part}`, source, weight));
  };
  const scaled = heads.scaled(scope, heads.apart(`${scope}/to_q`, query));
  const merged = heads.attend(scope, scaled, half('key', 0), half('value', innerDim));
  return linear(builder, `${module}.to_out`, merged, { inputs: innerDim, outputs: hiddenDim, bias: false });
}

/** Patches and queries of each image as one row of tokens, flat. */
function joinTokens(
  builder: GraphBuilder,
  scope: string,
  patches: Endpoint,
  queries: Endpoint,
  { batch, hiddenDim }: { batch: Endpoint; hiddenDim: number },
): Endpoint {
  const reshape = (name: string, tokens: Endpoint, to: Endpoint) =>
    builder.op(`${scope}/${name}`, 'Reshape', [tokens, to]);
  const shape = shapeFrom(builder, `${scope}/shape`, batch, [-1, hiddenDim]);
  const apart = [patches, queries].map((tokens, index) => reshape(`images_${index}`, tokens, shape));
  const joined = concat(builder, `${scope}/joined`, apart, 1);
  return reshape('joined/flat', joined, builder.ints([-1, hiddenDim]));
}
