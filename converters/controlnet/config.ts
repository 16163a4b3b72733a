import { basename, dirname, join, resolve } from 'node:path';
import { choice, flag, foreignObject, isObject, readDocument } from '../../src/documents/index.ts';
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
  /** Each residual is one value a channel, the mean over the picture. */
  readonly globalPool: boolean;
  /** Its picture's channels are blue, green, red: they are turned round before anything is computed. */
  readonly reversedChannels: boolean;
}

/** What a user says of a ControlNet that its files may not say. */
export interface AskedControlNet {
  readonly config?: unknown;
  /** Average residuals over the picture; by default what the config says, else whether it is called "shuffle". */
  readonly globalPool?: boolean | undefined;
}

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** What of diffusers' ControlNetModel config is the ControlNet's own, with diffusers' defaults. */
const CONTROLNET = foreignObject({
  global_pool_conditions: flag({ default: false }),
  controlnet_conditioning_channel_order: choice(['rgb', 'bgr'], { default: 'rgb' }),
});

/** How ControlNets are called that average: no tensor says so. Source: ComfyUI and sd-webui-controlnet, by the same name. */
const POOLED_NAME = /(?:^|[^a-z])shuffle(?:[^a-z]|$)/i;

function checkJson(json: unknown, place: string): void {
  if (!isObject(json)) return;
  const { _class_name: name = 'ControlNetModel' } = json;
  if (name !== 'ControlNetModel' && name !== 'FlaxControlNetModel') {
    const problem = `describes a ${JSON.stringify(name)}, not a ControlNetModel`;
    throw new SlothfulError('unsupported', place, problem, 'give the config.json of the ControlNet');
  }
  if (json.mid_block_type === null) {
    throw new SlothfulError('bad-checkpoint', `${place} "mid_block_type"`, 'is null, and every ControlNet has one');
  }
}

/** Tensors alone tell a ControlNet as they tell a UNet, whose last convolution it lacks. */
function inferConfig(tensors: Shapes, place: string): UNetConfig {
  const channels = tensors.get('conv_in.weight')?.shape[1] ?? 4;
  return inferUNetConfig(new Map([...tensors, ['conv_out.weight', { shape: [channels] }]]), place);
}

type OwnConfig = Pick<ControlNetConfig, 'unet' | 'globalPool' | 'reversedChannels'>;

function ownConfig(checkpoint: Checkpoint, tensors: Shapes, given: unknown): OwnConfig {
  const json = given ?? checkpoint.config;
  if (json === undefined) {
    const unet = inferConfig(tensors, checkpoint.path);
    return { unet, globalPool: POOLED_NAME.test(calledOf(checkpoint.path)), reversedChannels: false };
  }
  const place = given === undefined ? join(checkpoint.path, 'config.json') : '--config';
  checkJson(json, place);
  const unet = parseUNetConfig(json, place);
  const cure = 'give the config of this checkpoint';
  const own = readDocument(CONTROLNET, json, { place, code: 'bad-checkpoint', cure, nulls: 'absent' });
  return {
    unet,
    globalPool: own.global_pool_conditions,
    reversedChannels: own.controlnet_conditioning_channel_order === 'bgr',
  };
}

/** What a checkpoint is called: diffusers gives all files one name, and their folder says whose they are. */
function calledOf(path: string): string {
  const absolute = resolve(path);
  const name = basename(absolute);
  return /^(?:diffusion_pytorch_)?model\b/.test(name) ? basename(dirname(absolute)) : name;
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
 * The config of a ControlNet: of its UNet half from what is given, its config.json or its tensors, of the rest from
 * these and its tensors; and what was chosen for the user.
 *
 * @throws SlothfulError `bad-checkpoint` or `unsupported`, naming the field
 */
export function controlNetConfig(
  checkpoint: Checkpoint,
  tensors: Shapes,
  { config: given, globalPool }: AskedControlNet,
): { config: ControlNetConfig; notes: string[] } {
  const own = ownConfig(checkpoint, tensors, given);
  const config = {
    ...{ ...own, ...hintWidths(tensors, checkpoint.path) },
    globalPool: globalPool ?? own.globalPool,
  };
  const isGuessed = config.globalPool && globalPool === undefined && (given ?? checkpoint.config) === undefined;
  const notes = isGuessed
    ? [
        'is called "shuffle": its residuals are averaged over the picture, as global_pool_conditions of a config says; --no-global-pool leaves them as they are',
      ]
    : [];
  return { config, notes };
}
