import { join } from 'node:path';
import {
  type DocumentOf,
  type FixedFields,
  foreignObject,
  integer,
  isObject,
  list,
  number,
  optional,
  readDocument,
  unbuiltFields,
  withDefault,
} from '../../src/documents/index.ts';
import { SlothfulError } from '../../src/errors.ts';
import { familyTitles } from '../../src/families/index.ts';
import type { TensorSource } from '../weights/index.ts';

/** An AutoencoderKL. */
export interface VaeConfig {
  /** Of the encoder's levels, from the full resolution down; the decoder's are the same, reversed. */
  readonly widths: readonly number[];
  /** Resnets of an encoder's level; a decoder's has one more. */
  readonly layers: number;
  readonly groups: number;
  readonly latentChannels: number;
  readonly imageChannels: number;
  /** 1x1 convolutions on the latents' side. */
  readonly quantConv: boolean;
  readonly postQuantConv: boolean;
  /** What the UNet's latents are multiplied by; undefined where nothing says so. */
  readonly scalingFactor: number | undefined;
  /** Pixels of the pictures that it was trained on. */
  readonly sampleSize: number | undefined;
}

/** What a config may not say otherwise. */
const FIXED: FixedFields = [
  ['act_fn', ['silu', 'swish']],
  ['mid_block_add_attention', [true]],
  ['latents_mean', [null]],
  ['latents_std', [null]],
  ['shift_factor', [null, 0]],
];

const COUNT = integer({ minimum: 1, maximum: 1_000_000 });
const MOST = 16;

/** What of diffusers' AutoencoderKL config makes a difference here, with diffusers' defaults. */
const AUTOENCODER_KL = foreignObject({
  block_out_channels: list(COUNT, { minItems: 1, maxItems: MOST }),
  layers_per_block: integer({ minimum: 1, maximum: 64, default: 1 }),
  norm_num_groups: withDefault(COUNT, 32),
  latent_channels: withDefault(COUNT, 4),
  in_channels: withDefault(COUNT, 3),
  scaling_factor: optional(number({ exclusiveMinimum: 0 })),
  sample_size: optional(COUNT),
});

type Tensors = ReadonlyMap<string, Pick<TensorSource, 'shape'>>;

const CURE = 'give the config.json of this VAE';

/**
 * The config of a VAE: `given`, its own, or what its tensors tell, which is all but the number of groups (then 32) and the
 * scaling factor.
 *
 * @param given a parsed config.json, goes before the checkpoint's
 * @throws SlothfulError `bad-checkpoint` or `unsupported`, naming the field
 */
export function vaeConfig(tensors: Tensors, given: unknown, own: unknown, path: string): VaeConfig {
  const json = given ?? own;
  const place = given === undefined ? join(path, 'config.json') : '--config';
  const config = json === undefined ? inferred(tensors) : parsed(json, place);
  const wrong = config.widths.find((width) => width % config.groups);
  if (wrong !== undefined) {
    const problem = `has norms of ${config.groups} groups, which do not divide a width of ${wrong}`;
    throw new SlothfulError('bad-checkpoint', json === undefined ? path : place, problem, CURE);
  }
  return {
    ...config,
    quantConv: tensors.has('quant_conv.weight'),
    postQuantConv: tensors.has('post_quant_conv.weight'),
  };
}

type OfJson = Omit<VaeConfig, 'quantConv' | 'postQuantConv'>;

function parsed(value: unknown, place: string): OfJson {
  checkArchitecture(value, place);
  const json: DocumentOf<typeof AUTOENCODER_KL> = readDocument(AUTOENCODER_KL, value, {
    ...{ place, code: 'bad-checkpoint', cure: CURE, nulls: 'absent' },
  });
  return {
    widths: json.block_out_channels,
    layers: json.layers_per_block,
    groups: json.norm_num_groups,
    latentChannels: json.latent_channels,
    imageChannels: json.in_channels,
    scalingFactor: json.scaling_factor,
    sampleSize: json.sample_size,
  };
}

function checkArchitecture(value: unknown, place: string): void {
  if (!isObject(value)) return;
  const { _class_name: className = 'AutoencoderKL' } = value;
  if (className !== 'AutoencoderKL') {
    const problem = `describes a ${JSON.stringify(className)}, not an AutoencoderKL`;
    throw new SlothfulError('unsupported', place, problem, `give the VAE of ${familyTitles('or')}`);
  }
  const [unbuilt] = unbuiltFields(value, FIXED);
  if (!unbuilt) return;
  const problem = `${JSON.stringify(unbuilt.value)} is not in the VAEs of ${familyTitles('and')}`;
  throw new SlothfulError('unsupported', `${place} "${unbuilt.name}"`, problem, 'give the VAE of such a model');
}

/** What LDM's VAEs have, whatever their widths. */
const LDM_GROUPS = 32;

function inferred(tensors: Tensors): OfJson {
  const outputs = (name: string) => tensors.get(`${name}.weight`)?.shape[0];
  const widths: number[] = [];
  for (let level = 0; level < MOST; level++) {
    const width = outputs(`decoder.up_blocks.${level}.resnets.0.conv1`);
    if (width !== undefined) widths.unshift(width);
  }
  let decoderLayers = 0;
  while (decoderLayers < 64 && outputs(`decoder.up_blocks.0.resnets.${decoderLayers}.conv1`) !== undefined)
    decoderLayers++;
  return {
    widths,
    layers: Math.max(1, decoderLayers - 1),
    groups: LDM_GROUPS,
    latentChannels: tensors.get('decoder.conv_in.weight')?.shape[1] ?? 4,
    imageChannels: outputs('decoder.conv_out') ?? 3,
    scalingFactor: undefined,
    sampleSize: undefined,
  };
}
