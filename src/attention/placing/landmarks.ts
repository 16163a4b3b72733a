/** The nodes that tell where in a UNet a tensor is: what mixes pixels, what flattens an image, what joins a skip connection. */

import { type Endpoint, type GraphNode, readInts } from '../../graph/index.ts';
import { type Context, readsShape } from '../matching/context.ts';
import { outputOf } from '../matching/walk.ts';

/** How an op changes log2 of the scale where it mixes pixels; undefined where every pixel stays by itself. */
export function spatialChange(context: Context, node: GraphNode): number | undefined {
  const stride = Math.max(1, ...readInts(node.attributes, 'strides'));
  if (/^(Conv2D|_FusedConv2D|DepthwiseConv2d(Native)?|FusedDepthwiseConv2dNative)$/.test(node.op)) {
    const kernel = node.inputs[1] && context.shapes.dims(node.inputs[1]);
    const isPointwise = kernel?.[0] === 1 && kernel[1] === 1 && stride === 1;
    return isPointwise ? undefined : Math.log2(stride);
  }
  if (node.op === 'AvgPool' || node.op === 'MaxPool') return Math.log2(stride);
  if (node.op === 'Conv2DBackpropInput') return -Math.log2(stride);
  if (node.op.startsWith('Resize')) return -1;
  if (node.op === 'DepthToSpace') return -Math.log2(Number(node.attributes.block_size?.i ?? 1));
  return undefined;
}

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

/** What was found out along the order of execution until a node. */
interface Surveyed {
  /** Position of the last op upstream of a node that mixes neighbouring pixels; 0 where none does. */
  readonly stageOf: (name: string) => number;
  readonly position: ReadonlyMap<string, number>;
}

/**
 * The operands of a concatenation that are skip connections: feature maps that the other operand was computed from, by
 * more convolutions. Empty where it joins something else (an input and its mask, parallel branches, vectors).
 */
export function skipSource(context: Context, node: GraphNode, surveyed: Surveyed): Endpoint[] {
  const isOld = node.op === 'Concat';
  const axisInput = isOld ? node.inputs[0] : node.inputs.at(-1);
  const operands = isOld ? node.inputs.slice(1) : node.inputs.slice(0, -1);
  const stageOf = ({ node: name }: Endpoint) => surveyed.stageOf(name);
  const latest = operands.toSorted((a, b) => stageOf(b) - stageOf(a))[0];
  if (!latest || !axisInput || !joinsChannels(context, latest, axisInput)) return [];
  const earlier = operands.filter((operand) => stageOf(operand) > 0 && stageOf(operand) < stageOf(latest));
  return earlier.filter((operand) => isUpstream(context, surveyed, stageOf(operand), latest));
}

/** Whether the axis is the last of rank-4 tensors, as far as that is known. */
function joinsChannels(context: Context, operand: Endpoint, axisInput: Endpoint): boolean {
  const rank = context.shapes.dims(operand)?.length ?? 4;
  const axis = context.shapes.values(axisInput)?.[0];
  return rank === 4 && (axis === undefined || axis === 3 || axis === -1 || axis === 1);
}

/** Whether the op at position `stage` lies upstream of an endpoint. */
function isUpstream(context: Context, { position }: Surveyed, stage: number, of: Endpoint): boolean {
  const seen = new Set<string>();
  const queue = [of.node];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const at = position.get(name) ?? 0;
    const node = context.graph.node(name);
    if (at === stage) return true;
    if (!node || at < stage || seen.has(name) || readsShape(node)) continue;
    seen.add(name);
    queue.push(...node.inputs.map((input) => input.node));
  }
  return false;
}
