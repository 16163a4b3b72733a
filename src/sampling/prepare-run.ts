import { SlothfulError } from '../errors.ts';
import { RunMemory } from '../runtime/index.ts';
import { checkBeside } from './beside.ts';
import { batchConditioning } from './conditioning.ts';
import type { DenoiseOptions } from './denoise-options.ts';
import { type Guidance, guidanceOf, toldParts } from './guidance.ts';
import { type NoiseOptions, type NoiseSource, noiseSource } from './noise/index.ts';
import { isSolver } from './run-scheduler.ts';
import { checkStart } from './start.ts';
import type { ImageShape, Values } from './values.ts';

/** What all steps of a run share. */
export interface PreparedRun {
  readonly shape: ImageShape;
  /** Where nothing is guided away from, it has one part, and half of the batch is not computed. */
  readonly guidance: Guidance;
  readonly conditioning: ReadonlyMap<string, Values>;
  readonly noise: NoiseSource;
  /** What the noise is made of, for samplers that need another kind of it. */
  readonly noiseOptions: NoiseOptions;
  /** What passes choose at random by: the run's seed, as far as a number holds it. */
  readonly seed: number;
  /** What passes keep from one call of the model to the next. */
  readonly memory: RunMemory;
  /** What it begins with, standard normal; zeros where no noise is added. */
  readonly initial: Float32Array;
}

/** Checks what a run is asked for. @throws SlothfulError `bad-input` or `bad-parameter` */
export function prepareRun(options: DenoiseOptions): PreparedRun {
  const { height, width, channels = 4, batch = 1, guidanceScale = 1, cond, uncond, previewEvery = 1 } = options;
  for (const [name, value] of Object.entries({ height, width, channels, batch, previewEvery })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new SlothfulError('bad-parameter', name, `must be an integer from 1, got ${value}`);
  }
  const { imageGuidanceScale, beside } = options;
  for (const [name, value] of Object.entries({ guidanceScale, imageGuidanceScale: imageGuidanceScale ?? 1 })) {
    if (Number.isFinite(value)) continue;
    throw new SlothfulError('bad-parameter', name, `must be a finite number, got ${value}`);
  }
  const definitions = isSolver(options.scheduler) ? 'comfyui' : 'diffusers';
  const guidance = guidanceOf(guidanceScale, definitions, {
    imageScale: imageGuidanceScale,
    perturbedScale: perturbedScaleOf(options),
  });
  const told = toldParts(guidance, cond, uncond);
  const shape = [batch, height, width, channels] as const;
  if (options.start) checkStart(options.start, shape);
  if (beside) checkBeside(beside, shape);
  const { seed = 0, rng, noise: given, batchIndex, addNoise = true } = options;
  const noiseOptions = { shape, seed, rng, given, batchIndex };
  const noise = noiseSource(noiseOptions);
  return {
    ...{ shape, noise, noiseOptions, memory: new RunMemory(), seed: Number(BigInt.asUintN(53, BigInt(seed))) },
    initial: addNoise ? noise.initial() : new Float32Array(batch * height * width * channels),
    guidance,
    conditioning: batchConditioning(cond, told, batch),
  };
}

/** By how much the run is steered away from what a pass of the model perturbs; undefined where none does. */
function perturbedScaleOf({ unet, passes, slothful }: DenoiseOptions): Guidance['perturbedScale'] {
  const scaleAt = (timestep: number) => unet.steeringOf?.({ passes, slothful }, timestep);
  return scaleAt(0) === undefined ? undefined : (timestep) => scaleAt(timestep) ?? 0;
}
