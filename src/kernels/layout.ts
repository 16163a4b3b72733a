import type * as tf from '@tensorflow/tfjs-core';
import type { NodeAttributes, NodeInputs } from '../attention/node/contract.ts';
import { SlothfulError } from '../errors.ts';
import type { Grid } from '../passes/slothful/window.ts';

/** How many images a batch has and how their tokens lie; undefined where no input tells. */
export interface Layout {
  readonly batch: number | undefined;
  readonly grid: Grid | undefined;
}

/**
 * Batch and grid from the grid input, an NHWC shape, or else from the inputs whose forms tell them.
 *
 * @throws SlothfulError `bad-model` where the grid input is no shape of rank 4
 */
export function layoutOf(inputs: NodeInputs<tf.Tensor>, attributes: NodeAttributes): Layout {
  const { hiddenStates, context } = inputs;
  const { hiddenForm, contextForm } = attributes;
  const ofHidden = hiddenForm === 'flat' ? undefined : hiddenStates.shape[0];
  const ofContext = contextForm === 'flat' ? undefined : context?.shape[0];
  const ownGrid = hiddenForm === 'grid' ? gridOf(hiddenStates.shape) : undefined;
  const shape = inputs.grid && readShape(inputs.grid);
  return { batch: ofHidden ?? ofContext ?? shape?.[0], grid: ownGrid ?? (shape && gridOf(shape)) };
}

function gridOf([, rows = 0, columns = 0]: readonly number[]): Grid {
  return [rows, columns];
}

function readShape(grid: tf.Tensor): number[] {
  const shape = [...grid.dataSync()];
  if (shape.length === 4) return shape;
  throw new SlothfulError('bad-model', 'grid', `expected the shape of a rank-4 tensor, got [${shape}]`);
}
