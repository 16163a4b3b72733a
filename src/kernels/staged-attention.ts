import * as tf from '@tensorflow/tfjs-core';
import {
  type AttentionStage,
  type Grid,
  isOff,
  type Projected,
  rowOf,
  type StageContext,
  type StageRow,
} from '../attention/index.ts';
import { type Attention, attend, planOf } from './attend.ts';
import { type ProjectionTensors, project, projectAll } from './project.ts';
import { report } from './recorder.ts';
import { inHostMemory } from './token-forms.ts';

/** A stage of a node, its row, and whether that leaves the attention as it is. */
export interface ActiveStage {
  readonly stage: AttentionStage;
  readonly row: StageRow;
  readonly off: boolean;
}

/** The projections of an attention. */
export interface Weights {
  readonly query: ProjectionTensors;
  readonly key: ProjectionTensors;
  readonly value: ProjectionTensors;
}

/** One attention that is about to be computed. */
export interface StagedAttention {
  readonly site: number;
  readonly id: string;
  readonly kind: 'self' | 'cross';
  readonly heads: number;
  /** Factor of the logits; null: `1 / sqrt(head width)`. */
  readonly scale: number | null;
  readonly grid: Grid | undefined;
  /** [B, N, C]. */
  readonly hiddenStates: tf.Tensor3D;
  /** Of a cross-attention, [B, M, D]. */
  readonly context: tf.Tensor3D | undefined;
  readonly weights: Weights;
  /** In the order in which they act. */
  readonly stages: readonly ActiveStage[];
}

/**
 * The stages of a node with their rows of a control table.
 *
 * @param table [sites, width], row-major
 * @throws SlothfulError `bad-input` where the table has no such row, or a value is not finite
 */
export function activeStages(
  stages: ReadonlyArray<{ readonly stage: AttentionStage; readonly first: number }>,
  table: ArrayLike<number>,
  { site, width }: { readonly site: number; readonly width: number },
): ActiveStage[] {
  return stages.map(({ stage, first }) => {
    const row = rowOf(stage, table, { site, width, first }, `control row ${site}`);
    return { stage, row, off: isOff(stage, row) };
  });
}

/**
 * Computes an attention with what its stages make of it: tokens, inputs, projections, mask, `softmax(q k^T) v`, output.
 *
 * @returns the merged heads, [B, N, inner]
 */
export function attendWithStages(attention: StagedAttention): tf.Tensor3D {
  const { heads, id, kind, hiddenStates, context: text, weights } = attention;
  const active = attention.stages.filter(({ off }) => !off);
  const [batch] = hiddenStates.shape;
  const context: StageContext = { tf, id, kind, heads, batch, grid: attention.grid, inHostMemory: inHostMemory() };
  const asked = active.map(({ stage, row }) => stage.unattended?.(context, row) ?? 0);
  const alone = Math.min(Math.max(0, ...asked), batch);
  if (alone === 0) return attendTokens(attention, active, context, batch);
  const own = project(tf.slice(text ?? hiddenStates, batch - alone), weights.value);
  if (alone === batch) return own;
  const attending = {
    ...attention,
    hiddenStates: tf.slice(hiddenStates, 0, batch - alone),
    context: text && tf.slice(text, 0, batch - alone),
  };
  return tf.concat([attendTokens(attending, active, { ...context, batch: batch - alone }, batch), own], 0);
}

/** @param wholeBatch with the items that attend nothing */
function attendTokens(
  attention: StagedAttention,
  active: readonly ActiveStage[],
  context: StageContext,
  wholeBatch: number,
): tf.Tensor3D {
  const { weights, context: text } = attention;
  const { hiddenStates, keysValues, context: inside, restore } = reshapeTokens(active, context, attention.hiddenStates);
  const queryInput = active.reduce((input, { stage, row }) => stage.query?.(inside, input, row) ?? input, hiddenStates);
  const [keyInput, valueInput] = active.reduce<readonly [tf.Tensor3D, tf.Tensor3D]>(
    (inputs, { stage, row }) => stage.keysValues?.(inside, inputs, row) ?? inputs,
    text ? [text, text] : keysValues,
  );
  const [query, key, value] = projectAll([
    [queryInput, weights.query],
    [keyInput, weights.key],
    [valueInput, weights.value],
  ]);
  const projected: Projected = { query, key, value };
  const merged = attendProjected(attention, active, inside, projected);
  const pooled = keyInput !== (text ?? hiddenStates) || valueInput !== (text ?? hiddenStates);
  report(() => ({ ...recordOf(attention, projected), pooled, items: query.shape[0] / wholeBatch }));
  const output = active.reduce(
    (result, { stage, row }) => stage.output?.(inside, result, projected, row) ?? result,
    merged,
  );
  return restore(output);
}

interface InsideTokens {
  readonly hiddenStates: tf.Tensor3D;
  readonly keysValues: readonly [key: tf.Tensor3D, value: tf.Tensor3D];
  readonly context: StageContext;
  restore(merged: tf.Tensor3D): tf.Tensor3D;
}

/** The tokens that the attention sees, by all stages that change them, and the way back. */
function reshapeTokens(active: readonly ActiveStage[], context: StageContext, hiddenStates: tf.Tensor3D): InsideTokens {
  const keysValues = [hiddenStates, hiddenStates] as const;
  let inside: InsideTokens = { hiddenStates, keysValues, context, restore: (merged) => merged };
  for (const { stage, row } of active) {
    const changed = stage.tokens?.(inside.context, inside.hiddenStates, row);
    if (!changed) continue;
    const { restore: outer } = inside;
    inside = {
      hiddenStates: changed.hiddenStates,
      keysValues: changed.keysValues ?? [changed.hiddenStates, changed.hiddenStates],
      context: { ...inside.context, batch: changed.hiddenStates.shape[0], grid: changed.grid },
      restore: (merged) => outer(changed.restore(merged)),
    };
  }
  return inside;
}

function attendProjected(
  { heads, scale: given }: StagedAttention,
  active: readonly ActiveStage[],
  context: StageContext,
  projected: Projected,
): tf.Tensor3D {
  const scale = given ?? Math.sqrt(heads / projected.query.shape[2]);
  const mask = maskOf(active, context, projected);
  const own = active.find(({ stage }) => stage.attend !== undefined);
  const attention: Attention = { ...projected, heads, scale, mask };
  return own?.stage.attend?.(context, { ...projected, scale, mask }, own.row) ?? attend(attention);
}

function maskOf(active: readonly ActiveStage[], context: StageContext, { query, key }: Projected) {
  const size = { queries: query.shape[1], keys: key.shape[1], grid: context.grid };
  return active.reduce<tf.Tensor2D | undefined>((sum, { stage, row }) => {
    const mask = stage.logitsMask?.(context, size, row);
    return sum && mask ? tf.add(sum, mask) : (mask ?? sum);
  }, undefined);
}

function recordOf(attention: StagedAttention, { query, key, value }: Projected) {
  const { site, id, kind, heads, stages, hiddenStates } = attention;
  const rows = stages.map(({ stage, row }) => {
    return [stage.name, Object.fromEntries(stage.columns.map(({ name }, index) => [name, row[index] ?? 0]))] as const;
  });
  return {
    ...{ site, id, cross: kind === 'cross', tokens: hiddenStates.shape[1] },
    ...{ queries: query.shape[1], kvTokens: key.shape[1] },
    logitsBytes: planOf({ query, key, value, heads, scale: 1 }).logitsBytes,
    rows: Object.fromEntries(rows),
  };
}
