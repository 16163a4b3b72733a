import { SlothfulError } from '../../errors.ts';
import { cudaNoise } from './cuda-noise.ts';
import { LARGEST_SEED } from './seed.ts';
import { type NormalGenerator, torchNoise } from './torch-noise.ts';

/** [batch, channels, height, width] of latents. */
export type LatentShape = readonly [batch: number, channels: number, height: number, width: number];

/**
 * The noise that ComfyUI starts a run with, on whatever device it runs: one draw of the whole batch, so pictures of a
 * larger batch differ. Source: comfy.sample.prepare_noise.
 *
 * @param seed 0 to 2^64 - 1
 * @param batchIndex which picture of a batch each one is (LatentFromBatch leaves it); each is then a draw of its own
 * @returns NCHW, flat
 * @throws SlothfulError `bad-parameter` for indices that are not one for each picture
 */
export function comfyuiStartNoise(seed: bigint, shape: LatentShape, batchIndex?: readonly number[]): Float32Array {
  const [batch, channels, height, width] = shape;
  const size = channels * height * width;
  const generator = torchNoise(seed);
  if (!batchIndex) return generator.normal(batch * size);
  checkBatchIndex(batchIndex, batch);
  const noise = new Float32Array(batch * size);
  for (let picture = 0; picture <= Math.max(...batchIndex); picture++) {
    const drawn = generator.normal(size);
    for (const [place, wanted] of batchIndex.entries()) if (wanted === picture) noise.set(drawn, place * size);
  }
  return noise;
}

function checkBatchIndex(batchIndex: readonly number[], batch: number): void {
  if (batchIndex.length === batch && batchIndex.every((index) => Number.isSafeInteger(index) && index >= 0)) return;
  const problem = `must be ${batch} whole numbers from 0, got [${batchIndex.join(', ')}]`;
  throw new SlothfulError('bad-parameter', 'batch_index', problem);
}

/**
 * The noise that A1111 starts a run with: picture i has a generator of its own, of seed + i, so batch size changes no
 * picture. Source: modules/rng.py of A1111's webui.
 *
 * @param seed 0 to 2^64 - 1
 * @param generatorOf `torchNoise` for A1111's random source "CPU", `cudaNoise` for "NV"
 * @returns NCHW, flat
 * @throws SlothfulError `bad-parameter` where the last picture's seed is too large
 */
export function a1111StartNoise(
  seed: bigint,
  [batch, channels, height, width]: LatentShape,
  generatorOf: (seed: bigint) => NormalGenerator,
): Float32Array {
  const size = channels * height * width;
  const noise = new Float32Array(batch * size);
  for (let picture = 0; picture < batch; picture++) {
    noise.set(
      generatorOf(seedAfter(seed, picture, 'in A1111 the pictures of a batch count on')).normal(size),
      picture * size,
    );
  }
  return noise;
}

/** Where ComfyUI drew the noise of the steps. Versions before 26 December 2025 took the seed itself on the CPU too. */
const STEP_NOISES = {
  cpu: (seed: bigint) => torchNoise(seedAfter(seed, 1, 'on the CPU ComfyUI draws the noise of the steps of seed + 1')),
  cpu_before_2026: torchNoise,
  cuda: cudaNoise,
} as const satisfies Record<string, (seed: bigint) => NormalGenerator>;
export type StepNoise = keyof typeof STEP_NOISES;

/**
 * The generator of the noise that ComfyUI's samplers add at their steps (ancestral, lcm, ddpm, ...), a draw of the whole
 * batch each time. Source: default_noise_sampler of comfy.k_diffusion.sampling.
 *
 * @param seed 0 to 2^64 - 1
 * @throws SlothfulError `bad-parameter` for seed 2^64 - 1 on the CPU, where ComfyUI fails too
 */
export function comfyuiStepNoise(seed: bigint, device: StepNoise): NormalGenerator {
  return STEP_NOISES[device](seed);
}

function seedAfter(seed: bigint, steps: number, why: string): bigint {
  const later = seed + BigInt(steps);
  if (later <= LARGEST_SEED) return later;
  const problem = `${seed} has no seed ${steps} after it, and ${why}`;
  throw new SlothfulError('bad-parameter', 'seed', problem, `take ${LARGEST_SEED - BigInt(steps)} or less`);
}
