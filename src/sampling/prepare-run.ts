import { SlothfulError } from '../errors.ts';
import { RunMemory } from '../runtime/index.ts';
import { batchConditioning } from './conditioning.ts';
import type { DenoiseOptions } from './denoise-options.ts';
import { type NoiseOptions, type NoiseSource, noiseSource } from './noise/index.ts';
import { isSolver } from './run-scheduler.ts';
import type { Definitions } from './solver-config.ts';
import { checkStart } from './start.ts';
import type { ImageShape, Values } from './values.ts';

/** What all steps of a run share. */
export interface PreparedRun {
  readonly shape: ImageShape;
  /** Undefined where nothing is guided away from, so that half of the batch is not computed. */
  readonly guidanceScale: number | undefined;
  readonly conditioning: ReadonlyMap<string, Values>;
  readonly noise: NoiseSource;
  /** What the noise is made of, for samplers that need another kind of it. */
  readonly noiseOptions: NoiseOptions;
  /** What passes keep from one call of the model to the next. */
  readonly memory: RunMemory;
  /** What it begins with, standard normal; zeros where no noise is added. */
  readonly initial: Float32Array;
}

/**
 * Whether a run computes what it is guided away from: by diffusers' definitions where the scale is above 1, by ComfyUI's
 * where it is not 1.
 */
export function isGuided(guidanceScale: number, definitions: Definitions): boolean {
  return definitions === 'comfyui' ? guidanceScale !== 1 : guidanceScale > 1;
}

/** Checks what a run is asked for. @throws SlothfulError `bad-input` or `bad-parameter` */
export function prepareRun(options: DenoiseOptions): PreparedRun {
  const { height, width, channels = 4, batch = 1, guidanceScale = 1, cond, uncond, previewEvery = 1 } = options;
  for (const [name, value] of Object.entries({ height, width, channels, batch, previewEvery })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new SlothfulError('bad-parameter', name, `must be an integer from 1, got ${value}`);
  }
  if (!Number.isFinite(guidanceScale)) {
    throw new SlothfulError('bad-parameter', 'guidanceScale', `must be a finite number, got ${guidanceScale}`);
  }
  const twice = isGuided(guidanceScale, isSolver(options.scheduler) ? 'comfyui' : 'diffusers');
  if (twice && !uncond) {
    const problem = `${guidanceScale} needs the unconditional half`;
    throw new SlothfulError('bad-input', 'guidanceScale', problem, 'give uncond, or a guidanceScale of 1');
  }
  const shape = [batch, height, width, channels] as const;
  if (options.start) checkStart(options.start, shape);
  const { seed = 0, rng, noise: given, batchIndex, addNoise = true } = options;
  const noiseOptions = { shape, seed, rng, given, batchIndex };
  const noise = noiseSource(noiseOptions);
  return {
    ...{ shape, noise, noiseOptions, memory: new RunMemory() },
    initial: addNoise ? noise.initial() : new Float32Array(batch * height * width * channels),
    guidanceScale: twice ? guidanceScale : undefined,
    conditioning: batchConditioning(cond, twice ? uncond : undefined, batch),
  };
}
