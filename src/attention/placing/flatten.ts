import type { Endpoint, GraphNode } from '../../graph/index.ts';
import type { Context } from '../matching/context.ts';
import { outputOf } from '../matching/walk.ts';

/**
 * What a Reshape does to the grid of its tokens: the rank-4 tensor that it flattens, undefined where it unfolds tokens
 * to an image again, 'keep' where it does neither or where shapes are not known: a guessed grid would pool the wrong
 * pixels.
 *
 * @param grid the grid that the reshaped tensor has already
 */
export function findFlattened(
  context: Context,
  node: GraphNode,
  grid: Endpoint | undefined,
): Endpoint | undefined | 'keep' {
  const [input] = node.inputs;
  const before = input && context.shapes.shape(input);
  const after = context.shapes.shape(outputOf(node));
  if (!input || !before || !after) return 'keep';
  const image = grid && context.shapes.shape(grid);
  if (image && isUnfolded(image, before, after)) return undefined;
  if (before.length !== 4 || (image && pixelsOf(image) === pixelsOf(before))) return 'keep';
  if (flattensPixels(before, after)) return input;
  return channelsFirst(context, input, before, after) ?? 'keep';
}

function pixelsOf([batch = 0, rows = 0, columns = 0]: readonly number[]): string {
  return `${batch} x ${rows * columns}`;
}

/** [B, h, w, C] -> [B, h * w, C] or [B * h * w, C]. */
function flattensPixels(before: readonly number[], after: readonly number[]): boolean {
  const [batch = 0, rows = 0, columns = 0, channels] = before;
  if (after.at(-1) !== channels || rows * columns === 1) return false;
  if (after.length === 2) return after[0] === batch * rows * columns;
  return after.length === 3 && after[0] === batch && after[1] === rows * columns;
}

/** [B, C, h, w] -> [B, C, h * w] of a transposed image: the image before it was transposed. */
function channelsFirst(
  context: Context,
  input: Endpoint,
  before: readonly number[],
  after: readonly number[],
): Endpoint | undefined {
  const node = context.producer(input);
  const [image, order] = node?.inputs ?? [];
  if (node?.op !== 'Transpose' || !image || !order || after.length !== 3) return undefined;
  const [batch, channels, rows = 0, columns = 0] = before;
  const flattens = after[0] === batch && after[1] === channels && after[2] === rows * columns;
  return flattens && context.shapes.values(order)?.join() === '0,3,1,2' ? image : undefined;
}

/** [B, h * w, C] or [B * h * w, C] -> [B, h, w, C]. */
function isUnfolded(image: readonly number[], before: readonly number[], after: readonly number[]): boolean {
  return before.length < 4 && after.length === 4 && image.slice(0, 3).join() === after.slice(0, 3).join();
}
