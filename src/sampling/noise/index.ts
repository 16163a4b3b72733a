export { type BrownianNoiseOptions, brownianNoise } from './brownian-tree.ts';
export { cudaNoise } from './cuda-noise.ts';
export {
  type BrownianNoise,
  brownianSource,
  type NoiseOptions,
  type NoiseSource,
  noiseSource,
} from './noise-source.ts';
export {
  batchNoise,
  checkSeed,
  type GivenNoise,
  type NoisePurpose,
  normalNoise,
  ownNoiseSeed,
} from './own-noise.ts';
export { parseSeed, type Seed, seedText } from './seed.ts';
export {
  a1111StartNoise,
  comfyuiStartNoise,
  comfyuiStepNoise,
  type LatentShape,
  type StepNoise,
} from './start-noise.ts';
export { type NormalGenerator, torchNoise } from './torch-noise.ts';
