import type { SchedulerSettings } from './settings.ts';

/** The noise that a model was trained with, by timestep. */
export interface TrainingSchedule {
  /** Share of the picture's variance that is left at each timestep. */
  readonly alphasCumprod: Float32Array;
  /** Noise level of each timestep: sqrt((1 - alphaCumprod) / alphaCumprod). */
  readonly sigmas: Float32Array;
}

const f32 = Math.fround;

/**
 * The training noise schedule, rounded to float32 where diffusers' (PyTorch's) is: betas, alphas and sigmas are
 * float32; the running product is kept in float64 and rounded as it is stored.
 */
export function trainingSchedule(config: SchedulerSettings): TrainingSchedule {
  let product = 1;
  const alphasCumprod = betas(config).map((beta) => {
    product *= f32(1 - beta);
    return product;
  });
  const sigmas = alphasCumprod.map((alpha) => f32(Math.sqrt(f32(f32(1 - alpha) / alpha))));
  return { alphasCumprod, sigmas };
}

function betas({ beta_schedule, beta_start, beta_end, num_train_timesteps }: SchedulerSettings): Float32Array {
  if (beta_schedule === 'linear') return linspace(beta_start, beta_end, num_train_timesteps);
  return linspace(Math.sqrt(beta_start), Math.sqrt(beta_end), num_train_timesteps).map((root) => root * root);
}

/** torch.linspace in float32: from both ends towards the middle. */
function linspace(from: number, to: number, count: number): Float32Array {
  const [start, end] = [f32(from), f32(to)];
  const step = f32(f32(end - start) / (count - 1));
  return Float32Array.from({ length: count }, (_, index) =>
    index < count / 2 ? start + f32(step * index) : end - f32(step * (count - 1 - index)),
  );
}

/** A value of the schedule at a timestep that may be fractional: linear between neighbours, the end's beyond the ends. */
export function valueAt(values: Float32Array, timestep: number): number {
  const place = Math.min(Math.max(timestep, 0), values.length - 1);
  const low = values[Math.floor(place)] ?? 0;
  const high = values[Math.ceil(place)] ?? low;
  return low + (high - low) * (place % 1);
}
