import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import {
  type ControlState,
  type ControlStep,
  controlTable,
  feedsOfPasses,
  type PassHooks,
  rowsOfHook,
  type SlothfulHook,
  sigmaOfTimestep,
} from '../passes/index.ts';

/** What a caller says of a step: a noise level, or a timestep to tell it from. */
export interface StepClues extends Omit<ControlStep, 'sigma'> {
  readonly sigma: number | undefined;
}

/** The hooks of a user's by the passes whose rows they give. */
export function hooksOf(hook: SlothfulHook | undefined): PassHooks {
  return hook ? new Map([['slothful', (step) => rowsOfHook(checked(hook(step), step.sites.length))]]) : new Map();
}

/** Users' hooks may come without type checks. */
function checked(rows: unknown, sites: number) {
  if (Array.isArray(rows)) return rows;
  const problem = `returned no rows but ${typeof rows} for ${sites} sites`;
  throw new SlothfulError('bad-input', 'hook', problem, 'return one row a site');
}

/**
 * The control table of a step as a tensor, [rows, columns].
 *
 * @throws SlothfulError `bad-input` where neither sigma nor timestep is told, or a hook's rows are malformed
 */
export function controlTensor(state: ControlState, clues: StepClues, hooks: PassHooks): tf.Tensor2D {
  const table = controlTable(state, { ...clues, sigma: sigmaOf(clues) }, hooks);
  const columns = state.record.columns.length;
  return tf.tensor2d(table, [table.length / columns, columns]);
}

/**
 * What the passes of a model feed at a step, by the names of its inputs: the control table where passes act on attentions, and
 * the inputs that passes own.
 *
 * @throws SlothfulError as `controlTensor`; `bad-input` where a pass gives what is not for its inputs
 */
export function passFeeds(state: ControlState, clues: StepClues, hooks: PassHooks): tf.NamedTensorMap {
  const table = state.rows > 0 ? { [state.control]: controlTensor(state, clues, hooks) } : {};
  const own = [...feedsOfPasses(state, { ...clues, sigma: sigmaOf(clues) })];
  const fed = own.map(([{ name, shape }, values]) => [name, tf.tensor(values, [...shape])] as const);
  return { ...table, ...Object.fromEntries(fed) };
}

function sigmaOf({ sigma, timestep }: StepClues): number {
  if (sigma !== undefined) {
    if (sigma >= 0) return sigma;
    throw new SlothfulError('bad-input', 'sigma', `must be 0 or more, got ${sigma}`);
  }
  if (timestep !== undefined) return sigmaOfTimestep(timestep);
  const cure = 'give inputs.timestep, or the option sigma, or slothful: false';
  throw new SlothfulError('bad-input', 'predict()', 'the strides need a timestep or a sigma, and none is given', cure);
}
