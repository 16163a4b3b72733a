import { type Attributes, attr } from '../../src/graph/index.ts';

/** An input of an op: a tensor that is fed, or a constant of whole numbers or truth values. */
export type ZooInput =
  | { readonly feed: readonly number[] }
  | { readonly ints: readonly number[]; readonly shape?: readonly number[]; readonly dtype?: 'bool' };

/** One op as it stands in a graph. What shape it has is asked of TF.js itself. */
export interface ZooRow {
  readonly op: string;
  readonly note?: string;
  readonly inputs: readonly ZooInput[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
}

const feed = (...shape: number[]): ZooInput => ({ feed: shape });
const ints = (...values: number[]): ZooInput => ({ ints: values });
const scalar = (value: number): ZooInput => ({ ints: [value], shape: [] });

const conv = (stride: number, padding: string, dilation = 1): Attributes => ({
  strides: attr.ints([1, stride, stride, 1]),
  dilations: attr.ints([1, dilation, dilation, 1]),
  padding: attr.string(padding),
  data_format: attr.string('NHWC'),
});
const explicit = { ...conv(2, 'EXPLICIT'), explicit_paddings: attr.ints([0, 0, 1, 1, 1, 1, 0, 0]) };
const fused = { num_args: attr.int(1), fused_ops: attr.strings(['BiasAdd']), epsilon: attr.float(0) };
const pool = (window: number, stride: number, padding: string): Attributes => ({
  ...conv(stride, padding),
  ksize: attr.ints([1, window, window, 1]),
});
const masks = (begin: number, end: number, ellipsis: number, newAxis: number, shrink: number): Attributes => ({
  begin_mask: attr.int(begin),
  end_mask: attr.int(end),
  ellipsis_mask: attr.int(ellipsis),
  new_axis_mask: attr.int(newAxis),
  shrink_axis_mask: attr.int(shrink),
});
const keep = { keep_dims: attr.bool(true) };

const IMAGES: readonly ZooRow[] = [
  { op: 'Conv2D', note: 'SAME', inputs: [feed(2, 7, 6, 3), feed(3, 3, 3, 4)], attributes: conv(1, 'SAME') },
  { op: 'Conv2D', note: 'SAME stride 2', inputs: [feed(2, 7, 6, 3), feed(3, 3, 3, 4)], attributes: conv(2, 'SAME') },
  { op: 'Conv2D', note: 'VALID', inputs: [feed(2, 7, 6, 3), feed(3, 3, 3, 4)], attributes: conv(2, 'VALID') },
  { op: 'Conv2D', note: 'dilated', inputs: [feed(2, 7, 6, 3), feed(3, 3, 3, 4)], attributes: conv(1, 'VALID', 2) },
  { op: 'Conv2D', note: 'EXPLICIT', inputs: [feed(2, 7, 6, 3), feed(3, 3, 3, 4)], attributes: explicit },
  {
    op: '_FusedConv2D',
    note: 'EXPLICIT',
    inputs: [feed(2, 7, 6, 3), feed(3, 3, 3, 4), feed(4)],
    attributes: { ...explicit, ...fused },
  },
  { op: 'DepthwiseConv2dNative', inputs: [feed(1, 7, 6, 3), feed(3, 3, 3, 2)], attributes: conv(2, 'SAME') },
  {
    op: 'Conv2DBackpropInput',
    inputs: [ints(1, 8, 6, 3), feed(3, 3, 3, 4), feed(1, 4, 3, 4)],
    attributes: conv(2, 'SAME'),
  },
  { op: 'AvgPool', inputs: [feed(1, 7, 6, 3)], attributes: pool(2, 2, 'VALID') },
  { op: 'MaxPool', note: 'SAME', inputs: [feed(1, 7, 6, 3)], attributes: pool(3, 2, 'SAME') },
  { op: 'ResizeNearestNeighbor', inputs: [feed(1, 3, 4, 2), ints(6, 9)] },
  { op: 'ResizeBilinear', inputs: [feed(1, 3, 4, 2), ints(5, 8)] },
  { op: 'Pad', inputs: [feed(1, 3, 4, 2), { ints: [0, 0, 1, 1, 0, 2, 0, 0], shape: [4, 2] }] },
  { op: 'PadV2', inputs: [feed(2, 3), { ints: [1, 0, 0, 2], shape: [2, 2] }, scalar(0)] },
  {
    op: 'MirrorPad',
    inputs: [feed(3, 4), { ints: [1, 1, 2, 0], shape: [2, 2] }],
    attributes: { mode: attr.string('REFLECT') },
  },
  {
    op: 'DepthToSpace',
    inputs: [feed(1, 2, 3, 8)],
    attributes: { block_size: attr.int(2), data_format: attr.string('NHWC') },
  },
  {
    op: 'FusedBatchNormV3',
    inputs: [feed(1, 2, 3, 4), feed(4), feed(4), feed(4), feed(4)],
    attributes: { epsilon: attr.float(1e-3), data_format: attr.string('NHWC'), is_training: attr.bool(false) },
  },
];

const PRODUCTS: readonly ZooRow[] = [
  { op: 'MatMul', inputs: [feed(2, 3), feed(3, 4)] },
  {
    op: 'MatMul',
    note: 'transposed',
    inputs: [feed(3, 2), feed(4, 3)],
    attributes: { transpose_a: attr.bool(true), transpose_b: attr.bool(true) },
  },
  { op: '_FusedMatMul', inputs: [feed(2, 3), feed(3, 4), feed(4)], attributes: fused },
  { op: 'BatchMatMulV2', inputs: [feed(2, 5, 3, 4), feed(2, 5, 6, 4)], attributes: { adj_y: attr.bool(true) } },
  { op: 'BatchMatMulV2', note: 'broadcast', inputs: [feed(2, 3, 4), feed(4, 5)] },
  { op: 'BatchMatMul', inputs: [feed(2, 4, 3), feed(2, 4, 5)], attributes: { adj_x: attr.bool(true) } },
  { op: 'Einsum', inputs: [feed(2, 3, 4), feed(4, 5, 6)], attributes: { equation: attr.string('abc,cde->abde') } },
  {
    op: 'Einsum',
    note: 'keys first',
    inputs: [feed(2, 3, 4, 5), feed(2, 6, 4, 5)],
    attributes: { equation: attr.string('aecd,abcd->acbe') },
  },
];

const ELEMENTS: readonly ZooRow[] = [
  ...[
    'Abs',
    'Exp',
    'Neg',
    'Rsqrt',
    'Sqrt',
    'Square',
    'Sigmoid',
    'Softmax',
    'Tanh',
    'Erf',
    'Relu',
    'Elu',
    'Sin',
    'Cos',
    'Floor',
    'Identity',
    'ZerosLike',
    'OnesLike',
  ].map((op): ZooRow => ({ op, inputs: [feed(2, 3)] })),
  ...[
    'AddV2',
    'Sub',
    'Mul',
    'RealDiv',
    'Maximum',
    'Minimum',
    'SquaredDifference',
    'Pow',
    'FloorDiv',
    'Greater',
    'Equal',
  ].map((op): ZooRow => ({ op, inputs: [feed(2, 1, 4), feed(3, 1)] })),
  { op: 'BiasAdd', inputs: [feed(2, 3, 4), feed(4)] },
  { op: 'AddN', inputs: [feed(2, 3), feed(2, 3), feed(2, 3)] },
  { op: 'SelectV2', inputs: [{ ints: [1, 0], shape: [2, 1], dtype: 'bool' }, feed(2, 3), feed(2, 3)] },
  { op: 'Cast', inputs: [feed(2, 3)], attributes: { SrcT: attr.type('float32'), DstT: attr.type('int32') } },
  { op: 'LeakyRelu', inputs: [feed(2, 3)], attributes: { alpha: attr.float(0.2) } },
  { op: 'ClipByValue', inputs: [feed(2, 3), scalar(0), scalar(1)] },
];

const MOVES: readonly ZooRow[] = [
  { op: 'Reshape', inputs: [feed(2, 3, 4), ints(-1, 6)] },
  { op: 'Transpose', inputs: [feed(2, 3, 4), ints(2, 0, 1)] },
  { op: 'ExpandDims', inputs: [feed(2, 3), scalar(-1)] },
  { op: 'Squeeze', inputs: [feed(2, 1, 3, 1)] },
  { op: 'Squeeze', note: 'one', inputs: [feed(2, 1, 3, 1)], attributes: { squeeze_dims: attr.ints([-1]) } },
  { op: 'ConcatV2', inputs: [feed(2, 3), feed(2, 4), scalar(-1)], attributes: { N: attr.int(2) } },
  { op: 'Pack', inputs: [feed(2, 3), feed(2, 3)], attributes: { axis: attr.int(1) } },
  { op: 'Unpack', inputs: [feed(2, 3)], attributes: { axis: attr.int(1), num: attr.int(3) }, outputs: 3 },
  { op: 'Split', inputs: [scalar(1), feed(2, 6)], attributes: { num_split: attr.int(3) }, outputs: 3 },
  { op: 'SplitV', inputs: [feed(2, 6), ints(1, 2, 3), scalar(-1)], attributes: { num_split: attr.int(3) }, outputs: 3 },
  { op: 'Tile', inputs: [feed(2, 3), ints(2, 3)] },
  { op: 'BroadcastTo', inputs: [feed(1, 3), ints(4, 3)] },
  { op: 'Fill', inputs: [ints(2, 3), scalar(7)] },
  { op: 'Range', inputs: [scalar(1), scalar(8), scalar(3)], attributes: { Tidx: attr.type('int32') } },
  { op: 'Shape', inputs: [feed(2, 3, 4)] },
  { op: 'Rank', inputs: [feed(2, 3, 4)] },
  { op: 'Size', inputs: [feed(2, 3, 4)] },
  {
    op: 'OneHot',
    inputs: [ints(0, 2), scalar(3), scalar(1), scalar(0)],
    attributes: { axis: attr.int(-1), dtype: attr.type('float32') },
  },
  { op: 'Slice', inputs: [feed(4, 5), ints(1, 2), ints(2, -1)] },
  {
    op: 'StridedSlice',
    note: 'plain',
    inputs: [feed(5, 6), ints(1, 0), ints(4, 6), ints(1, 2)],
    attributes: masks(0, 0, 0, 0, 0),
  },
  {
    op: 'StridedSlice',
    note: 'open ends',
    inputs: [feed(5, 6), ints(9, 2), ints(9, 9), ints(1, 1)],
    attributes: masks(1, 3, 0, 0, 0),
  },
  {
    op: 'StridedSlice',
    note: 'backwards',
    inputs: [feed(5, 6), ints(-1, 0), ints(-6, 6), ints(-2, 1)],
    attributes: masks(0, 0, 0, 0, 0),
  },
  {
    op: 'StridedSlice',
    note: 'index',
    inputs: [feed(5, 6), ints(-2, 0), ints(-1, 6), ints(1, 1)],
    attributes: masks(0, 0, 0, 0, 1),
  },
  {
    op: 'StridedSlice',
    note: 'ellipsis',
    inputs: [feed(2, 3, 4, 5), ints(0, 1), ints(0, 3), ints(1, 1)],
    attributes: masks(0, 0, 1, 0, 0),
  },
  {
    op: 'StridedSlice',
    note: 'new axis',
    inputs: [feed(5, 6), ints(0, 0, 2), ints(0, 0, 4), ints(1, 1, 1)],
    attributes: masks(1, 1, 0, 2, 0),
  },
  { op: 'GatherV2', inputs: [feed(4, 5), ints(0, 2, 3), scalar(1)] },
];

const REDUCTIONS: readonly ZooRow[] = [
  ...['Mean', 'Sum', 'Max', 'Min', 'Prod'].map((op): ZooRow => ({ op, inputs: [feed(2, 3, 4), ints(1, -1)] })),
  { op: 'Mean', note: 'keep', inputs: [feed(2, 3, 4), ints(-1)], attributes: keep },
  { op: 'Max', note: 'scalar axis', inputs: [feed(2, 3, 4), scalar(1)] },
  { op: 'ArgMax', inputs: [feed(2, 3, 4), scalar(-1)] },
];

export const OP_ZOO: readonly ZooRow[] = [...IMAGES, ...PRODUCTS, ...ELEMENTS, ...MOVES, ...REDUCTIONS];
