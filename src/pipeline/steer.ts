import { canBecomeNodes } from '../attention/index.ts';
import {
  attentionNodes,
  type PassParameters,
  passesOf,
  readSlothfulMetadata,
  SLOTHFUL,
  type SlothfulParameters,
} from '../passes/index.ts';
import {
  type BackendName,
  type ControlNet,
  type LoadProgress,
  loadControlNetOn,
  loadUNetOn,
  type ModelSource,
  type SlothfulHook,
  type TimestepSinusoid,
  type UNet,
} from '../runtime/index.ts';
import {
  around,
  type ControlNetUse,
  type DenoisingModel,
  type Picture,
  type PictureSize,
  type Values,
  withControlNets,
} from '../sampling/index.ts';
import type { OpenedModel } from './open-model.ts';
import { sizedImage } from './sized-image.ts';
import type { PatchInForce } from './step-record.ts';

/** A ControlNet that shall steer a run. */
export interface ControlNetChoice {
  readonly model: ModelSource;
  /** What it is shown; scaled to the size of the run where it has another. */
  readonly image: Picture;
  /** How much it counts, default 1. */
  readonly scale?: number | undefined;
  /** Where the image is from, for notes. */
  readonly place?: string | undefined;
}

/** What steers a run besides what it is told. */
export interface Companions {
  readonly controlNets?: readonly ControlNetChoice[] | undefined;
  /** Patch the ControlNets' own self-attentions too, default false. */
  readonly patchControlNets?: boolean | undefined;
  /** How much the image of an IP-Adapter counts, default 1. */
  readonly ipAdapterScale?: number | undefined;
  /** How the UNet makes an embedding of the timestep, where it takes one and it is not KerasCV's. */
  readonly timestepInput?: TimestepSinusoid | undefined;
}

/** How a model is loaded for runs. */
export interface SteerOptions extends Companions {
  /** Pixels of the pictures. */
  readonly pixels: PictureSize;
  /** Of Slothful Attention: a plain model is patched as it is loaded; undefined: as the model is. */
  readonly parameters?: SlothfulParameters | undefined;
  /** Other passes to put in as the model loads, with their parameters; of those that it has, the parameters. */
  readonly passes?: PassParameters | undefined;
  /** Decides every site's strides before a step, in the place of the parameters. */
  readonly hook?: SlothfulHook | undefined;
  /** Use this one or fail; by default the first that works. */
  readonly backend?: BackendName | undefined;
  /** Told which backend computes, in one line. */
  readonly log?: ((line: string) => void) | undefined;
  /** Told what was chosen for the user, in words. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Told how far the UNet's weights are, in bytes. */
  readonly onProgress?: LoadProgress | undefined;
}

/** A UNet that is loaded, and what runs are made with. */
export interface SteeredUNet {
  readonly unet: UNet;
  /** The UNet with its ControlNets and the scale of its image around it: what `executeRun` takes. */
  readonly model: DenoisingModel;
  /** For `executeRun`; undefined where no pass acts: without parameters, and where the model is not patched. */
  patchWith(parameters: SlothfulParameters | undefined, passes?: PassParameters): PatchInForce | undefined;
  /** Frees all weights. */
  dispose(): void;
}

/**
 * Loads an opened model, and everything that steers it.
 *
 * @throws SlothfulError as `loadUNet` and `loadControlNet`; nothing stays loaded then
 */
export async function steer(model: OpenedModel, options: SteerOptions): Promise<SteeredUNet> {
  const { controlNets = [], parameters, passes = {}, hook, backend, timestepInput, log, onProgress } = options;
  const unet = await loadUNetOn(model.platform, model.file.store, {
    ...{ backend, timestepInput, log, onProgress, hook, slothful: parameters, controlNet: controlNets.length > 0 },
    // The result is the same, and logits of all heads at once are never held.
    passes: [...(canBecomeNodes(model.graph) ? [attentionNodes()] : []), ...passesOf(passes)],
  });
  const loaded: { dispose(): void }[] = [unet];
  const dispose = () => {
    for (const each of loaded) each.dispose();
  };
  try {
    const uses: ControlNetUse[] = [];
    for (const choice of controlNets) {
      const controlNet = await loadControlNetFor(model, choice, options);
      loaded.push(controlNet);
      const conditionalOnly = controlNet.metadata.global_pool_conditions === true;
      uses.push({ controlNet, image: controlImage(choice, options), scale: choice.scale, conditionalOnly });
    }
    const metadata = readSlothfulMetadata(unet.metadata);
    return {
      unet,
      model: withScale(uses.length ? withControlNets(unet, uses) : unet, options.ipAdapterScale),
      patchWith: (own, others = {}) => {
        const isActing = (metadata && own) || Object.keys(others).length > 0;
        const idle = Object.keys(unet.passes).filter((name) => name !== SLOTHFUL.name && !(name in others));
        return isActing ? { metadata, parameters: own, passes: others, idle } : undefined;
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function loadControlNetFor(
  { platform }: OpenedModel,
  { model }: ControlNetChoice,
  { patchControlNets = false, parameters, backend }: SteerOptions,
): Promise<ControlNet> {
  return loadControlNetOn(platform, model, { backend, slothful: patchControlNets ? (parameters ?? true) : undefined });
}

/** A picture as [1, height, width, 3] in 0..1, over black where it is transparent; scaled where its size is another. */
function controlImage({ image, place = 'the control image' }: ControlNetChoice, options: SteerOptions): Values {
  const picture = sizedImage({ image, place }, options.pixels, options.onNote);
  return { shape: picture.shape, data: picture.data.map((value) => (value + 1) / 2) };
}

function withScale(model: DenoisingModel, scale: number | undefined): DenoisingModel {
  if (scale === undefined) return model;
  return around(model, (inputs, options) => model.predict({ ...inputs, ip_adapter_scale: scale }, options));
}
