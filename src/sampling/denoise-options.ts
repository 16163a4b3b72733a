import type { PassChanges, SlothfulOptions } from '../passes/index.ts';
import type { SiteRecord } from '../runtime/index.ts';
import type { BesideSample } from './beside.ts';
import type { Conditioning } from './conditioning.ts';
import type { DenoisingModel } from './evaluate.ts';
import type { GivenNoise, Seed } from './noise/index.ts';
import type { RunScheduler } from './run-scheduler.ts';
import type { Rng } from './run-settings.ts';
import type { DenoiseStart } from './start.ts';

/** Where a run stands as a step begins. */
export interface StepFacts {
  /** From 0. */
  readonly index: number;
  /** How many steps the run does: of one that starts from an image, not all of its schedule's. */
  readonly steps: number;
  readonly timestep: number;
  /** The noise level of this step; the strides go by it. */
  readonly sigma: number;
}

/** What one evaluation of the model in a step did. */
export interface EvaluatedCall {
  readonly timestep: number;
  /** The noise level that it was made at: samplers of the second order make one between two steps. */
  readonly sigma: number;
  /** Every patched self-attention with its K/V tokens; empty for a model that is not patched. */
  readonly sites: readonly SiteRecord[];
  /** Whether parts of the model were left out, as passes such as DeepCache do. */
  readonly reused?: boolean | undefined;
  /** The parameters that `control` gave for it. */
  readonly parameters?: SlothfulOptions | undefined;
}

/** A step that is done. */
export interface DenoiseStep extends StepFacts {
  /** The latents after the step, [batch, height, width, channels] as the converted models have them. */
  readonly latents: Float32Array;
  /** What the model takes the finished latents to be, same layout. */
  readonly predictedOriginal: Float32Array;
  /** What the model was asked, the first at the step's own noise level. */
  readonly calls: readonly EvaluatedCall[];
  /** Those of the first call. */
  readonly sites: readonly SiteRecord[];
  readonly parameters?: SlothfulOptions | undefined;
  readonly milliseconds: number;
}

export interface DenoiseOptions {
  readonly unet: DenoisingModel;
  /** Of `makeScheduler`, `makeSolver` or `schedulerOfSettings`. */
  readonly scheduler: RunScheduler;
  readonly cond: Conditioning;
  /** Needed where `guidanceScale` is above 1; by ComfyUI's definitions where it is not 1. */
  readonly uncond?: Conditioning | undefined;
  /** Classifier-free guidance; at 1 (the default) or less the unconditional half is not computed. */
  readonly guidanceScale?: number | undefined;
  /** Of a run that changes an image by an instruction: how much the image counts. Its channels are in `beside` then. */
  readonly imageGuidanceScale?: number | undefined;
  /** What the model takes behind the sample's own channels: not part of what is denoised. */
  readonly beside?: BesideSample | undefined;
  /** Size in latent pixels. */
  readonly height: number;
  readonly width: number;
  /** Default 4. */
  readonly channels?: number | undefined;
  /** How many images at once, default 1. Image i is the picture of seed + i. */
  readonly batch?: number | undefined;
  /** 0 (the default) to 2^53 - 1; of other programs' noise to 2^64 - 1, as a bigint. */
  readonly seed?: Seed | undefined;
  /** Whose noise the seed means; default: slothful. */
  readonly rng?: Rng | undefined;
  /** The rng of ComfyUI: which pictures of a larger batch these are. */
  readonly batchIndex?: readonly number[] | undefined;
  /** In the place of a seed. */
  readonly noise?: GivenNoise | undefined;
  /** Begin from an image in the place of noise alone, and perhaps keep a part of it. */
  readonly start?: DenoiseStart | undefined;
  /** Add noise to what it starts from; default true. */
  readonly addNoise?: boolean | undefined;
  /** Parameters of a call of the model, over those that are set in the model. */
  readonly control?: ((step: StepFacts) => SlothfulOptions | undefined) | undefined;
  /** Parameters of other passes by name, for all steps; `false` turns one off. */
  readonly passes?: PassChanges | undefined;
  /** `false`: as the unpatched model does, for comparison. */
  readonly slothful?: false | undefined;
  /** Called, and waited for, after every `previewEvery` steps and the last. */
  readonly onPreview?: ((step: DenoiseStep) => void | Promise<void>) | undefined;
  /** Default 1. */
  readonly previewEvery?: number | undefined;
  /** Stops the run between two steps. */
  readonly signal?: AbortSignal | undefined;
}
