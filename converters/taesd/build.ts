import type { Endpoint } from '../../src/graph/index.ts';
import { conv, doubled, GraphBuilder, type PlannedGraph, relu, scopeOf, signatureTensor } from '../nn/index.ts';
import type { TaesdHalf } from './tensors.ts';

/** A TAESD, whose depth is always the same. */
export interface TaesdConfig {
  readonly width: number;
  readonly latentChannels: number;
  readonly imageChannels: number;
}

/** Layers that have no weights have a number too, as in the lists of PyTorch that the tensors are named by. */
type Layer =
  | {
      readonly kind: 'conv';
      readonly inputs: number;
      readonly outputs: number;
      readonly halves?: boolean;
      readonly bias?: boolean;
    }
  | { readonly kind: 'block' | 'relu' | 'up' };

/** Blocks of each of the three levels below the full resolution. */
const BLOCKS = 3;

const block: Layer = { kind: 'block' };
const blocks = Array.from({ length: BLOCKS }, () => block);

function decoderLayers({ width, latentChannels, imageChannels }: TaesdConfig): Layer[] {
  const same: Layer = { kind: 'conv', inputs: width, outputs: width, bias: false };
  const level: Layer[] = [...blocks, { kind: 'up' }, same];
  const first: Layer[] = [{ kind: 'conv', inputs: latentChannels, outputs: width }, { kind: 'relu' }];
  return [...first, ...level, ...level, ...level, block, { kind: 'conv', inputs: width, outputs: imageChannels }];
}

function encoderLayers({ width, latentChannels, imageChannels }: TaesdConfig): Layer[] {
  const level: Layer[] = [{ kind: 'conv', inputs: width, outputs: width, halves: true, bias: false }, ...blocks];
  const first: Layer[] = [{ kind: 'conv', inputs: imageChannels, outputs: width }, block];
  return [...first, ...level, ...level, ...level, { kind: 'conv', inputs: width, outputs: latentChannels }];
}

/**
 * Builds the TF.js graph of a half of a TAESD from stock ops, NHWC, for any batch and size. Pictures are in -1..1 on both
 * sides, as a VAE's are, and latents are the UNet's own: the scaling factor is 1.
 *
 * Decoder: `latent` [B, h, w, 4] -> `image` [B, 8h, 8w, 3]. Encoder: `image` [B, H, W, 3] -> `latent`, each halving
 * rounded up. Source: diffusers, `DecoderTiny`, `EncoderTiny`.
 */
export function buildTaesd(half: TaesdHalf, config: TaesdConfig, convertedBy: string): PlannedGraph {
  const builder = new GraphBuilder(convertedBy);
  const sides = { latent: config.latentChannels, image: config.imageChannels };
  const [from, to] = half === 'decoder' ? (['latent', 'image'] as const) : (['image', 'latent'] as const);
  const input = builder.placeholder(from, [-1, -1, -1, sides[from]]);
  const start = half === 'decoder' ? bounded(builder, input) : affine(builder, 'encoder/to_unit', input, 0.5, 0.5);
  const layers = (half === 'decoder' ? decoderLayers : encoderLayers)(config);
  let map = start;
  layers.forEach((layer, index) => {
    map = addLayer(builder, `${half}.layers.${index}`, layer, map, config.width);
  });
  const end = half === 'decoder' ? affine(builder, 'decoder/from_unit', map, 2, -1) : map;
  builder.op(to, 'Identity', [end]);
  builder.graph.setSignature({
    inputs: { [from]: signatureTensor(from, [-1, -1, -1, sides[from]]) },
    outputs: { [to]: signatureTensor(to, [-1, -1, -1, sides[to]]) },
  });
  return { graph: builder.graph, weights: builder.weights };
}

function addLayer(builder: GraphBuilder, module: string, layer: Layer, x: Endpoint, width: number): Endpoint {
  const scope = scopeOf(module);
  switch (layer.kind) {
    case 'relu':
      return relu(builder, scope, x);
    case 'up':
      return doubled(builder, scope, x);
    case 'block':
      return residual(builder, module, x, width);
    default: {
      const { inputs, outputs, bias = true, halves = false } = layer;
      return conv(builder, module, x, { inputs, outputs, bias, stride: halves ? 2 : 1 });
    }
  }
}

/** relu(x + three convolutions with a relu between them). Source: diffusers, `AutoencoderTinyBlock`. */
function residual(builder: GraphBuilder, module: string, x: Endpoint, width: number): Endpoint {
  const size = { inputs: width, outputs: width };
  let map = x;
  for (const [order, index] of [0, 2, 4].entries()) {
    map = conv(
      builder,
      `${module}.conv.${index}`,
      order ? relu(builder, `${scopeOf(module)}/${index}`, map) : map,
      size,
    );
  }
  const scope = scopeOf(module);
  return relu(builder, scope, builder.op(`${scope}/sum`, 'AddV2', [x, map]));
}

/** 3 tanh(x / 3) */
function bounded(builder: GraphBuilder, x: Endpoint): Endpoint {
  const small = builder.op('decoder/clamp/third', 'Mul', [x, builder.float(1 / 3)]);
  return builder.op('decoder/clamp/out', 'Mul', [builder.op('decoder/clamp/Tanh', 'Tanh', [small]), builder.float(3)]);
}

function affine(builder: GraphBuilder, scope: string, x: Endpoint, scale: number, shift: number): Endpoint {
  const scaled = builder.op(`${scope}/scaled`, 'Mul', [x, builder.float(scale)]);
  return builder.op(`${scope}/out`, 'AddV2', [scaled, builder.float(shift)]);
}
