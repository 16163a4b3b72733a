import { type FloatDtype, floatBytes, streamSafetensors, toFloatBytes } from '../../src/tensors/node.ts';

/** A tensor of a file that is to be written. */
export interface RandomTensor {
  readonly key: string;
  readonly shape: readonly number[];
}

export type WriteProgress = (done: number, total: number) => void;

/**
 * Values of one block. A prime, so that the rows of a matrix, which are cut out of repetitions of the block, all differ:
 * the first row that equals another one is the 262,139th.
 */
const BLOCK = 262_139;

/**
 * Writes a safetensors file of random weights, as a whole or not at all. It is streamed from a few blocks, so that it
 * takes no more memory at 10 GB than at 10 MB.
 *
 * @returns the file's bytes
 */
export function writeRandomFile(
  path: string,
  tensors: readonly RandomTensor[],
  dtype: FloatDtype,
  onProgress?: WriteProgress,
): Promise<number> {
  const random = new RandomWeights(dtype);
  const streamed = tensors.map(({ key, shape }) => {
    return { name: key, dtype, shape, pieces: () => random.pieces(key, shape) };
  });
  return streamSafetensors(path, streamed, { onProgress });
}

/**
 * Random weights that a network can be run with: norms scale by 1, biases are 0, everything else is uniform with the
 * variance 1 / fan-in, so that what leaves a layer is about as large as what enters it.
 *
 * The same seedless generator every time: equal names and shapes give equal bytes.
 */
export class RandomWeights {
  private readonly blocks = new Map<number, Uint8Array>();

  constructor(private readonly dtype: FloatDtype) {}

  /** The bytes of a tensor, as pieces of blocks that are used again: not to be written to. */
  *pieces(name: string, shape: readonly number[]): Generator<Uint8Array> {
    const [, ...inputs] = shape;
    const values = shape.reduce((product, size) => product * size, 1);
    const fanIn = inputs.reduce((product, size) => product * size, 1);
    const constant = shape.length < 2 ? (/[._]bias$/.test(name) ? 0 : 1) : undefined;
    const block = constant === undefined ? this.randomBlock(fanIn) : toFloatBytes(filled(values, constant), this.dtype);
    let left = values * floatBytes(this.dtype);
    while (left > 0) {
      const piece = block.subarray(0, Math.min(left, block.length));
      left -= piece.length;
      yield piece;
    }
  }

  private randomBlock(fanIn: number): Uint8Array {
    const known = this.blocks.get(fanIn);
    if (known) return known;
    const block = toFloatBytes(uniform(BLOCK, Math.sqrt(3 / fanIn), fanIn), this.dtype);
    this.blocks.set(fanIn, block);
    return block;
  }
}

function filled(count: number, value: number): Float32Array {
  return new Float32Array(count).fill(value);
}

/** Uniform in [-limit, limit). Source of the generator: mulberry32 (Tommy Ettinger, public domain). */
function uniform(count: number, limit: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1) * limit;
  });
}
