import { join } from 'node:path';
import { type FixedFields, isObject, unbuiltFields } from '../../src/documents/index.ts';
import { SlothfulError } from '../../src/errors.ts';
import type { Checkpoint } from '../checkpoint/index.ts';
import { inferUNetConfig, parseUNetConfig, type UNetConfig } from '../unet/index.ts';

/** A ControlNet: half a UNet, and the network that makes a feature map of the conditioning image. */
export interface ControlNetConfig {
  readonly unet: UNetConfig;
  /** Channels of the conditioning image. */
  readonly imageChannels: number;
  /** Widths of the hint network: its first convolution's, then one for each halving of the image. */
  readonly hintWidths: readonly number[];
}

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** What a config may not say otherwise. */
const FIXED: FixedFields = [
  ['global_pool_conditions', [false]],
  ['controlnet_conditioning_channel_order', ['rgb']],
];

function checkJson(json: unknown, place: string): void {
  if (!isObject(json)) return;
  if (json._class_name !== undefined && json._class_name !== 'ControlNetModel') {
    const problem = `describes a ${JSON.stringify(json._class_name)}, not a ControlNetModel`;
    throw new SlothfulError('unsupported', place, problem, 'give the config.json of the ControlNet');
  }
  for (const { name, value, harmless } of unbuiltFields(json, FIXED)) {
    const problem = `${JSON.stringify(value)} is not supported`;
    throw new SlothfulError('unsupported', `${place} "${name}"`, problem, `only ${JSON.stringify(harmless[0])} is`);
  }
}

/** Tensors alone tell a ControlNet as they tell a UNet, whose last convolution it lacks. */
function inferConfig(tensors: Shapes, place: string): UNetConfig {
  const channels = tensors.get('conv_in.weight')?.shape[1] ?? 4;
  return inferUNetConfig(new Map([...tensors, ['conv_out.weight', { shape: [channels] }]]), place);
}

function unetConfig(checkpoint: Checkpoint, tensors: Shapes, given: unknown): UNetConfig {
  if (given === undefined && checkpoint.config === undefined) return inferConfig(tensors, checkpoint.path);
  const place = given === undefined ? join(checkpoint.path, 'config.json') : '--config';
  const json = given ?? checkpoint.config;
  checkJson(json, place);
  return parseUNetConfig(json, place);
}

/** Most halvings of the conditioning image; all published ControlNets have 3. */
const MOST_HALVINGS = 16;

/** Reads the hint network's widths off its tensors: every second block halves the image and widens. */
function hintWidths(tensors: Shapes, place: string): { imageChannels: number; hintWidths: number[] } {
  const shape = (name: string) => tensors.get(`controlnet_cond_embedding.${name}.weight`)?.shape ?? [];
  const [first, imageChannels] = shape('conv_in');
  if (first === undefined || imageChannels === undefined) {
    throw new SlothfulError('bad-checkpoint', place, 'lacks the first convolution of its hint network');
  }
  const widths = [first];
  for (let block = 1; shape(`blocks.${block}`)[0] !== undefined; block += 2) {
    widths.push(shape(`blocks.${block}`)[0] ?? 0);
    if (widths.length > MOST_HALVINGS) {
      throw new SlothfulError(
        'bad-checkpoint',
        place,
        `has a hint network that halves more than ${MOST_HALVINGS} times`,
      );
    }
  }
  return { imageChannels, hintWidths: widths };
}

/**
 * The config of a ControlNet: of its UNet half from `given`, its config.json or its tensors, of the rest from its tensors.
 *
 * @throws SlothfulError `bad-checkpoint` or `unsupported`, naming the field
 */
export function controlNetConfig(checkpoint: Checkpoint, tensors: Shapes, given: unknown): ControlNetConfig {
  return { unet: unetConfig(checkpoint, tensors, given), ...hintWidths(tensors, checkpoint.path) };
}
