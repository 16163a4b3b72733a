import { SlothfulError } from '../../errors.ts';
import { drawsBatchAtOnce, type Rng } from '../run-settings.ts';
import { channelsLast, checkFinite, concatenate, type ImageShape } from '../values.ts';
import { brownianNoise } from './brownian-tree.ts';
import { cudaNoise } from './cuda-noise.ts';
import { batchNoise, type GivenNoise, ownNoiseSeed } from './own-noise.ts';
import { parseSeed, type Seed } from './seed.ts';
import { a1111StartNoise, comfyuiStartNoise, comfyuiStepNoise } from './start-noise.ts';

/** Where a run takes its noise from: standard normal values, [batch, height, width, channels]. */
export interface NoiseSource {
  /** What it begins with; the same each time. */
  initial(): Float32Array;
  /** Fresh noise for a step, by its index. What other programs draw depends on the order of the calls. */
  step(index: number): Float32Array;
}

/** Noise for the way from one noise level to a lower one. */
export type BrownianNoise = (sigma: number, next: number) => Float32Array;

/** What noise is made of. */
export interface NoiseOptions {
  readonly shape: ImageShape;
  readonly seed: Seed;
  /** Default: slothful. */
  readonly rng?: Rng | undefined;
  /** In the place of the seed's. */
  readonly given?: GivenNoise | undefined;
  /** The rng of ComfyUI: which pictures of a larger batch these are. */
  readonly batchIndex?: readonly number[] | undefined;
}

/**
 * Noise of a seed. `slothful`: image i of the batch is that of seed + i, of a stream that is ours. `comfyui`: one draw of
 * PyTorch's CPU generator for the whole batch, and at the steps another's, seeded with seed + 1; `comfyui-cuda`: the same
 * start, and at the steps CUDA's Philox, as on a graphics card; `comfyui-2025`: as before 26 December 2025, the steps' of
 * the seed itself. `a1111`: CUDA's Philox, a generator of its own for seed + i.
 *
 * @throws SlothfulError `bad-parameter` for an invalid seed
 */
export function noiseSource(options: NoiseOptions): NoiseSource {
  const { shape, rng = 'slothful', given } = options;
  if (given)
    return checkedNoise(
      given,
      shape.reduce((product, size) => product * size),
    );
  if (rng === 'slothful') return ownNoise(options);
  return rng === 'a1111' ? noiseByPicture(options) : comfyuiNoise(options, rng);
}

function ownNoise({ shape: [batch, ...size], seed: asked }: NoiseOptions): NoiseSource {
  const seed = ownNoiseSeed(parseSeed(asked, 'seed'), batch);
  const length = size.reduce((product, each) => product * each);
  return {
    initial: () => batchNoise(length, batch, seed, 'initial'),
    step: (index) => batchNoise(length, batch, seed, 'step', index),
  };
}

/** Where each of ComfyUI's kinds draws the noise of the steps. */
const STEP_NOISE = { comfyui: 'cpu', 'comfyui-2025': 'cpu_before_2026', 'comfyui-cuda': 'cuda' } as const;
type ComfyuiRng = keyof typeof STEP_NOISE;

function comfyuiNoise({ shape, seed: asked, batchIndex }: NoiseOptions, rng: ComfyuiRng): NoiseSource {
  const seed = parseSeed(asked, 'seed');
  const [batch, height, width, channels] = shape;
  const steps = once(() => comfyuiStepNoise(seed, STEP_NOISE[rng]));
  return {
    initial: () => channelsLast(comfyuiStartNoise(seed, [batch, channels, height, width], batchIndex), shape),
    step: () => channelsLast(steps().normal(batch * height * width * channels), shape),
  };
}

/** A1111's: what a picture draws at its steps follows on what it began with. */
function noiseByPicture({ shape, seed: asked }: NoiseOptions): NoiseSource {
  const seed = parseSeed(asked, 'seed');
  const [batch, height, width, channels] = shape;
  const count = height * width * channels;
  const started = once(() => {
    const generators = Array.from({ length: batch }, (_, image) => cudaNoise(seed + BigInt(image)));
    for (const generator of generators) generator.normal(count);
    return generators;
  });
  return {
    initial: () => channelsLast(a1111StartNoise(seed, [batch, channels, height, width], cudaNoise), shape),
    step: () => channelsLast(concatenate(started().map((generator) => generator.normal(count))), shape),
  };
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** What a Brownian motion goes over. */
export interface BrownianLevels {
  /** Smallest and largest noise level of the run. */
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  /** The sampler is one that draws on the card where there is one. */
  readonly onDevice?: boolean | undefined;
}

/**
 * Noise for samplers whose noise of a step must fit that of the steps around it: differences of a Brownian motion, by
 * ComfyUI's tree. `comfyui`: one for the batch; others: one for each picture, of seed + i.
 */
export function brownianSource(
  { shape, seed: asked, rng = 'slothful' }: NoiseOptions,
  { onDevice = false, ...levels }: BrownianLevels,
): BrownianNoise {
  const seed = parseSeed(asked, 'seed');
  const [batch, height, width, channels] = shape;
  const count = height * width * channels;
  const isOne = drawsBatchAtOnce(rng);
  const generatorOf = rng === 'a1111' || (rng === 'comfyui-cuda' && onDevice) ? cudaNoise : undefined;
  const trees = Array.from({ length: isOne ? 1 : batch }, (_, image) => {
    return brownianNoise({ seed: seed + BigInt(image), count: isOne ? batch * count : count, generatorOf, ...levels });
  });
  return (sigma, next) => channelsLast(concatenate(trees.map((tree) => tree(sigma, next))), shape);
}

function checkedNoise(given: GivenNoise, length: number): NoiseSource {
  return {
    initial: () => checked(given.initial, length, 'noise.initial'),
    step: (index) => {
      const place = `noise.step(${index})`;
      if (given.step) return checked(given.step(index), length, place);
      throw new SlothfulError('bad-input', place, 'the sampler needs noise at this step', 'give noise.step, or a seed');
    },
  };
}

function checked(noise: Float32Array, length: number, place: string): Float32Array {
  checkFinite(noise, place);
  if (noise.length === length) return noise;
  throw new SlothfulError('bad-input', place, `has ${noise.length} values, and the latents have ${length}`);
}
