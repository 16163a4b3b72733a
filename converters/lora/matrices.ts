/** Tensors that are made of others when they are read: small, and never kept. */
import { SlothfulError } from '../../src/errors.ts';
import { sizeOf } from '../../src/graph/index.ts';
import { toFloat32Array } from '../../src/tensors/index.ts';
import { countNonFinite, type Scratch, type TensorSource, weightDtype } from '../weights/index.ts';

/** Values of a row: of everything behind the first dimension. */
export function columnsOf(source: TensorSource): number {
  return sizeOf(source.shape.slice(1));
}

/**
 * Some values of a tensor, counted from its start.
 *
 * @param scratch where to; what is there is valid until it is used again. New memory without
 * @throws SlothfulError `bad-checkpoint` for NaN and infinities
 */
export async function readFloats(
  source: TensorSource,
  from = 0,
  to = sizeOf(source.shape),
  scratch?: Scratch,
): Promise<Float32Array> {
  const dtype = weightDtype(source);
  const size = dtype === 'F32' ? 4 : 2;
  const room = scratch && new Uint8Array(scratch.take('input', size * (to - from)));
  const bytes = await source.readRange(size * from, size * to, room);
  if (countNonFinite(bytes, dtype)) {
    const problem = 'holds NaN or infinity, which would spoil the weight that it is fused into';
    throw new SlothfulError('bad-checkpoint', `${source.file} tensor "${source.name}"`, problem, 'leave the LoRA out');
  }
  return toFloat32Array(bytes, dtype, scratch?.take('output', 4 * (to - from)));
}

/** A tensor of another one's file that is computed whenever it is read. */
function computed(
  like: TensorSource,
  shape: readonly number[],
  size: number,
  compute: () => Promise<Uint8Array>,
): TensorSource {
  const readRange = async (begin: number, end: number, into: Uint8Array = new Uint8Array(end - begin)) => {
    into.set((await compute()).subarray(begin, end));
    return into.subarray(0, end - begin);
  };
  const { name, file, dtype } = like;
  return { name, file, dtype, shape, readRange, read: (into) => readRange(0, size * sizeOf(shape), into) };
}

/** A matrix [rows, ...] as [columns, rows]. */
export function transposed(source: TensorSource): TensorSource {
  const [rows = 1] = source.shape;
  const columns = columnsOf(source);
  const size = weightDtype(source) === 'F32' ? 4 : 2;
  return computed(source, [columns, rows], size, async () => turnedBytes(await source.read(), rows, columns, size));
}

/** @param size bytes of a value, whatever its dtype */
function turnedBytes(bytes: Uint8Array, rows: number, columns: number, size: number): Uint8Array {
  const turned = new Uint8Array(rows * columns * size);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * size;
      turned.set(bytes.subarray(from, from + size), (column * rows + row) * size);
    }
  }
  return turned;
}

/**
 * The down matrix of a convolution that was decomposed by Tucker: what is done to the taps, times the inputs.
 *
 * Source: LyCORIS, `rebuild_tucker`: sum over j of core[i, j, ...] * down[j, inputs].
 *
 * @param core [rank, own rank, h, w]
 * @param down [own rank, inputs], perhaps as a 1x1 convolution
 * @returns [rank, inputs, h, w]
 */
export function tuckerDown(core: TensorSource, down: TensorSource): TensorSource {
  const [rank = 0, own = 0, ...taps] = core.shape;
  const inputs = columnsOf(down);
  const like = { ...down, dtype: 'F32' };
  return computed(like, [rank, inputs, ...taps], 4, async () => {
    const product = coreProduct(await readFloats(core), await readFloats(down), {
      rank,
      own,
      inputs,
      taps: sizeOf(taps),
    });
    return new Uint8Array(product.buffer);
  });
}

interface CoreSize {
  readonly rank: number;
  readonly own: number;
  readonly inputs: number;
  readonly taps: number;
}

function coreProduct(core: Float32Array, down: Float32Array, { rank, own, inputs, taps }: CoreSize) {
  const product = new Float32Array(rank * inputs * taps);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j < own; j++) {
      const tapsAt = (i * own + j) * taps;
      for (let input = 0; input < inputs; input++) {
        const value = down[j * inputs + input] ?? 0;
        const into = (i * inputs + input) * taps;
        for (let tap = 0; tap < taps; tap++) {
          product[into + tap] = (product[into + tap] ?? 0) + value * (core[tapsAt + tap] ?? 0);
        }
      }
    }
  }
  return product;
}

/** `up` [rows, rank] times `down` [rank, columns], in small. */
export async function smallProduct(up: TensorSource, down: TensorSource): Promise<Float32Array> {
  const [rows = 0] = up.shape;
  const [rank = 0] = down.shape;
  const columns = columnsOf(down);
  const [left, right] = [await readFloats(up), await readFloats(down)];
  const product = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < rank; k++) {
      const value = left[row * rank + k] ?? 0;
      for (let column = 0, at = row * columns; column < columns; column++, at++) {
        product[at] = (product[at] ?? 0) + value * (right[k * columns + column] ?? 0);
      }
    }
  }
  return product;
}
