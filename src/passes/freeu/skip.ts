import { attr, type Endpoint } from '../../graph/index.ts';
import type { Scope } from './scope.ts';

const INT32 = attr.type('int32');

/** The lowest frequencies of an image as the original picks them, 0 and -1 of each axis; the sign of all does not matter. */
const ROW_WAVES = [0, 0, 1, 1];
const COLUMN_WAVES = [0, 1, 0, 1];
const WAVES = ROW_WAVES.length;

/** What images of one size share. */
export interface Waves {
  /** [1, h w, 8]: the cosines and the sines of the four frequencies at every pixel. */
  readonly basis: Endpoint;
  /** h w, a number to compute with. */
  readonly area: Endpoint;
}

/**
 * The four lowest frequencies of images of the size that one of them has when the graph runs. An axis of one pixel has one
 * frequency: those that would be it again are 0.
 *
 * @param image [B, h, w, C]
 */
export function wavesOf(scope: Scope, image: Endpoint): Waves {
  const { op, ints } = scope;
  const shape = op('shape', 'Shape', [image], { out_type: INT32 });
  const rows = axisOf(scope, 'rows', shape, { at: 1, place: [-1, 1, 1], waves: ROW_WAVES });
  const columns = axisOf(scope, 'columns', shape, { at: 2, place: [1, -1, 1], waves: COLUMN_WAVES });
  const angle = op('angle', 'AddV2', [rows.angle, columns.angle]);
  const isNew = op('is_new', 'Mul', [rows.isNew, columns.isNew]);
  const cosines = op('new_cosines', 'Mul', [op('cosines', 'Cos', [angle]), isNew]);
  const sines = op('new_sines', 'Mul', [op('sines', 'Sin', [angle]), isNew]);
  const grid = op('waves', 'ConcatV2', [cosines, sines, ints([2])], { N: attr.int(2), Tidx: INT32 });
  const basis = op('basis', 'Reshape', [grid, ints([1, -1, 2 * WAVES], [3])], { Tshape: INT32 });
  return { basis, area: op('area', 'Mul', [rows.size, columns.size]) };
}

/** Which axis of the shape, where it lies in the basis, and its frequencies. */
interface Axis {
  readonly at: number;
  readonly place: readonly number[];
  readonly waves: readonly number[];
}

/**
 * The angles of one axis, its size, and which of its frequencies are there for the first time. The size is taken from the
 * places: what a Range reads must stay out of the kernels of a GPU.
 */
function axisOf(scope: Scope, name: string, shape: Endpoint, { at, place, waves }: Axis) {
  const { ints, floats } = scope;
  const op: Scope['op'] = (part, ...rest) => scope.op(`${name}_${part}`, ...rest);
  const count = sliceOf(scope, `${name}_count`, shape, { at, isScalar: true });
  const range = op('range', 'Range', [ints([0]), count, ints([1])], { Tidx: INT32 });
  const places = op('places', 'Cast', [range], { SrcT: INT32, DstT: attr.type('float32') });
  const last = op('last', 'Max', [places, ints([0], [1])], { keep_dims: attr.bool(false) });
  const size = op('size', 'AddV2', [last, floats([1])]);
  const line = op('line', 'Reshape', [op('shares', 'RealDiv', [places, size]), ints(place, [3])], { Tshape: INT32 });
  const turns = waves.map((wave) => 2 * Math.PI * wave);
  // 1 for a single pixel and 0 for more.
  const isLone = op('is_lone', 'Maximum', [op('below_two', 'Sub', [floats([1]), last]), floats([0])]);
  const repeated = op('repeated', 'Mul', [floats(waves, [WAVES]), isLone]);
  return {
    size,
    angle: op('angle', 'Mul', [line, floats(turns, [WAVES])]),
    isNew: op('is_new', 'Sub', [floats([1]), repeated]),
  };
}

/** One size of a shape, as a scalar or as a vector. */
function sliceOf(
  { op, ints }: Scope,
  name: string,
  shape: Endpoint,
  { at, isScalar }: { readonly at: number; readonly isScalar: boolean },
): Endpoint {
  return op(name, 'StridedSlice', [shape, ints([at], [1]), ints([at + 1], [1]), ints([1], [1])], {
    ...{ T: INT32, Index: INT32, begin_mask: attr.int(0), end_mask: attr.int(0) },
    ...{ ellipsis_mask: attr.int(0), new_axis_mask: attr.int(0), shrink_axis_mask: attr.int(isScalar ? 1 : 0) },
  });
}

/**
 * Scales the lowest frequencies of a skip connection: `r + (s - 1) P`, P what the four have of r. What the original does by
 * a Fourier transform are two products with a small matrix here. Exactly `r` where s is 1.
 *
 * @param skip [B, h, w, channels]
 * @param strength s, [1, 1]
 * Source: ChenyangSi/FreeU, `Fourier_filter` with a threshold of 1.
 */
export function scaleSkip(
  scope: Scope,
  skip: Endpoint,
  channels: number,
  { basis, area }: Waves,
  strength: Endpoint,
): Endpoint {
  const { op, floats, ints } = scope;
  const shape = op('skip_shape', 'Shape', [skip], { out_type: INT32 });
  const batch = sliceOf(scope, 'batch', shape, { at: 0, isScalar: false });
  const join = { T: INT32, N: attr.int(2), Tidx: INT32 };
  const flat = op('pixels_shape', 'ConcatV2', [batch, ints([-1, channels], [2]), ints([0])], join);
  const pixels = op('pixels', 'Reshape', [skip, flat], { Tshape: INT32 });
  const found = op('found', 'BatchMatMulV2', [basis, pixels], { adj_x: attr.bool(true), adj_y: attr.bool(false) });
  const change = op('change', 'RealDiv', [op('skip_more', 'Sub', [strength, floats([1])]), area]);
  const changed = op('changed', 'Mul', [found, change]);
  const low = op('low', 'BatchMatMulV2', [basis, changed], { adj_x: attr.bool(false), adj_y: attr.bool(false) });
  return op('skip_out', 'AddV2', [skip, op('low_image', 'Reshape', [low, shape], { Tshape: INT32 })]);
}
