import { type Attributes, readInt, readInts, readString } from '../attributes.ts';
import {
  type AbstractTensor,
  type Dims,
  dimsAt,
  imageAxes,
  numbersAt,
  ofRank,
  type ShapeCall,
  type ShapeRule,
  withDim,
} from './abstract.ts';

/** Output size of a window that slides over one dimension. Source: TensorFlow's padding schemes. */
function slide(size: number | undefined, window: number | undefined, axis: number, attributes: Attributes) {
  const stride = readInts(attributes, 'strides')[axis] ?? 1;
  const dilation = readInts(attributes, 'dilations')[axis] ?? 1;
  const padding = readString(attributes, 'padding').toUpperCase();
  if (size === undefined) return undefined;
  if (padding === 'SAME') return Math.ceil(size / stride);
  if (window === undefined) return undefined;
  const pads = padding === 'EXPLICIT' ? readInts(attributes, 'explicit_paddings') : [];
  const padded = size + (pads[2 * axis] ?? 0) + (pads[2 * axis + 1] ?? 0);
  return Math.max(0, Math.floor((padded - dilation * (window - 1) - 1) / stride) + 1);
}

function slideImage(call: ShapeCall, x: Dims, window: readonly [Dims[number], Dims[number]], channels: Dims[number]) {
  const axes = imageAxes(call.attributes);
  const rows = slide(x[axes.rows], window[0], axes.rows, call.attributes);
  const columns = slide(x[axes.columns], window[1], axes.columns, call.attributes);
  return withDim(withDim(withDim(x, axes.rows, rows), axes.columns, columns), axes.channels, channels);
}

function conv2d(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const filter = dimsAt(call, 1);
  if (filter?.length !== 4) return undefined;
  if (!x) return { dims: withDim(ofRank(4), imageAxes(call.attributes).channels, filter[3]) };
  return x.length === 4 ? { dims: slideImage(call, x, [filter[0], filter[1]], filter[3]) } : undefined;
}

function depthwise(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const filter = dimsAt(call, 1);
  if (x?.length !== 4 || filter?.length !== 4) return undefined;
  const [rows, columns, inputs, multiplier] = filter;
  const channels = inputs === undefined || multiplier === undefined ? undefined : inputs * multiplier;
  return { dims: slideImage(call, x, [rows, columns], channels) };
}

function pool(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const window = readInts(call.attributes, 'ksize');
  const axes = imageAxes(call.attributes);
  if (!x) return { dims: ofRank(4) };
  if (x.length !== 4) return undefined;
  return { dims: slideImage(call, x, [window[axes.rows], window[axes.columns]], x[axes.channels]) };
}

/** A transposed convolution is told the shape of its result. */
function convBackprop(call: ShapeCall): AbstractTensor | undefined {
  const filter = dimsAt(call, 1);
  const values = call.inputs[0]?.values;
  return { dims: values ?? [undefined, undefined, undefined, filter?.[2]] };
}

function resize(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const size = call.inputs[1]?.values;
  return !x || x.length === 4 ? { dims: [x?.[0], size?.[0], size?.[1], x?.[3]] } : undefined;
}

function batchNorm(call: ShapeCall): readonly AbstractTensor[] | undefined {
  const x = dimsAt(call, 0);
  const perChannel: AbstractTensor = { dims: dimsAt(call, 1) };
  return x && [{ dims: x }, perChannel, perChannel, perChannel, perChannel, perChannel];
}

function depthToSpace(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const block = readInt(call.attributes, 'block_size', 1);
  const [batch, rows, columns, channels] = x ?? [];
  const times = (size: Dims[number], factor: number) => (size === undefined ? undefined : size * factor);
  return x && { dims: [batch, times(rows, block), times(columns, block), times(channels, 1 / block ** 2)] };
}

function pad(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const pads = numbersAt(call, 1);
  return x && { dims: x.map((size, axis) => (size === undefined || !pads ? undefined : size + around(pads, axis))) };
}

function around(pads: readonly number[], axis: number): number {
  return (pads[2 * axis] ?? 0) + (pads[2 * axis + 1] ?? 0);
}

/** Shape functions of convolutions, pooling, resizing and padding. */
export const CONVOLUTION: Readonly<Record<string, ShapeRule>> = {
  _FusedConv2D: conv2d,
  AvgPool: pool,
  Conv2D: conv2d,
  Conv2DBackpropInput: convBackprop,
  DepthToSpace: depthToSpace,
  DepthwiseConv2d: depthwise,
  DepthwiseConv2dNative: depthwise,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  FusedDepthwiseConv2dNative: depthwise,
  MaxPool: pool,
  MirrorPad: pad,
  Pad: pad,
  PadV2: pad,
  ResizeBilinear: resize,
  ResizeNearestNeighbor: resize,
};
