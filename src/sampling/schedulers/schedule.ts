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
  const trained = betas(config);
  const alphasCumprod = cumulated(config.rescale_betas_zero_snr ? rescaled(cumulated(trained)) : trained);
  // Where nothing of the picture is left the level would be endless: diffusers puts this alpha in its place.
  const sigmas = alphasCumprod.map((alpha) => {
    const least = Math.max(alpha, LEAST_ALPHA);
    return f32(Math.sqrt(f32(f32(1 - least) / least)));
  });
  return { alphasCumprod, sigmas };
}

const LEAST_ALPHA = 2 ** -24;

function cumulated(betas: Float32Array): Float32Array {
  let product = 1;
  return betas.map((beta) => {
    product *= f32(1 - beta);
    return product;
  });
}

/**
 * Betas that end where nothing of the picture is left: square roots of the cumulative alphas, shifted so that the last is
 * 0 and stretched so that the first stays.
 * Source: Lin et al. 2023, algorithm 1; `rescale_zero_terminal_snr` of diffusers.
 */
function rescaled(alphasCumprod: Float32Array): Float32Array {
  const roots = alphasCumprod.map(Math.sqrt);
  const [first = 1, last = 0] = [roots[0], roots.at(-1)];
  const stretch = f32(first / f32(first - last));
  const squares = roots.map((root) => f32(f32(root - last) * stretch) ** 2);
  return squares.map((square, index) => 1 - (index === 0 ? square : f32(square / (squares[index - 1] ?? 1))));
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
