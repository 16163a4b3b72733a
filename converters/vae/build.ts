import { attr, type Endpoint } from '../../src/graph/index.ts';
import {
  conv,
  doubled,
  GraphBuilder,
  groupNorm,
  Heads,
  linear,
  type PlannedGraph,
  resnet,
  scopeOf,
  shapeOf,
  signatureTensor,
  silu,
  slice,
} from '../nn/index.ts';
import type { VaeConfig } from './config.ts';

/** Of every norm of a VAE. */
const EPS = 1e-6;
/** Between these the logarithm of the variance is used. */
const LOGVAR = [-30, 20] as const;

/**
 * Builds the TF.js graph of an AutoencoderKL's decoder from stock ops, NHWC, for any batch and size.
 *
 * Input: `latent` [B, h, w, latentChannels], divided by the scaling factor. Output: `image` [B, 8h, 8w, 3] in about -1..1,
 * not clamped. Source: diffusers, `AutoencoderKL._decode`.
 */
export function buildVaeDecoder(config: VaeConfig, convertedBy: string): PlannedGraph {
  const builder = new GraphBuilder(convertedBy);
  const { latentChannels: latents, imageChannels } = config;
  const widths = config.widths.toReversed();
  const deepest = widths[0] ?? 0;
  const latent = builder.placeholder('latent', [-1, -1, -1, latents]);
  const one = { inputs: latents, outputs: latents, kernel: 1 } as const;
  const start = config.postQuantConv ? conv(builder, 'post_quant_conv', latent, one) : latent;
  let map = conv(builder, 'decoder.conv_in', start, { inputs: latents, outputs: deepest });
  map = middle(builder, 'decoder', map, deepest, config);
  widths.forEach((width, level) => {
    const module = `decoder.up_blocks.${level}`;
    map = resnets(
      builder,
      module,
      map,
      { inputs: widths[level - 1] ?? deepest, outputs: width },
      config.layers + 1,
      config,
    );
    if (level === widths.length - 1) return;
    const larger = doubled(builder, scopeOf(`${module}.upsamplers.0`), map);
    map = conv(builder, `${module}.upsamplers.0.conv`, larger, { inputs: width, outputs: width });
  });
  const image = end(builder, 'decoder', map, { inputs: widths.at(-1) ?? 0, outputs: imageChannels }, config);
  builder.op('image', 'Identity', [image]);
  builder.graph.setSignature({
    inputs: { latent: signatureTensor('latent', [-1, -1, -1, latents]) },
    outputs: { image: signatureTensor('image', [-1, -1, -1, imageChannels]) },
  });
  return { graph: builder.graph, weights: builder.weights };
}

/**
 * Builds the TF.js graph of an AutoencoderKL's encoder from stock ops, NHWC, for any batch and size.
 *
 * Input: `image` [B, H, W, 3] in -1..1. Outputs [B, H / 8, W / 8, ...], each halving rounded down: `mean` and `logvar`
 * (clamped) of the latents before the scaling factor, and `moments`, both as they are, which is what tiles are blended of.
 * Source: diffusers, `AutoencoderKL._encode`, `DiagonalGaussianDistribution`.
 */
export function buildVaeEncoder(config: VaeConfig, convertedBy: string): PlannedGraph {
  const builder = new GraphBuilder(convertedBy);
  const { widths, latentChannels: latents, imageChannels } = config;
  const image = builder.placeholder('image', [-1, -1, -1, imageChannels]);
  const shallowest = widths[0] ?? 0;
  let map = conv(builder, 'encoder.conv_in', image, { inputs: imageChannels, outputs: shallowest });
  widths.forEach((width, level) => {
    const module = `encoder.down_blocks.${level}`;
    map = resnets(
      builder,
      module,
      map,
      { inputs: widths[level - 1] ?? shallowest, outputs: width },
      config.layers,
      config,
    );
    if (level === widths.length - 1) return;
    const halved = { inputs: width, outputs: width, stride: 2, pad: 'end' } as const;
    map = conv(builder, `${module}.downsamplers.0.conv`, map, halved);
  });
  const deepest = widths.at(-1) ?? 0;
  map = middle(builder, 'encoder', map, deepest, config);
  map = end(builder, 'encoder', map, { inputs: deepest, outputs: 2 * latents }, config);
  const one = { inputs: 2 * latents, outputs: 2 * latents, kernel: 1 } as const;
  giveMoments(builder, config.quantConv ? conv(builder, 'quant_conv', map, one) : map, latents);
  const output = (name: string, channels: number) => signatureTensor(name, [-1, -1, -1, channels]);
  builder.graph.setSignature({
    inputs: { image: output('image', imageChannels) },
    outputs: {
      mean: output('mean', latents),
      logvar: output('logvar', latents),
      moments: output('moments', 2 * latents),
    },
  });
  return { graph: builder.graph, weights: builder.weights };
}

function giveMoments(builder: GraphBuilder, moments: Endpoint, latents: number): void {
  builder.op('moments', 'Identity', [moments]);
  const channels = (name: string, from: number) =>
    builder.op(name, 'Slice', [moments, builder.ints([0, 0, 0, from]), builder.ints([-1, -1, -1, latents])], {
      Index: attr.type('int32'),
    });
  channels('mean', 0);
  const [least, most] = LOGVAR;
  const above = builder.op('logvar/above', 'Maximum', [channels('logvar/raw', latents), builder.float(least)]);
  builder.op('logvar', 'Minimum', [above, builder.float(most)]);
}

function resnets(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  { inputs, outputs }: { inputs: number; outputs: number },
  count: number,
  { groups }: VaeConfig,
): Endpoint {
  let map = x;
  for (let index = 0; index < count; index++) {
    const size = { inputs: index ? outputs : inputs, outputs };
    map = resnet(builder, `${module}.resnets.${index}`, map, size, { groups, eps: EPS });
  }
  return map;
}

/** Resnet, attention, resnet at the deepest level. Source: diffusers, `UNetMidBlock2D`. */
function middle(builder: GraphBuilder, side: string, x: Endpoint, width: number, { groups }: VaeConfig): Endpoint {
  const module = `${side}.mid_block`;
  const block = (index: number, map: Endpoint) =>
    resnet(builder, `${module}.resnets.${index}`, map, { inputs: width, outputs: width }, { groups, eps: EPS });
  return block(1, attention(builder, `${module}.attentions.0`, block(0, x), width, groups));
}

/** One head of full width over all pixels, with biases. */
function attention(builder: GraphBuilder, module: string, x: Endpoint, width: number, groups: number): Endpoint {
  const scope = scopeOf(module);
  const shape = shapeOf(builder, `${scope}/shape`, x);
  const batch = slice(builder, `${scope}/batch`, shape, 0, 1);
  const heads = new Heads(builder, batch, width, 1);
  const normal = groupNorm(builder, `${module}.group_norm`, x, { channels: width, groups, eps: EPS });
  const flat = builder.op(`${scope}/flat`, 'Reshape', [normal, builder.ints([-1, width])]);
  const square = { inputs: width, outputs: width };
  const project = (name: string) => heads.apart(`${scope}/${name}`, linear(builder, `${module}.${name}`, flat, square));
  const merged = heads.attend(scope, heads.scaled(scope, project('to_q')), project('to_k'), project('to_v'));
  const out = linear(builder, `${module}.to_out.0`, merged, square);
  return builder.op(`${scope}/out`, 'AddV2', [x, builder.op(`${scope}/map`, 'Reshape', [out, shape])]);
}

function end(
  builder: GraphBuilder,
  side: string,
  x: Endpoint,
  size: { inputs: number; outputs: number },
  { groups }: VaeConfig,
): Endpoint {
  const module = `${side}.conv_norm_out`;
  const normal = groupNorm(builder, module, x, { channels: size.inputs, groups, eps: EPS });
  return conv(builder, `${side}.conv_out`, silu(builder, scopeOf(module), normal), size);
}
