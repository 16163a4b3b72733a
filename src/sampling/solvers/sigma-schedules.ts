import { SlothfulError } from '../../errors.ts';
import { betaQuantile } from './beta-quantile.ts';
import type { ModelSampling } from './model-sampling.ts';

/** The noise levels of a whole run, falling; the last is 0. Some give more or fewer than were asked for. */
type Schedule = (model: ModelSampling, steps: number) => number[];

const f32 = Math.fround;

/** ComfyUI's schedulers. What torch does to tensors is rounded to float32, what Python does is not. */
const SCHEDULES = {
  normal: (model, steps) => [...timesteps(model, steps).map(model.sigma), 0],
  karras: ({ sigmaMin, sigmaMax }, steps) => [...karras(sigmaMin, sigmaMax, steps), 0],
  exponential: ({ sigmaMin, sigmaMax }, steps) => [
    ...linspace(Math.log(sigmaMax), Math.log(sigmaMin), steps).map(Math.exp),
    0,
  ],
  sgm_uniform: (model, steps) => [
    ...timesteps(model, steps + 1)
      .slice(0, -1)
      .map(model.sigma),
    0,
  ],
  simple: ({ sigmas }, steps) => [
    ...rows(steps, (step) => sigmas.at(-1 - Math.trunc(step * (sigmas.length / steps))) ?? 0),
    0,
  ],
  ddim_uniform: ({ sigmas }, steps) => {
    const stride = Math.max(1, Math.floor(sigmas.length / steps));
    return [...sigmas.filter((_, row) => row > 0 && (row - 1) % stride === 0).reverse(), 0];
  },
  beta: ({ sigmas }, steps) => {
    const wanted = rows(steps, (step) => Math.round(betaQuantile(1 - step / steps) * (sigmas.length - 1)));
    return [...[...new Set(wanted)].map((row) => sigmas[row] ?? 0), 0];
  },
  linear_quadratic: ({ sigmaMax }, steps) => linearQuadratic(steps).map((done) => f32(f32(1 - done) * sigmaMax)),
  kl_optimal: ({ sigmaMin, sigmaMax }, steps) => [...klOptimal(sigmaMin, sigmaMax, steps), 0],
} as const satisfies Readonly<Record<string, Schedule>>;

/** ComfyUI's name of a way to space noise levels. */
export type SigmaScheduleComfyUI = keyof typeof SCHEDULES;

const isSchedule = (name: string): name is SigmaScheduleComfyUI => Object.hasOwn(SCHEDULES, name);

/** The names of ComfyUI's schedulers: how noise levels are spaced. */
export const SIGMA_SCHEDULES_COMFYUI: readonly SigmaScheduleComfyUI[] = Object.keys(SCHEDULES).filter(isSchedule);

/**
 * The noise levels of a whole run as ComfyUI's `calculate_sigmas` has them.
 *
 * @throws SlothfulError `bad-parameter` where the schedule has no levels for so few steps
 */
export function scheduledSigmas(model: ModelSampling, schedule: SigmaScheduleComfyUI, steps: number): Float32Array {
  return Float32Array.from(SCHEDULES[schedule](model, steps));
}

function rows(count: number, value: (index: number) => number): number[] {
  return Array.from({ length: count }, (_, index) => value(index));
}

/** torch.linspace in float32: from both ends towards the middle. */
function linspace(from: number, to: number, count: number): number[] {
  const [start, end] = [f32(from), f32(to)];
  const step = f32(f32(end - start) / (count - 1));
  if (count === 1) return [start];
  // Multiplied and added with one rounding, as torch's kernels are compiled: Brownian noise hangs on the last digit.
  return rows(count, (index) =>
    f32(index < Math.floor(count / 2) ? start + step * index : end - step * (count - 1 - index)),
  );
}

function timesteps({ timestep, sigmaMin, sigmaMax }: ModelSampling, count: number): number[] {
  return linspace(timestep(sigmaMax), timestep(sigmaMin), count);
}

const RHO = 7;

/** Karras et al. 2022, equation 5. */
function karras(sigmaMin: number, sigmaMax: number, steps: number): number[] {
  const from = sigmaMax ** (1 / RHO);
  const reach = f32(sigmaMin ** (1 / RHO) - from);
  return linspace(0, 1, steps).map((ramp) => f32(f32(f32(from) + f32(ramp * reach)) ** RHO));
}

/** How much of the noise the linear half of linear_quadratic takes away. */
const LINEAR_SHARE = 0.025;

/** The share of the noise that is gone at each level: slowly, then ever faster (Movie Gen, Polyak et al. 2024). */
function linearQuadratic(steps: number): number[] {
  if (steps === 1) return [0, 1];
  const linear = Math.floor(steps / 2);
  const square = (linear - LINEAR_SHARE * steps) / (linear * (steps - linear) ** 2);
  const slope = LINEAR_SHARE / linear - 2 * square * linear;
  const done = rows(steps, (step) =>
    step < linear ? (step * LINEAR_SHARE) / linear : square * step ** 2 + slope * step + square * linear ** 2,
  );
  return [...done, 1];
}

/** Sabour et al. 2024 ("Align Your Steps"), the schedule that is best for a single Gaussian. */
function klOptimal(sigmaMin: number, sigmaMax: number, steps: number): number[] {
  if (steps === 1) {
    const cure = 'take two steps or another schedule';
    throw new SlothfulError('bad-parameter', 'steps', 'kl_optimal has no noise level for a single step', cure);
  }
  const [low, high] = [f32(Math.atan(sigmaMin)), f32(Math.atan(sigmaMax))];
  return rows(steps, (step) => {
    const ramp = f32(step / (steps - 1));
    return f32(Math.tan(f32(f32(ramp * low) + f32(f32(1 - ramp) * high))));
  });
}
