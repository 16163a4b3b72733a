import * as tf from '@tensorflow/tfjs-core';
import type { ChannelPart } from '../attention/index.ts';
import { SlothfulError } from '../errors.ts';
import { product } from './token-forms.ts';

/** A projection as a graph holds it. */
export interface ProjectionTensors {
  /** [C, inner], [1, 1, C, inner] or [C, heads, headDim]; with `transposed` [inner, C]. */
  readonly weight: tf.Tensor;
  /** `inner` values in any shape, or as many as the whole weight makes. */
  readonly bias: tf.Tensor | undefined;
  readonly transposed: boolean;
  /** The channels that it takes of a weight which makes others' too; undefined: all. */
  readonly part?: ChannelPart | undefined;
}

/** Tokens and what projects them. */
type Task = readonly [tokens: tf.Tensor3D, projection: ProjectionTensors];

/**
 * Projects queries, keys and values. Those that share tokens and a weight are one product, which is cut afterwards: as a
 * graph with fused projections computes them.
 *
 * @throws SlothfulError `bad-model` where a weight does not take C channels, or has no such part
 */
export function projectAll(tasks: readonly [Task, Task, Task]): [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D] {
  const whole = new Map<Task, tf.Tensor3D>();
  const wholeOf = (task: Task): tf.Tensor3D | undefined => {
    const others = tasks.filter((other) => other !== task && shareProduct(task, other));
    if (!task[1].part || !others.length) return undefined;
    const known = others.map((other) => whole.get(other)).find((tensor) => tensor !== undefined);
    const made = known ?? project(task[0], { ...task[1], bias: undefined, part: undefined });
    whole.set(task, made);
    return made;
  };
  const one = (task: Task): tf.Tensor3D => {
    const shared = wholeOf(task);
    return shared ? cutProjected(shared, task[1]) : project(...task);
  };
  const [query, key, value] = tasks;
  return [one(query), one(key), one(value)];
}

function shareProduct([tokens, { weight, transposed }]: Task, [others, other]: Task): boolean {
  return tokens === others && weight.dataId === other.weight.dataId && transposed === other.transposed;
}

function cutProjected(whole: tf.Tensor3D, { part, bias }: ProjectionTensors): tf.Tensor3D {
  const [batch, count, channels] = whole.shape;
  return tf.tidy(() => {
    const cut = tf.reshape(part ? cutChannels(whole, channels, part) : whole, [batch * count, -1]);
    return tf.reshape(bias ? tf.add(cut, biasOf(bias, channels, part)) : cut, [batch, count, -1]);
  });
}

/**
 * Projects tokens: [B, N, C] to [B, N, inner]. One 2-D product over all tokens: on wasm any other product is a naive
 * loop, and its fused bias is wrong for batches.
 *
 * @throws SlothfulError `bad-model` where the weight does not take C channels, or has no such part
 */
export function project(tokens: tf.Tensor3D, { weight, bias, transposed, part }: ProjectionTensors): tf.Tensor3D {
  const [batch, count, channels] = tokens.shape;
  return tf.tidy(() => {
    const rows: tf.Tensor2D = tf.reshape(tokens, [batch * count, channels]);
    const whole = matrixOf(weight, channels, transposed);
    const made = whole.shape[transposed ? 0 : 1];
    const projected = multiply(rows, partOfMatrix(whole, transposed, part), transposed);
    const biased = bias ? tf.add(projected, biasOf(bias, made, part)) : projected;
    return tf.reshape(biased, [batch, count, -1]);
  });
}

/** XNNPACK takes no transposed operand, so wasm transposes first. */
function multiply(rows: tf.Tensor2D, matrix: tf.Tensor2D, transposed: boolean): tf.Tensor2D {
  if (!transposed || tf.getBackend() !== 'wasm') return tf.matMul(rows, matrix, false, transposed);
  const upright: tf.Tensor2D = tf.transpose(matrix);
  return tf.matMul(rows, upright);
}

/** The weight as a matrix: reshapes share its data, so that wasm's packed copy of it is made once. */
function matrixOf(weight: tf.Tensor, channels: number, transposed: boolean): tf.Tensor2D {
  const pointwise = weight.rank === 4 && weight.shape[0] === 1 && weight.shape[1] === 1;
  const shape = pointwise ? weight.shape.slice(2) : weight.shape;
  const [first = 0, ...rest] = shape;
  const taken = transposed ? shape.at(-1) : first;
  const known = shape.length === 2 || (shape.length > 2 && !transposed);
  if (!known || taken !== channels) {
    const problem = `a ${transposed ? 'transposed ' : ''}weight [${weight.shape}] does not project ${channels} channels`;
    throw new SlothfulError('bad-model', 'projection', problem);
  }
  return tf.reshape(weight, [first, product(rest)]);
}

/** The columns of a weight that a projection takes; the rows of a transposed one. */
function partOfMatrix(matrix: tf.Tensor2D, transposed: boolean, part: ChannelPart | undefined): tf.Tensor2D {
  if (!part) return matrix;
  const [rows, columns] = matrix.shape;
  const taken = transposed ? cutRows(matrix, rows, part) : cutChannels(matrix, columns, part);
  return tf.reshape(taken, transposed ? [-1, columns] : [rows, -1]);
}

/** Takes the part of the last axis, which has `channels`: [all that is before, periods, length]. */
function cutChannels(tensor: tf.Tensor, channels: number, { start, length, period }: ChannelPart): tf.Tensor {
  checkPeriod(channels, period);
  const periods = channels / period;
  const apart = tf.reshape(tensor, [-1, periods, period]);
  return tf.slice(apart, [0, 0, start], [-1, -1, length]);
}

function cutRows(matrix: tf.Tensor2D, rows: number, { start, length, period }: ChannelPart): tf.Tensor {
  checkPeriod(rows, period);
  const apart = tf.reshape(matrix, [rows / period, period, matrix.shape[1]]);
  return tf.slice(apart, [0, start, 0], [-1, length, -1]);
}

function checkPeriod(channels: number, period: number): void {
  if (channels % period === 0) return;
  const problem = `a weight that makes ${channels} channels has no parts of every ${period}`;
  throw new SlothfulError('bad-model', 'projection', problem);
}

/** The bias of a projection: its own, or its part of that of the whole weight. */
function biasOf(bias: tf.Tensor, made: number, part: ChannelPart | undefined): tf.Tensor {
  return tf.reshape(part && bias.size === made ? cutChannels(bias, made, part) : bias, [-1]);
}
