import { SlothfulError } from '../errors.ts';

/** Numbers with a shape, row-major, on the JavaScript side. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** @throws SlothfulError `bad-input` where the shape does not hold as many values, or one is no finite number */
export function checkValues({ shape, data }: Values, place: string): void {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (size !== data.length) {
    throw new SlothfulError('bad-input', place, `has ${data.length} values, and its shape [${shape}] holds ${size}`);
  }
  checkFinite(data, place);
}

/** @throws SlothfulError `bad-input` naming the first value that is no finite number */
export function checkFinite(data: Float32Array, place: string): void {
  const index = data.findIndex((value) => !Number.isFinite(value));
  if (index >= 0) throw new SlothfulError('bad-input', place, `value ${index} is ${data[index]}, not a finite number`);
}

/** Arrays one after the other. */
export function concatenate(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
