import { SlothfulError } from '../../errors.ts';
import type { SchedulerSettings } from './settings.ts';

/**
 * The timesteps of a run, noisiest first, as diffusers spaces them.
 *
 * `leading`: `k floor(T / n) + steps_offset`; `trailing`: `round(T - k T / n) - 1`; `linspace`: even from T - 1 to 0.
 * One step of linspace starts at the noisy end (diffusers starts it at timestep 0, where no noise is left to remove).
 *
 * @param fractional linspace may fall between two timesteps (Euler kin); otherwise it is rounded
 * @throws SlothfulError `bad-parameter` where the timesteps would leave the training schedule
 */
export function spacedTimesteps(config: SchedulerSettings, steps: number, fractional: boolean): number[] {
  const { timestep_spacing: spacing, num_train_timesteps: train } = config;
  checkSteps(steps, train);
  if (spacing === 'leading') return leading(config, steps, steps);
  if (spacing === 'trailing') return trailing(train, steps);
  const spaced = linspaced(train, steps, steps - 1);
  return spaced.map(fractional ? Math.fround : roundHalfEven);
}

/**
 * The timesteps of DPM++ 2M: those of a run that is one step longer, less the lowest (trailing: as for others).
 *
 * @throws SlothfulError `bad-parameter` where the timesteps would leave the training schedule
 */
export function solverTimesteps(config: SchedulerSettings, steps: number): number[] {
  const { timestep_spacing: spacing, num_train_timesteps: train } = config;
  // With as many steps as the training had, two of them would fall on one timestep and their distance divide by zero.
  checkSteps(steps, train - 1);
  if (spacing === 'trailing') return trailing(train, steps);
  if (spacing === 'linspace') return linspaced(train, steps, steps).map(roundHalfEven);
  return leading(config, steps, steps + 1);
}

/** @throws SlothfulError `bad-parameter` where `steps` is not an integer from 1 to `most` */
export function checkSteps(steps: number, most: number): void {
  if (Number.isInteger(steps) && steps >= 1 && steps <= most) return;
  throw new SlothfulError('bad-parameter', 'steps', `must be an integer from 1 to ${most}, got ${steps}`);
}

function leading(config: SchedulerSettings, steps: number, parts: number): number[] {
  const { num_train_timesteps: train, steps_offset: offset } = config;
  const ratio = Math.floor(train / parts);
  const timesteps = descending(steps, (k) => (k + parts - steps) * ratio + offset);
  const first = timesteps[0] ?? 0;
  if (first < train) return timesteps;
  const problem = `${steps} steps of leading spacing with steps_offset ${offset} start at timestep ${first}`;
  throw new SlothfulError('bad-parameter', 'steps', `${problem}, past the last, ${train - 1}`, 'take fewer steps');
}

function trailing(train: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, k) => roundHalfEven(train - k * (train / steps)) - 1);
}

/** The `steps` highest of `intervals + 1` even points from 0 to the last timestep. */
function linspaced(train: number, steps: number, intervals: number): number[] {
  if (intervals === 0) return [train - 1];
  return descending(steps, (k) => (k + intervals + 1 - steps) * ((train - 1) / intervals));
}

function descending(steps: number, value: (k: number) => number): number[] {
  return Array.from({ length: steps }, (_, index) => value(steps - 1 - index));
}

/** numpy's rounding: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
