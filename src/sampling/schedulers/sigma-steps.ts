import type { SchedulerConfig } from './config.ts';
import { karrasSigmas, timestepOfSigma } from './karras.ts';
import { type TrainingSchedule, trainingSchedule, valueAt } from './schedule.ts';
import { at } from './scheduler.ts';
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
export function eulerSteps(config: SchedulerConfig, steps: number): SigmaSteps {
  const { sigmas } = trainingSchedule(config);
  const timesteps = spacedTimesteps(config, steps, true);
  const levels = timesteps.map((timestep) => valueAt(sigmas, timestep));
  if (config.sigmas === 'normal') return { timesteps, levels: Float32Array.from([...levels, 0]) };
  const spaced = karrasSigmas(at(levels, 0), at(levels, steps - 1), steps);
  const fractional = spaced.map((sigma) => Math.fround(timestepOfSigma(sigma, sigmas)));
  return { timesteps: fractional, levels: Float32Array.from([...spaced, 0]) };
}

/** DPM++ 2M's noise levels. With Karras spacing the range is the whole training's, and timesteps are rounded. */
export function solverSteps(config: SchedulerConfig, steps: number): SigmaSteps {
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
