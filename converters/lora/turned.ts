import { type TensorSource, weightDtype } from '../weights/index.ts';
import type { LoraModule } from './open.ts';

/**
 * A module for a weight that is stored [inputs, outputs]: what is added to that is the transposed product, which is the
 * product of both matrices transposed and exchanged.
 */
export function turnedModule(module: LoraModule): LoraModule {
  return { ...module, down: transposed(module.up), up: transposed(module.down) };
}

/** A matrix transposed; it is read as a whole, once, and kept: matrices of a LoRA are small. */
function transposed(source: TensorSource): TensorSource {
  const [rows = 1, ...inner] = source.shape;
  const columns = inner.reduce((product, size) => product * size, 1);
  const size = weightDtype(source) === 'F32' ? 4 : 2;
  let turned: Promise<Uint8Array> | undefined;
  const readRange = async (begin: number, end: number, into: Uint8Array = new Uint8Array(end - begin)) => {
    turned ??= source.read().then((bytes) => turnedBytes(bytes, rows, columns, size));
    into.set((await turned).subarray(begin, end));
    return into.subarray(0, end - begin);
  };
  return { ...source, shape: [columns, rows], readRange, read: (into) => readRange(0, rows * columns * size, into) };
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
