import { conv, linear, norm, range } from './modules.ts';
import type { RandomTensor } from './random-weights.ts';
import type { CheckpointLayout } from './write-checkpoint.ts';

/** A VAE's config.json, as diffusers has it. */
export interface VaeJson {
  readonly _class_name: 'AutoencoderKL';
  /** Of the encoder's levels, from the full resolution down. */
  readonly block_out_channels: readonly number[];
  readonly layers_per_block: number;
  readonly norm_num_groups: number;
  readonly in_channels: number;
  readonly latent_channels: number;
  readonly sample_size: number;
  readonly scaling_factor: number;
}

/** The VAE that all of Stable Diffusion has, but for its weights. */
export function usualVae(pixels: number, scalingFactor: number): VaeJson {
  return {
    _class_name: 'AutoencoderKL',
    block_out_channels: [128, 256, 512, 512],
    layers_per_block: 2,
    norm_num_groups: 32,
    in_channels: 3,
    latent_channels: 4,
    sample_size: pixels,
    scaling_factor: scalingFactor,
  };
}

/** How a layout calls the modules of a half. Levels are counted from the full resolution down. */
interface Spelling {
  readonly down: (level: number) => { readonly resnets: string; readonly sampler: string };
  readonly up: (level: number, levels: number) => { readonly resnets: string; readonly sampler: string };
  readonly middle: readonly [first: string, attention: string, second: string];
  /** Norm, queries, keys, values, output. */
  readonly attention: readonly [string, string, string, string, string];
  /** The attention's matrices: single files have them as convolutions. */
  readonly matrix: (module: string, inputs: number, outputs: number) => RandomTensor[];
  readonly shortcut: string;
  readonly lastNorm: string;
}

const SPELLINGS: Readonly<Record<CheckpointLayout, Spelling>> = {
  diffusers: {
    down: (level) => ({ resnets: `down_blocks.${level}.resnets`, sampler: `down_blocks.${level}.downsamplers.0.conv` }),
    up(level, levels) {
      const block = `up_blocks.${levels - 1 - level}`;
      return { resnets: `${block}.resnets`, sampler: `${block}.upsamplers.0.conv` };
    },
    middle: ['mid_block.resnets.0', 'mid_block.attentions.0', 'mid_block.resnets.1'],
    attention: ['group_norm', 'to_q', 'to_k', 'to_v', 'to_out.0'],
    matrix: linear,
    shortcut: 'conv_shortcut',
    lastNorm: 'conv_norm_out',
  },
  ldm: {
    down: (level) => ({ resnets: `down.${level}.block`, sampler: `down.${level}.downsample.conv` }),
    up: (level) => ({ resnets: `up.${level}.block`, sampler: `up.${level}.upsample.conv` }),
    middle: ['mid.block_1', 'mid.attn_1', 'mid.block_2'],
    attention: ['norm', 'q', 'k', 'v', 'proj_out'],
    matrix: (module, inputs, outputs) => conv(module, inputs, outputs, 1),
    shortcut: 'nin_shortcut',
    lastNorm: 'norm_out',
  },
};

/** A VAE's tensors as a layout has them. */
export function vaeTensors(config: VaeJson, layout: CheckpointLayout): RandomTensor[] {
  const { latent_channels: latents } = config;
  const spelling = SPELLINGS[layout];
  const half = (name: string, tensors: readonly RandomTensor[]) =>
    tensors.map(({ key, shape }) => ({ key: `${name}.${key}`, shape }));
  return [
    ...half('encoder', encoderTensors(config, spelling)),
    ...half('decoder', decoderTensors(config, spelling)),
    ...conv('quant_conv', 2 * latents, 2 * latents, 1),
    ...conv('post_quant_conv', latents, latents, 1),
  ];
}

function encoderTensors(config: VaeJson, spelling: Spelling): RandomTensor[] {
  const { block_out_channels: widths, layers_per_block: layers, in_channels: channels } = config;
  const [shallowest = 0, deepest = 0] = [widths[0], widths.at(-1)];
  const levels = widths.flatMap((width, level) => {
    const { resnets, sampler } = spelling.down(level);
    const blocks = resnetTensors(resnets, widths[level - 1] ?? shallowest, width, layers, spelling);
    return level < widths.length - 1 ? [...blocks, ...conv(sampler, width, width)] : blocks;
  });
  return [
    ...conv('conv_in', channels, shallowest),
    ...levels,
    ...middleTensors(deepest, spelling),
    ...norm(spelling.lastNorm, deepest),
    ...conv('conv_out', deepest, 2 * config.latent_channels),
  ];
}

function decoderTensors(config: VaeJson, spelling: Spelling): RandomTensor[] {
  const { block_out_channels: widths, layers_per_block: layers, in_channels: channels } = config;
  const [shallowest = 0, deepest = 0] = [widths[0], widths.at(-1)];
  const levels = widths.flatMap((width, level) => {
    const { resnets, sampler } = spelling.up(level, widths.length);
    const blocks = resnetTensors(resnets, widths[level + 1] ?? deepest, width, layers + 1, spelling);
    return level > 0 ? [...blocks, ...conv(sampler, width, width)] : blocks;
  });
  return [
    ...conv('conv_in', config.latent_channels, deepest),
    ...middleTensors(deepest, spelling),
    ...levels,
    ...norm(spelling.lastNorm, shallowest),
    ...conv('conv_out', shallowest, channels),
  ];
}

function middleTensors(width: number, spelling: Spelling): RandomTensor[] {
  const [first, attention, second] = spelling.middle;
  const [attentionNorm, ...matrices] = spelling.attention;
  return [
    ...oneResnet(first, width, width, spelling),
    ...norm(`${attention}.${attentionNorm}`, width),
    ...matrices.flatMap((name) => spelling.matrix(`${attention}.${name}`, width, width)),
    ...oneResnet(second, width, width, spelling),
  ];
}

function resnetTensors(module: string, inputs: number, outputs: number, count: number, spelling: Spelling) {
  return range(count).flatMap((index) => oneResnet(`${module}.${index}`, index ? outputs : inputs, outputs, spelling));
}

function oneResnet(module: string, inputs: number, outputs: number, { shortcut }: Spelling): RandomTensor[] {
  return [
    ...norm(`${module}.norm1`, inputs),
    ...conv(`${module}.conv1`, inputs, outputs),
    ...norm(`${module}.norm2`, outputs),
    ...conv(`${module}.conv2`, outputs, outputs),
    ...(inputs === outputs ? [] : conv(`${module}.${shortcut}`, inputs, outputs, 1)),
  ];
}
