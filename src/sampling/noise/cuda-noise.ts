import { philox } from './random.ts';
import type { NormalGenerator } from './torch-noise.ts';

const WORD = 2 ** 32;
/** CUDA's constant is one of single precision. */
const ANGLE = Math.fround((2 * Math.PI) / WORD);

/**
 * `torch.randn` of a CUDA generator, draw after draw, as A1111's random source "NV" makes it on any computer: value i of
 * draw n is of Philox4x32-10 with the seed as key and (n, 0, i, 0) as counter. A real card gives more values than it has
 * threads another order (43,008 on an RTX 3060); A1111 does not. Source: modules/rng_philox.py of A1111's webui.
 *
 * @param seed 0 to 2^64 - 1
 */
export function cudaNoise(seed: bigint): NormalGenerator {
  const key = [Number(BigInt.asUintN(32, seed)), Number(BigInt.asUintN(32, seed >> 32n))] as const;
  let draw = 0;
  return {
    normal: (count) => {
      const values = new Float32Array(count);
      for (let index = 0; index < count; index++) {
        const [first, second] = philox([draw, 0, index, 0], key);
        values[index] = Math.sqrt(-2 * Math.log((first + 0.5) / WORD)) * Math.sin(ANGLE * (second + 0.5));
      }
      draw++;
      return values;
    },
  };
}
