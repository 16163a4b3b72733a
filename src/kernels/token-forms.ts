import * as tf from '@tensorflow/tfjs-core';
import type { Grid, HiddenForm, NodeAttributes, NodeInputs, OutputForm } from '../attention/index.ts';
import { backendOf } from '../backends/index.ts';
import { SlothfulError } from '../errors.ts';

const RANKS: Readonly<Record<HiddenForm, number>> = { tokens: 3, flat: 2, grid: 4 };

/** How many images a batch has and how their tokens lie; undefined where no input tells. */
export interface BatchAndGrid {
  readonly batch: number | undefined;
  readonly grid: Grid | undefined;
}

/**
 * Batch and grid from the grid input, an NHWC shape, or else from the inputs whose forms tell them.
 *
 * @throws SlothfulError `bad-model` where the grid input is not a shape of rank 4
 */
export function batchAndGrid(inputs: NodeInputs<tf.Tensor>, attributes: NodeAttributes): BatchAndGrid {
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

/**
 * Tokens of any form as [B, N, C]; no copy.
 *
 * @param batch needed for the flat form
 * @param name the tensor's, for messages
 * @throws SlothfulError `bad-model`
 */
export function toTokens(tensor: tf.Tensor, form: HiddenForm, batch: number | undefined, name: string): tf.Tensor3D {
  if (tensor.rank !== RANKS[form]) {
    const problem = `expected ${RANKS[form]}-D ${name}, got ${tensor.rank}-D [${tensor.shape}]`;
    throw new SlothfulError('bad-model', name, problem);
  }
  if (isRank3(tensor)) return tensor;
  const items = form === 'grid' ? tensor.shape[0] : batch;
  const channels = tensor.shape.at(-1) ?? 0;
  const rows = product(tensor.shape.slice(0, -1));
  if (!items || rows % items !== 0) {
    const problem = `${rows} flat tokens are not those of ${items ?? 'a known number of'} images`;
    throw new SlothfulError('bad-model', name, problem);
  }
  return tf.reshape(tensor, [items, rows / items, channels]);
}

/**
 * Merged heads [B, N, inner] in the form that the graph goes on with; no copy.
 *
 * @throws SlothfulError `bad-model` where a grid is asked for that is not known
 */
export function fromTokens(tokens: tf.Tensor3D, form: OutputForm, heads: number, grid: Grid | undefined): tf.Tensor {
  const [batch, count, channels] = tokens.shape;
  if (form === 'tokens') return tokens;
  if (form === 'flat') return tf.reshape(tokens, [batch * count, channels]);
  if (form === 'heads') return tf.reshape(tokens, [batch, count, heads, channels / heads]);
  if (!grid || grid[0] * grid[1] !== count) {
    const known = grid ? grid.join(' x ') : 'unknown';
    throw new SlothfulError('bad-model', 'output', `${count} tokens do not fill the grid, which is ${known}`);
  }
  const inner = form === 'grid-heads' ? [heads, channels / heads] : [channels];
  return tf.reshape(tokens, [batch, grid[0], grid[1], ...inner]);
}

export function isRank3(tensor: tf.Tensor): tensor is tf.Tensor3D {
  return tensor.rank === 3;
}

export function product(dimensions: readonly number[]): number {
  return dimensions.reduce((all, dimension) => all * dimension, 1);
}

/**
 * True where tensors lie in the memory of the JavaScript process, and reading one is at most a memory copy. There,
 * moving rows about in a typed array beats the kernels: wasm's Slice copies its whole input for every slice, and
 * StridedSlice computes an index for every element on wasm and cpu.
 */
export function inHostMemory(): boolean {
  return backendOf(tf.getBackend()).inHostMemory;
}

/** The float32 values of a tensor; on the cpu backend not a copy, so not to be written to. */
export function valuesOf(tensor: tf.Tensor): Float32Array {
  return tensor.dataSync<'float32'>();
}
