import type { Endpoint } from '../../graph/index.ts';
import type { Context } from '../matching/context.ts';
import type { Match } from '../matching/match.ts';
import { type Problem, problem } from '../matching/problem.ts';
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
  const place = terrain.places.get(hiddenStates.node);
  const grid = place?.grid ?? (hiddenForm === 'grid' ? hiddenStates : undefined);
  if (match.sizes && !grid && place?.depth === undefined) {
    return problem(hiddenStates.node, 'no image lies upstream of the hidden states: their tokens are no pixels');
  }
  const extent = grid && extentOf(context, grid);
  const wrong = checkTokens(context, match, extent);
  if (wrong) return wrong;
  const output = match.merge.output.node;
  const block = place?.afterSkip ? 'output' : terrain.feedsSkip.has(output) ? 'input' : 'middle';
  const level = extent && terrain.sample ? levelOf(terrain.sample, extent) : Math.max(0, place?.depth ?? 0);
  const position = terrain.position.get(match.softmax.name) ?? 0;
  return { block, level, grid, stage: place?.stage ?? 0, position };
}

/** Batch, rows and columns of a grid. */
function extentOf(context: Context, grid: Endpoint): readonly [number, number, number] | undefined {
  const [batch, rows, columns] = context.shapes.dims(grid) ?? [];
  return batch && rows && columns ? [batch, rows, columns] : undefined;
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
  const output = merge.form === 'grid' ? context.shapes.shape(merge.output) : undefined;
  const isGrid = !output || !extent || (output[1] === extent[1] && output[2] === extent[2]);
  return isGrid ? undefined : problem(merge.output.node, `the heads are merged to [${output}], which is not the grid`);
}
