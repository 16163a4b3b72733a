import type { SchedulerSettings } from '../schedulers/settings.ts';

/** What the noise levels that a model knows are made from, under diffusers' names. */
export type TrainingNoise = Pick<
  SchedulerSettings,
  'beta_schedule' | 'beta_start' | 'beta_end' | 'num_train_timesteps'
>;

/** The noise levels that a model knows. ComfyUI compares logarithms: those of what it holds are kept with it. */
export interface SigmaTable {
  /** Rising. */
  readonly sigmas: Float32Array;
  readonly logSigmas: Float32Array;
}

/**
 * A level for every timestep of the training. ComfyUI takes these in float64 up to the last rounding, diffusers does
 * not: the lowest levels differ by 1e-5 of themselves, which is why this is not `trainingSchedule`.
 *
 * @param zeroTerminal nothing of the picture is left at the last timestep: the node ModelSamplingDiscrete's `zsnr`
 */
export function trainingTable(noise: TrainingNoise, zeroTerminal: boolean): SigmaTable {
  let product = 1;
  const alphasCumprod = betas(noise).map((beta) => {
    product *= 1 - beta;
    return product;
  });
  const exact = (zeroTerminal ? rescaled(alphasCumprod) : alphasCumprod).map((alpha) => Math.sqrt((1 - alpha) / alpha));
  return { sigmas: Float32Array.from(exact), logSigmas: Float32Array.from(exact, Math.log) };
}

function betas({ beta_schedule, beta_start, beta_end, num_train_timesteps: count }: TrainingNoise): Float64Array {
  const power = beta_schedule === 'linear' ? 1 : 2;
  const [from, to] = [beta_start ** (1 / power), beta_end ** (1 / power)];
  return Float64Array.from({ length: count }, (_, index) => (from + ((to - from) * index) / (count - 1)) ** power);
}

/** ComfyUI's share of the picture that is left at the last timestep: none at all would be infinite noise. */
const LAST_ALPHA_CUMPROD = 4.8973451890853435e-8;

/** The schedule stretched until (nearly) nothing of the picture is left at its end (Lin et al. 2023, algorithm 1). */
function rescaled(alphasCumprod: Float64Array): Float64Array {
  const roots = alphasCumprod.map(Math.sqrt);
  const first = roots[0] ?? 1;
  const last = roots[roots.length - 1] ?? 0;
  const alphas = roots.map((root) => ((root - last) * (first / (first - last))) ** 2);
  alphas[alphas.length - 1] = LAST_ALPHA_CUMPROD;
  return alphas;
}

/** Every `stride`th level, of the last of each `stride` timesteps: those that a consistency model was distilled on. */
export function distilledTable({ sigmas: training }: SigmaTable, stride: number): SigmaTable {
  const sigmas = training.filter((_, index) => index % stride === stride - 1);
  return { sigmas, logSigmas: sigmas.map(Math.log) };
}
