import { readFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs-core';
import type { Argv } from 'yargs';
import { messageOf, SlothfulError } from '../../errors.ts';
import { loadControlNet } from '../../node.ts';
import type { SlothfulOptions } from '../../passes/slothful/index.ts';
import { decodePng } from '../../pictures/index.ts';
import type { RunConditioning } from '../../pipeline/index.ts';
import type { BackendName, ControlNet } from '../../runtime/index.ts';
import { type ControlNetUse, type DenoisingModel, type Values, withControlNets } from '../../sampling/index.ts';
import { readTensorValues } from '../files/tensor-file.ts';

const GROUP = 'Companions:';

/** The flags that say what else steers a run. */
export interface CompanionArguments {
  readonly controlnet?: readonly string[] | undefined;
  readonly controlImage?: readonly string[] | undefined;
  readonly controlScale?: readonly number[] | undefined;
  readonly controlSlothful?: boolean | undefined;
  readonly imageEmbeds?: string | undefined;
  readonly ipAdapterScale?: number | undefined;
}

/** Adds the flags of ControlNets and IP-Adapters. */
export function withCompanionFlags<T>(cli: Argv<T>) {
  const several = { array: true, nargs: 1, group: GROUP } as const;
  return cli
    .option('controlnet', { type: 'string', ...several, describe: 'a converted ControlNet; repeatable' })
    .option('control-image', { type: 'string', ...several, describe: 'its PNG, one for each --controlnet' })
    .option('control-scale', { type: 'number', ...several, describe: 'how much it counts, default 1' })
    .option('control-slothful', { type: 'boolean', group: GROUP, describe: 'patch the ControlNets themselves too' })
    .option('image-embeds', {
      type: 'string',
      group: GROUP,
      describe: "safetensors with the IP-Adapter's image_embeds",
    })
    .option('ip-adapter-scale', { type: 'number', group: GROUP, describe: 'how much its image counts, default 1' });
}

/** ControlNets that are loaded, and the model that they steer. */
export interface SteeredModel {
  readonly model: DenoisingModel;
  dispose(): void;
}

/**
 * Puts the companions of a command line around a UNet that was loaded with `controlNet: true`.
 *
 * @param size pixels of the picture: control images are scaled to it
 * @throws SlothfulError `usage`, `io`, `bad-input`, `bad-model`
 */
export async function steer(
  unet: DenoisingModel,
  argv: CompanionArguments & { backend?: BackendName | undefined },
  size: { width: number; height: number },
  parameters: SlothfulOptions | undefined,
): Promise<SteeredModel> {
  const { controlnet = [], controlImage = [], controlScale = [], controlSlothful = false } = argv;
  checkCounts(controlnet, controlImage, controlScale);
  const loaded: ControlNet[] = [];
  const dispose = () => {
    for (const controlNet of loaded) controlNet.dispose();
  };
  try {
    const uses: ControlNetUse[] = [];
    for (const [index, path] of controlnet.entries()) {
      const slothful = controlSlothful ? (parameters ?? true) : undefined;
      const controlNet = await loadControlNet(path, { backend: argv.backend, slothful });
      loaded.push(controlNet);
      uses.push({
        controlNet,
        image: await readControlImage(controlImage[index] ?? '', size),
        scale: controlScale[index],
      });
    }
    return { model: withScale(uses.length ? withControlNets(unet, uses) : unet, argv.ipAdapterScale), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function checkCounts(nets: readonly string[], images: readonly string[], scales: readonly number[]): void {
  if (images.length !== nets.length) {
    const problem = `is given ${images.length} times for ${nets.length} ControlNets`;
    throw new SlothfulError('usage', '--control-image', problem, 'give one for each --controlnet, in their order');
  }
  if (scales.length > nets.length || scales.some((scale) => !Number.isFinite(scale))) {
    throw new SlothfulError(
      'usage',
      '--control-scale',
      'needs a number for each --controlnet',
      'give as many, or none',
    );
  }
}

/** A PNG as [1, height, width, 3] in 0..1, over black where it is transparent; scaled where its size is another. */
async function readControlImage(path: string, { width, height }: { width: number; height: number }): Promise<Values> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path');
  });
  const picture = decodePng(bytes, path);
  const isSame = picture.width === width && picture.height === height;
  if (!isSame) console.error(`note: ${path} is ${picture.width}x${picture.height}: scaled to ${width}x${height}`);
  const data = tf.tidy(() => {
    const rgba = tf.tensor(Float32Array.from(picture.rgba), [1, picture.height, picture.width, 4]);
    const [colour, alpha] = tf.split(rgba, [3, 1], 3);
    if (!colour || !alpha) throw new SlothfulError('bug', path, 'has no channels');
    const rgb: tf.Tensor4D = tf.div(tf.mul(colour, alpha), 255 * 255);
    return Float32Array.from((isSame ? rgb : tf.image.resizeBilinear(rgb, [height, width])).dataSync());
  });
  return { shape: [1, height, width, 3], data };
}

function withScale(model: DenoisingModel, scale: number | undefined): DenoisingModel {
  if (scale === undefined) return model;
  return { predict: (inputs, options) => model.predict({ ...inputs, ip_adapter_scale: scale }, options) };
}

/**
 * Reads an IP-Adapter's image, to be added to what runs are told. What they are guided away from is
 * `negative_image_embeds`, or zeros as diffusers takes them.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-input`
 */
export async function readImageEmbeds(
  path: string | undefined,
): Promise<(conditioning: RunConditioning) => RunConditioning> {
  if (path === undefined) return (conditioning) => conditioning;
  const tensors = await readTensorValues(path);
  const image_embeds = tensors.get('image_embeds');
  if (!image_embeds) throw new SlothfulError('bad-input', path, 'has no tensor "image_embeds"', 'name it so');
  const { shape, data } = image_embeds;
  const away = tensors.get('negative_image_embeds') ?? { shape, data: new Float32Array(data.length) };
  return ({ cond, uncond }) => {
    return { cond: { ...cond, image_embeds }, uncond: uncond && { ...uncond, image_embeds: away } };
  };
}
