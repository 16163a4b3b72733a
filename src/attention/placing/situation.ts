import type { Endpoint } from '../../graph/index.ts';
import { type Context, type Problem, problem } from '../matching/context.ts';
import type { Match } from '../matching/match.ts';
import { outputOf } from '../matching/walk.ts';
import type { Block } from '../site.ts';
import type { Terrain } from './terrain.ts';

/** Where in the UNet an attention is. */
export interface Situation {
  readonly block: Block;
  readonly level: number;
  readonly grid: Endpoint | undefined;
  /** Attentions between the same convolutions are of one transformer. */
  readonly stage: number;
  /** Position in the order of execution. */
  readonly position: number;
}

/** Finds the grid, block and level of an attention. A problem where its tokens are not the pixels of its grid. */
export function situate(context: Context, terrain: Terrain, match: Match): Situation | Problem {
  const { hiddenStates, hiddenForm } = match.inputs;
  const upstream = terrain.upstream.get(hiddenStates.node);
  const grid = upstream?.grid ?? (hiddenForm === 'grid' ? hiddenStates : undefined);
  if (match.sizes && !grid && upstream?.depth === undefined) {
    return problem(hiddenStates.node, 'no image lies upstream of the hidden states: their tokens are not pixels');
  }
  const extent = grid && extentOf(context, grid);
  const wrong = checkTokens(context, match, extent ?? extentOfMap(context, upstream?.stage ?? 0));
  if (wrong) return wrong;
  const output = match.merge.output.node;
  const block = upstream?.afterSkip ? 'output' : terrain.feedsSkip.has(output) ? 'input' : 'middle';
  const level = extent && terrain.sample ? levelOf(terrain.sample, extent) : Math.max(0, upstream?.depth ?? 0);
  const position = terrain.position.get(match.softmax.name) ?? 0;
  return { block, level, grid, stage: upstream?.stage ?? 0, position };
}

/** Batch, rows and columns of a grid. */
function extentOf(context: Context, grid: Endpoint): readonly [number, number, number] | undefined {
  const [batch, rows, columns] = context.shapes.dims(grid) ?? [];
  return batch && rows && columns ? [batch, rows, columns] : undefined;
}

/** Batch, rows and columns of the map that the last convolution upstream made: at `stage` in the order of execution. */
function extentOfMap(context: Context, stage: number): ReturnType<typeof extentOf> {
  const node = context.order[stage - 1];
  const map = node && outputOf(node);
  return map && context.shapes.dims(map)?.length === 4 ? extentOf(context, map) : undefined;
}

/** How often the image was halved; sizes that do not divide evenly are rounded up on the way. */
function levelOf([rows, columns]: readonly [number, number], [, h, w]: readonly [number, number, number]): number {
  return Math.max(0, Math.round(Math.log2(Math.sqrt((rows * columns) / (h * w)))));
}

/** All pixels of one image attend to each other: not windows of it, not rows, not frames. */
function checkTokens(
  context: Context,
  { sizes, inputs, softmax, merge }: Match,
  extent: readonly [number, number, number] | undefined,
): Problem | undefined {
  if (!sizes) return undefined;
  const { batch, queryTokens } = sizes;
  if (extent && (extent[1] * extent[2] !== queryTokens || extent[0] !== batch)) {
    const [images, rows, columns] = extent;
    const text = `${batch} x ${queryTokens} tokens attend to each other, of a grid of ${images} x ${rows} x ${columns}`;
    return problem(softmax.name, `${text}: windows or another order of pixels`);
  }
  const shape = context.shapes.shape(inputs.hiddenStates);
  if (inputs.hiddenForm === 'tokens' && shape && (shape[0] !== batch || shape[1] !== queryTokens)) {
    return problem(softmax.name, `${batch} x ${queryTokens} tokens attend to each other, of [${shape}]: windows?`);
  }
  const isImage = merge.form === 'grid' || merge.form === 'grid-heads';
  const output = isImage ? context.shapes.shape(merge.output) : undefined;
  const isGrid = !output || !extent || (output[1] === extent[1] && output[2] === extent[2]);
  return isGrid ? undefined : problem(merge.output.node, `the heads are merged to [${output}], which is not the grid`);
}

/** A match and where it is. */
export interface Situated {
  readonly match: Match;
  readonly situation: Situation;
}

/** Counts of one transformer: its number among those of its block and level, and the attentions seen in it. */
interface Transformer {
  readonly attention: number;
  self: number;
  readonly cross: number[];
}

/**
 * Names the attentions, which come in the order of execution: `block.level.attention.transformer`, with `.cross` for
 * the cross-attention of the same transformer block (`.cross2` for a second one). The names depend on the topology only.
 */
export function nameSites(situated: readonly Situated[]): string[] {
  const transformers = new Map<string, Transformer>();
  const counts = new Map<string, number>();
  return situated.map(({ match, situation: { block, level, stage } }) => {
    const group = `${block}.${level}`;
    const key = `${group}.${stage}`;
    const attention = counts.get(group) ?? 0;
    const transformer = transformers.get(key) ?? { attention, self: 0, cross: [] };
    if (!transformers.has(key)) counts.set(group, attention + 1);
    transformers.set(key, transformer);
    const prefix = `${group}.${transformer.attention}`;
    return match.inputs.kind === 'self' ? `${prefix}.${transformer.self++}` : crossName(prefix, transformer);
  });
}

/** A cross-attention belongs to the self-attention before it. */
function crossName(prefix: string, { self, cross }: Transformer): string {
  const block = Math.max(0, self - 1);
  const count = (cross[block] ?? 0) + 1;
  cross[block] = count;
  return `${prefix}.${block}.cross${count > 1 ? count : ''}`;
}

/**
 * The exporter's names of attentions: the longest name scope (up to a "/") that the nodes of each share, where no other has the
 * same and not all lie in it; or else the name of its softmax.
 */
export function scopesOf(matches: readonly Match[]): string[] {
  const scopes = matches.map(({ softmax, merge, query, key, value }) => {
    const projections = [query, key, value].map(({ projected }) => projected.node.name);
    return sharedScope([softmax.name, merge.output.node, ...projections]);
  });
  return matches.map(({ softmax }, index) => {
    const own = scopes[index] ?? '';
    const isShared = scopes.filter((other) => other === own).length > 1;
    const isOfAll = scopes.length > 1 && scopes.every((other) => isWithin(other, own));
    return isShared || isOfAll ? softmax.name : own;
  });
}

/** Whether a scope is another one, or lies inside it. */
function isWithin(scope: string, outer: string): boolean {
  return scope === outer || scope.startsWith(`${outer}/`);
}

/** The longest name scope (up to a "/") that names share; the first name where they share none. */
function sharedScope(names: readonly string[]): string {
  const [first = [], ...others] = names.map((name) => name.split('/').slice(0, -1));
  const shared = [...first];
  for (const parts of others) {
    const end = shared.findIndex((part, index) => part !== parts[index]);
    if (end >= 0) shared.length = end;
  }
  return shared.length ? shared.join('/') : (names[0] ?? '');
}
