import { type TrainingSchedule, trainingSchedule, valueAt } from './schedule.ts';
import { at } from './scheduler.ts';
import type { SchedulerSettings } from './settings.ts';
import { checkSteps, roundHalfEven, solverTimesteps, spacedTimesteps } from './spacing.ts';

/** The noise levels that a run visits. */
export interface SigmaSteps {
  readonly timesteps: readonly number[];
  /** One more than timesteps: the last is 0, where the run ends. */
  readonly levels: Float32Array;
}

/**
 * Euler's noise levels. With Karras spacing the range is that of the timesteps that normal spacing selects, and the
 * timesteps stay fractional, as diffusers has it.
 */
export function eulerSteps(config: SchedulerSettings, steps: number): SigmaSteps {
  const { sigmas } = trainingSchedule(config);
  const timesteps = spacedTimesteps(config, steps, true);
  const levels = timesteps.map((timestep) => valueAt(sigmas, timestep));
  if (config.sigmas === 'normal') return { timesteps, levels: Float32Array.from([...levels, 0]) };
  const spaced = karrasSigmas(at(levels, 0), at(levels, steps - 1), steps);
  const fractional = spaced.map((sigma) => Math.fround(timestepOfSigma(sigma, sigmas)));
  return { timesteps: fractional, levels: Float32Array.from([...spaced, 0]) };
}

/** DPM++ 2M's noise levels. With Karras spacing the range is the whole training's, and timesteps are rounded. */
export function solverSteps(config: SchedulerSettings, steps: number): SigmaSteps {
  const schedule = trainingSchedule(config);
  if (config.sigmas === 'karras') return solverKarras(schedule, steps);
  const timesteps = solverTimesteps(config, steps);
  return { timesteps, levels: Float32Array.from([...timesteps.map((timestep) => at(schedule.sigmas, timestep)), 0]) };
}

function solverKarras({ sigmas }: TrainingSchedule, steps: number): SigmaSteps {
  checkSteps(steps, sigmas.length - 1);
  const levels = karrasSigmas(at(sigmas, sigmas.length - 1), at(sigmas, 0), steps);
  const timesteps = levels.map((sigma) => roundHalfEven(timestepOfSigma(sigma, sigmas)));
  return { timesteps, levels: Float32Array.from([...levels, 0]) };
}

const RHO = 7;

/**
 * Noise levels from `max` to `min` as Karras et al. 2022 (equation 5, rho 7) space them.
 *
 * @param steps how many; one step is at `max`
 */
function karrasSigmas(max: number, min: number, steps: number): number[] {
  const from = max ** (1 / RHO);
  const to = min ** (1 / RHO);
  return Array.from({ length: steps }, (_, index) => (from + (index / Math.max(steps - 1, 1)) * (to - from)) ** RHO);
}

/**
 * The fractional timestep of a noise level: linear in the logarithm of sigma, the end's beyond the ends.
 *
 * @param sigmas of the training schedule, rising
 */
function timestepOfSigma(sigma: number, sigmas: Float32Array): number {
  const above = sigmas.findIndex((level) => Math.log(level) > Math.log(sigma));
  const last = sigmas.length - 2;
  const low = above < 0 ? last : Math.min(Math.max(above - 1, 0), last);
  const logLow = Math.log(sigmas[low] ?? sigma);
  const logHigh = Math.log(sigmas[low + 1] ?? sigma);
  const weight = (logLow - Math.log(sigma)) / (logLow - logHigh);
  return low + Math.min(Math.max(weight, 0), 1);
}
