import { readShape, readString } from './attributes.ts';
import type { Endpoint, GraphNode, GraphView } from './document.ts';

/** Order of the axes of a picture or a latent: channels last, as TF.js computes, or first, as PyTorch has them. */
export type PictureLayout = 'nhwc' | 'nchw';

const CONVOLUTIONS: ReadonlySet<string> = new Set([
  ...['Conv2D', '_FusedConv2D', 'DepthwiseConv2d', 'DepthwiseConv2dNative', 'FusedDepthwiseConv2dNative'],
  ...['AvgPool', 'MaxPool', 'ResizeBilinear', 'ResizeNearestNeighbor', 'DepthToSpace', 'FusedBatchNormV3'],
]);

/** These leave the axes where they are. */
const IN_PLACE: ReadonlySet<string> = new Set([
  ...['Identity', 'StopGradient', 'EnsureShape', 'Cast', 'Pad', 'PadV2', 'MirrorPad', 'ClipByValue'],
  ...['Mul', 'Add', 'AddV2', 'Sub', 'RealDiv', 'Div', 'Maximum', 'Minimum', 'BiasAdd', 'ConcatV2'],
  ...['Tanh', 'Sigmoid', 'Relu', 'Neg', 'Elu', 'SpaceToBatchND', 'BatchToSpaceND'],
]);

const TO_CHANNELS_LAST = '0,2,3,1';
const TO_CHANNELS_FIRST = '0,3,1,2';
const MOST_NODES = 64;

/** Most channels that a picture or latent has: more are the extent of an axis. */
const MOST_CHANNELS = 32;

/**
 * Whether the channels of a picture input come first or last: told by the first convolution or transpose that reads it, else by
 * the sizes that it declares.
 */
export function inputLayout(graph: GraphView, name: string): PictureLayout {
  const queue = [name];
  const seen = new Set(queue);
  const shape = readShape(graph.node(name)?.attributes ?? {}, 'shape') ?? [];
  for (let source = queue.shift(); source !== undefined && seen.size < MOST_NODES; source = queue.shift()) {
    for (const { node, slot } of graph.consumers(source)) {
      const told = slot === 0 ? toldByReader(graph, node, shape) : undefined;
      if (told) return told;
      if (!IN_PLACE.has(node.op) || seen.has(node.name)) continue;
      seen.add(node.name);
      queue.push(node.name);
    }
  }
  return declaredLayout(shape);
}

function toldByReader(graph: GraphView, node: GraphNode, shape: readonly number[]): PictureLayout | undefined {
  if (CONVOLUTIONS.has(node.op)) return formatOf(node);
  if (node.op !== 'Transpose') return undefined;
  const order = graph.constant(node.inputs[1]?.node ?? '')?.values;
  if (order) return layoutTurnedBy(String(order));
  // Without its weights a document does not hold the order: the filter of a convolution behind it tells its input channels.
  const filters = graph.consumers(node.name).flatMap((use) => {
    const filter = CONVOLUTIONS.has(use.node.op) ? graph.weight(use.node.inputs[1]?.node ?? '') : undefined;
    return filter?.shape.length === 4 ? [filter.shape[2]] : [];
  });
  return filters.some((channels) => channels === shape[1]) ? 'nchw' : undefined;
}

function layoutTurnedBy(order: string): PictureLayout | undefined {
  if (order === TO_CHANNELS_LAST) return 'nchw';
  return order === TO_CHANNELS_FIRST ? 'nhwc' : undefined;
}

const formatOf = (node: GraphNode): PictureLayout =>
  readString(node.attributes, 'data_format').toUpperCase() === 'NCHW' ? 'nchw' : 'nhwc';

/** Channels of pictures, of latents, and of latents with those of a mask and a masked image. */
const USUAL_CHANNELS: readonly number[] = [1, 3, 4, 9];

/** Channels are few and known; where both ends look like them, they come first of a square alone. */
function declaredLayout(shape: readonly number[]): PictureLayout {
  const [, first = -1, second = -1, last = -1] = shape;
  const areChannels = (size: number) => size > 0 && size <= MOST_CHANNELS;
  if (!areChannels(first)) return 'nhwc';
  if (!areChannels(last)) return 'nchw';
  const isSquare = second === last && first !== second;
  return isSquare && USUAL_CHANNELS.includes(first) && !USUAL_CHANNELS.includes(last) ? 'nchw' : 'nhwc';
}

/**
 * Whether the channels of an output come first or last: told by the last convolution or transpose before it.
 *
 * @param otherwise what it is where neither is found
 */
export function outputLayout(graph: GraphView, output: Endpoint, otherwise: PictureLayout): PictureLayout {
  let node = graph.node(output.node);
  for (let steps = 0; node && steps < MOST_NODES; steps++) {
    if (CONVOLUTIONS.has(node.op)) return formatOf(node);
    const order = node.op === 'Transpose' ? graph.constant(node.inputs[1]?.node ?? '')?.values : undefined;
    if (String(order) === TO_CHANNELS_FIRST) return 'nchw';
    if (String(order) === TO_CHANNELS_LAST) return 'nhwc';
    if (!IN_PLACE.has(node.op)) return otherwise;
    const [source] = node.inputs.filter((input) => graph.node(input.node)?.op !== 'Const');
    node = graph.node(source?.node ?? '');
  }
  return otherwise;
}
