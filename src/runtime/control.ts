import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import {
  CONTROL_COLUMNS,
  encodeControl,
  parseParameters,
  type SlothfulMetadata,
  type SlothfulOptions,
  sigmaOfTimestep,
} from '../passes/slothful/index.ts';
import type { HookStep, SlothfulHook } from './hook.ts';

/** What a patched model is run by: its sites, and the parameters in force. */
export interface ControlState {
  readonly metadata: SlothfulMetadata;
}

/** What a caller says of a step. */
export interface StepFacts extends Pick<HookStep, 'timestep' | 'latent' | 'stepIndex'> {
  readonly sigma: number | undefined;
}

/**
 * A state with parameters changed: those that are not named stay as they are.
 *
 * @throws SlothfulError `bad-parameter`
 */
export function changeParameters({ metadata }: ControlState, changes: SlothfulOptions): ControlState {
  const parameters = parseParameters({ ...metadata.parameters, ...changes }, 'parameters');
  return { metadata: { ...metadata, parameters } };
}

/**
 * The control table of a step, [sites, 7]: asks the hook and checks its answer.
 *
 * @throws SlothfulError `bad-input` where neither sigma nor timestep is told, or the hook's rows are no rows
 */
export function controlTable({ metadata }: ControlState, hook: SlothfulHook, facts: StepFacts): tf.Tensor2D {
  const { sites, top, deep, parameters } = metadata;
  const rows = hook({ ...facts, sigma: sigmaOf(facts), sites, top, deep, parameters });
  if (!Array.isArray(rows) || rows.length !== sites.length) {
    const got = Array.isArray(rows) ? `${rows.length} rows` : `no rows but ${typeof rows}`;
    throw new SlothfulError('bad-input', 'hook', `returned ${got} for ${sites.length} sites`, 'return one row a site');
  }
  return tf.tensor2d(encodeControl(rows), [sites.length, CONTROL_COLUMNS]);
}

function sigmaOf({ sigma, timestep }: StepFacts): number {
  if (sigma !== undefined) {
    if (sigma >= 0) return sigma;
    throw new SlothfulError('bad-input', 'sigma', `must be 0 or more, got ${sigma}`);
  }
  if (timestep !== undefined) return sigmaOfTimestep(timestep);
  const cure = 'give inputs.timestep, or the option sigma, or slothful: false';
  throw new SlothfulError('bad-input', 'predict()', 'the strides need a timestep or a sigma, and none is given', cure);
}
