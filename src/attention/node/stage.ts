import type * as tensorflow from '@tensorflow/tfjs-core';
import { SlothfulError } from '../../errors.ts';
import type { Effects } from '../../graph/index.ts';

/** Rows and columns of the tokens of a site. */
export type Grid = readonly [rows: number, columns: number];

/** One value that a stage reads from its row of the control table. */
export interface ControlColumn {
  /** In the model's metadata it is `<stage>.<name>`. */
  readonly name: string;
  /** The value with which the stage leaves the attention as it is: what a graph has that is fed no control table. */
  readonly default: number;
}

/** A stage's values of one site: as many as it has columns. */
export type StageRow = ArrayLike<number>;

/** How many queries and keys an attention has. */
export interface AttentionSize {
  readonly queries: number;
  readonly keys: number;
  /** Rows and columns of the queries, where they are the pixels of a grid. */
  readonly grid: Grid | undefined;
  /** How many such attentions an image makes: its tiles; less than 1 where a part of the batch attends nothing. Default 1. */
  readonly items?: number | undefined;
}

/** What a stage is told of the attention that is being computed. */
export interface StageContext {
  /**
   * TF.js, by the one copy of it that runs: stages import it as a type only, so that a pass that a user brings needs no
   * package beside it.
   */
  readonly tf: typeof tensorflow;
  readonly id: string;
  readonly kind: 'self' | 'cross';
  readonly heads: number;
  readonly batch: number;
  /** Rows and columns of the hidden states as they are now; undefined where they are not a grid. */
  readonly grid: Grid | undefined;
  /** True where tensors lie in the memory of the JavaScript process (wasm, cpu): reading one is at most a copy. */
  readonly inHostMemory: boolean;
}

/** What a stage makes of all tokens: other hidden states, and the way back for the merged heads. */
export interface ReshapedTokens {
  /** [B', N', C]. */
  readonly hiddenStates: tensorflow.Tensor3D;
  readonly grid: Grid | undefined;
  /** What keys and values are made of, [B', M, C], where it is not the hidden states. */
  readonly keysValues?: readonly [key: tensorflow.Tensor3D, value: tensorflow.Tensor3D] | undefined;
  /** From [B', N', inner] to [B, N, inner]. */
  restore(merged: tensorflow.Tensor3D): tensorflow.Tensor3D;
}

/** Queries, keys and values by heads' widths together: q [B, N, inner], k and v [B, M, inner]. */
export interface Projected {
  readonly query: tensorflow.Tensor3D;
  readonly key: tensorflow.Tensor3D;
  readonly value: tensorflow.Tensor3D;
}

/**
 * What a pass attaches to attention nodes. Every function is optional and changes one part of the attention; it is called
 * only where the stage's row differs from the defaults, within a `tf.tidy`, and must not return a tensor that it was given.
 *
 * In the order of the attention: `unattended`, `tokens`, `query` and `keysValues` (before the projections), `logitsMask`, `attend`, `output`.
 */
export interface AttentionStage {
  /** The name of the pass: lower case. */
  readonly name: string;
  /** Stages of one node act by ascending order. */
  readonly order: number;
  readonly columns: readonly ControlColumn[];
  /** What it changes and needs: passes that do not go together are refused when the second one is applied. */
  readonly effects: Effects;
  /** Whether a row leaves the attention as it is. Default: where it is the columns' defaults. */
  readonly isOff?: (row: StageRow) => boolean;
  /** How many queries and keys are left, without computing anything: what plans count with. Default: as many as before. */
  readonly size?: (size: AttentionSize, row: StageRow) => AttentionSize;
  /**
   * How many of the last items of the batch attend nothing: what leaves them is their own values. No other stage acts on them.
   */
  readonly unattended?: (context: StageContext, row: StageRow) => number;
  /** Other tokens, for queries, keys and values alike. */
  readonly tokens?: (context: StageContext, hiddenStates: tensorflow.Tensor3D, row: StageRow) => ReshapedTokens;
  /** The input of the query projection, [B, N, C]. */
  readonly query?: (context: StageContext, hiddenStates: tensorflow.Tensor3D, row: StageRow) => tensorflow.Tensor3D;
  /** The inputs of the key and of the value projection, [B, M, C] each, from those that they have now. */
  readonly keysValues?: (
    context: StageContext,
    inputs: readonly [key: tensorflow.Tensor3D, value: tensorflow.Tensor3D],
    row: StageRow,
  ) => [key: tensorflow.Tensor3D, value: tensorflow.Tensor3D];
  /** What is added to the logits, [queries, keys]; those of several stages add up. */
  readonly logitsMask?: (context: StageContext, size: AttentionSize, row: StageRow) => tensorflow.Tensor2D;
  /** The whole of `softmax(scale q k^T + mask) v`, in the place of the kernel for the backend. */
  readonly attend?: (
    context: StageContext,
    projected: Projected & { readonly scale: number; readonly mask: tensorflow.Tensor2D | undefined },
    row: StageRow,
  ) => tensorflow.Tensor3D;
  /** The merged heads, [B, N, inner], before the output projection. */
  readonly output?: (
    context: StageContext,
    merged: tensorflow.Tensor3D,
    projected: Projected,
    row: StageRow,
  ) => tensorflow.Tensor3D;
}

const registered = new Map<string, AttentionStage>();

/**
 * Makes a stage known to attention nodes, by its name; again, with another stage of that name, replaces it. The registry is
 * global, as TF.js's own of ops is.
 */
export function registerStage(stage: AttentionStage): void {
  registered.set(stage.name, stage);
}

/**
 * The stage of a name that a graph holds.
 *
 * @param place what needs it, for messages
 * @throws SlothfulError `unsupported` where no pass of that name is known
 */
export function expectStage(name: string, place: string): AttentionStage {
  const stage = registered.get(name);
  if (stage) return stage;
  const cure = 'bring it: --use FILE on the command line, use: [pass] in a program';
  throw new SlothfulError('unsupported', place, `needs the pass "${name}", which is not known here`, cure);
}

/** Whether a row leaves the attention as it is. */
export function isOff(stage: AttentionStage, row: StageRow): boolean {
  if (stage.isOff) return stage.isOff(row);
  return stage.columns.every((column, index) => row[index] === column.default);
}

/** The row that leaves the attention as it is. */
export function offRow(stage: Pick<AttentionStage, 'columns'>): number[] {
  return stage.columns.map((column) => column.default);
}

/**
 * A stage's values of one site.
 *
 * @param table the whole control table, [sites, width], row-major
 * @param place the site, for messages
 * @throws SlothfulError `bad-input` where the table has no such row, or a value is not finite
 */
export function rowOf(
  stage: AttentionStage,
  table: ArrayLike<number>,
  at: { readonly site: number; readonly width: number; readonly first: number },
  place: string,
): number[] {
  const { site, width, first } = at;
  const start = site * width + first;
  if (first + stage.columns.length > width || (site + 1) * width > table.length) {
    const problem = `the table has ${table.length} values, ${width} a row`;
    throw new SlothfulError('bad-input', place, problem, 'feed one row for every patched site');
  }
  return stage.columns.map((column, index) => {
    const value = table[start + index] ?? Number.NaN;
    if (Number.isFinite(value)) return value;
    throw new SlothfulError('bad-input', place, `${stage.name}.${column.name} must be a finite number, got ${value}`);
  });
}
