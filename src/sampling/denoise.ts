import { SlothfulError } from '../errors.ts';
import type { PassChanges, SlothfulOptions } from '../passes/index.ts';
import type { SiteRecord } from '../runtime/index.ts';
import { betweenSteps } from './between-steps.ts';
import { batchConditioning, type Conditioning, doubled, guided } from './conditioning.ts';
import { type DenoisingModel, evaluate } from './evaluate.ts';
import { type GivenNoise, type NoiseSource, noiseSource } from './noise.ts';
import type { Scheduler } from './schedulers/index.ts';
import { checkStart, type DenoiseStart, firstSample, firstStep, keepImage } from './start.ts';
import type { Values } from './values.ts';

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

/** A step that is done. */
export interface DenoiseStep extends StepFacts {
  /** The latents after the step, [batch, height, width, channels] as the converted models have them. */
  readonly latents: Float32Array;
  /** What the model takes the finished latents to be, same layout. */
  readonly predictedOriginal: Float32Array;
  /** Every patched self-attention with its K/V tokens; empty for a model that is not patched. */
  readonly sites: readonly SiteRecord[];
  /** The parameters that `control` gave for this step. */
  readonly parameters?: SlothfulOptions | undefined;
  readonly milliseconds: number;
}

export interface DenoiseOptions {
  readonly unet: DenoisingModel;
  readonly scheduler: Scheduler;
  readonly cond: Conditioning;
  /** Needed where `guidanceScale` is above 1. */
  readonly uncond?: Conditioning | undefined;
  /** Classifier-free guidance; at 1 (the default) or less the unconditional half is not computed. */
  readonly guidanceScale?: number | undefined;
  /** Size in latent pixels. */
  readonly height: number;
  readonly width: number;
  /** Default 4. */
  readonly channels?: number | undefined;
  /** How many images at once, default 1. Image i is the picture of seed + i. */
  readonly batch?: number | undefined;
  /** 0 (the default) to 2^53 - 1. */
  readonly seed?: number | undefined;
  /** In the place of a seed. */
  readonly noise?: GivenNoise | undefined;
  /** Begin from an image in the place of noise alone, and perhaps keep a part of it. */
  readonly start?: DenoiseStart | undefined;
  /** Parameters of a step, over those that are set in the model. */
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

/**
 * Denoises step by step: `for await (const step of denoise({...}))`. The last step's `latents` are the result.
 *
 * All arithmetic but the model's own is done on plain numbers, so that a seed means the same on every backend. Between
 * steps no tensor is held: leave the loop whenever you like.
 *
 * @throws SlothfulError `aborted` where the signal stopped it; `bad-input` or `bad-parameter` for options that do not
 *   fit each other or the model; `bad-model` naming the step where the model answers NaN
 */
export async function* denoise(options: DenoiseOptions): AsyncGenerator<DenoiseStep, void, undefined> {
  const run = prepare(options);
  const { scheduler, onPreview, previewEvery = 1 } = options;
  const { first } = run;
  const steps = scheduler.timesteps.length - first;
  let sample = firstSample(scheduler, options.start, first, run.initial);
  let previousOriginal: Float32Array | undefined;
  for (const [index, timestep] of scheduler.timesteps.slice(first).entries()) {
    await betweenSteps(options.signal, 'denoise', { done: index, total: steps, unit: 'steps' });
    const facts = { index, steps, timestep, sigma: scheduler.sigmas[first + index] ?? 0 };
    const done = await runStep(options, run, facts, sample, previousOriginal);
    sample = done.latents;
    previousOriginal = done.predictedOriginal;
    if ((index + 1) % previewEvery === 0 || index === steps - 1) await onPreview?.(done);
    yield done;
  }
}

/** What all steps of a run share. */
interface Run {
  readonly shape: readonly [number, number, number, number];
  /** Which of the scheduler's steps is done first. */
  readonly first: number;
  /** What it begins with, standard normal. */
  readonly initial: Float32Array;
  readonly guidanceScale: number | undefined;
  readonly conditioning: ReadonlyMap<string, Values>;
  readonly noise: NoiseSource;
}

function prepare(options: DenoiseOptions): Run {
  const { height, width, channels = 4, batch = 1, guidanceScale = 1, cond, uncond, previewEvery = 1 } = options;
  for (const [name, value] of Object.entries({ height, width, channels, batch, previewEvery })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new SlothfulError('bad-parameter', name, `must be an integer from 1, got ${value}`);
  }
  if (!Number.isFinite(guidanceScale)) {
    throw new SlothfulError('bad-parameter', 'guidanceScale', `must be a finite number, got ${guidanceScale}`);
  }
  const twice = guidanceScale > 1;
  if (twice && !uncond) {
    const problem = `${guidanceScale} needs the unconditional half`;
    throw new SlothfulError('bad-input', 'guidanceScale', problem, 'give uncond, or a guidanceScale of 1');
  }
  const shape = [batch, height, width, channels] as const;
  if (options.start) checkStart(options.start, shape);
  const noise = noiseSource(height * width * channels, batch, options.seed ?? 0, options.noise);
  return {
    shape,
    first: firstStep(options.scheduler.timesteps.length, options.start?.strength),
    initial: noise.initial(),
    guidanceScale: twice ? guidanceScale : undefined,
    conditioning: batchConditioning(cond, twice ? uncond : undefined, batch),
    noise,
  };
}

async function runStep(
  options: DenoiseOptions,
  run: Run,
  facts: StepFacts,
  sample: Float32Array,
  previousOriginal: Float32Array | undefined,
): Promise<DenoiseStep> {
  const { unet, scheduler, control, passes, slothful, start } = options;
  const { index, timestep, sigma } = facts;
  const step = run.first + index;
  const began = performance.now();
  const parameters = control?.(facts);
  const scaled = { shape: run.shape, data: scheduler.scaleInput(sample, step) };
  const request = {
    timestep,
    sample: run.guidanceScale === undefined ? scaled : doubled(scaled),
    conditioning: run.conditioning,
    options: { sigma, parameters, passes, slothful, stepIndex: index },
  };
  const place = `step ${index} (timestep ${timestep})`;
  const { output, sites } = await evaluate(unet, request, place);
  const modelOutput = run.guidanceScale === undefined ? output : guided(output, run.guidanceScale);
  const noise = scheduler.needsNoise(step) ? run.noise.step(step) : undefined;
  const { sample: next, predictedOriginal } = scheduler.step(step, { modelOutput, sample, noise, previousOriginal });
  const kept = { sample: next, noise: run.initial, channels: run.shape[3] };
  const latents = start ? keepImage(scheduler, start, step, kept) : next;
  const milliseconds = performance.now() - began;
  return { ...facts, latents, predictedOriginal, sites, parameters, milliseconds };
}
