import type * as tensorflow from '@tensorflow/tfjs-core';
import type { Grid } from '../../attention/index.ts';
import { type ControlRow, isUntouched, pooledGrid, pooledSize } from './control.ts';

/** How tensors are moved about: TF.js, and whether they lie in the memory of the JavaScript process. */
export interface PoolingBackend {
  readonly tf: typeof tensorflow;
  readonly inHostMemory: boolean;
}

/**
 * The inputs that keys and values are projected from: `sampled * (1 - blend) + pooled * blend`, both at the row's
 * strides. What a blend of 0 or 1 does not need is not computed, and equal blends are computed once.
 *
 * Windows larger than the grid are clipped to it. An untouched row gives two tensors that share the hidden states' data.
 *
 * @param hiddenStates [B, h*w, C]
 * @param grid [h, w]
 * @returns K input and V input, [B, M, C] with M = `kvTokens(row, grid)`
 * Source: the original node's first release.
 */
export function poolKeysValues(
  backend: PoolingBackend,
  hiddenStates: tensorflow.Tensor3D,
  row: ControlRow,
  grid: Grid,
): [tensorflow.Tensor3D, tensorflow.Tensor3D] {
  const { tf } = backend;
  // A tensor of its own over the same data: `tf.clone` would copy on wasm.
  if (isUntouched(row))
    return [tf.reshape(hiddenStates, hiddenStates.shape), tf.reshape(hiddenStates, hiddenStates.shape)];
  return tf.tidy(() => {
    const [batch, , channels] = hiddenStates.shape;
    const [rows, columns] = pooledGrid(row, grid);
    const pixels: tensorflow.Tensor4D = tf.reshape(hiddenStates, [batch, rows, columns, channels]);
    const mixed = blender(backend, pixels, row, pooledSize(row, grid));
    const tokens = (mix: tensorflow.Tensor4D): tensorflow.Tensor3D => tf.reshape(mix, [batch, -1, channels]);
    const keys = mixed(row.kBlend);
    const values = row.vBlend === row.kBlend ? keys : mixed(row.vBlend);
    return [tokens(keys), tokens(values)];
  });
}

/** Mixes by a blend; the sampled and the pooled tensor are each made when a blend first needs them. */
function blender(
  backend: PoolingBackend,
  pixels: tensorflow.Tensor4D,
  row: ControlRow,
  size: Grid,
): (blend: number) => tensorflow.Tensor4D {
  const { tf } = backend;
  const [, rows, columns] = pixels.shape;
  const window: [number, number] = [Math.min(row.windowRows, rows), Math.min(row.windowColumns, columns)];
  const strides: [number, number] = [Math.min(row.strideRows, rows), Math.min(row.strideColumns, columns)];
  const pool = row.mode.endsWith('MAX') ? tf.maxPool : tf.avgPool;
  const sampled = once(() => sample(backend, pixels, { strides, size }));
  const pooled = once<tensorflow.Tensor4D>(() => pool(pixels, window, strides, 'valid'));
  return (blend) => {
    // A window of one pixel pools to the sampled tensor, and XNNPACK (wasm) refuses to pool by it.
    if (blend === 0 || (window[0] === 1 && window[1] === 1)) return sampled();
    if (blend === 1) return pooled();
    return tf.add(tf.mul(sampled(), 1 - blend), tf.mul(pooled(), blend));
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Which pixels a sampling takes: every stride-th from the first on, `size` of them. */
export interface Sampling {
  readonly strides: Grid;
  readonly size: Grid;
}

/**
 * Every `strides`-th pixel of [B, h, w, C], cropped to `size`: [B, rows, columns, C], exact. In host memory rows are copied,
 * which is 8 times faster than StridedSlice on wasm and cpu; elsewhere a kernel does it.
 */
export function sample(
  { tf, inHostMemory }: PoolingBackend,
  pixels: tensorflow.Tensor4D,
  { strides, size }: Sampling,
): tensorflow.Tensor4D {
  const [batch, , , channels] = pixels.shape;
  if (inHostMemory) return tf.tensor4d(copyPixels(pixels, { strides, size }), [batch, size[0], size[1], channels]);
  // One past the last pixel taken; a whole stride past it might lie beyond the tensor.
  const endRow = (size[0] - 1) * strides[0] + 1;
  const endColumn = (size[1] - 1) * strides[1] + 1;
  const taken = tf.stridedSlice(pixels, [0, 0, 0, 0], [batch, endRow, endColumn, channels], [1, ...strides, 1]);
  return tf.reshape(taken, [batch, size[0], size[1], channels]);
}

function copyPixels(pixels: tensorflow.Tensor4D, { strides, size }: Sampling): Float32Array {
  const [batch, rows, columns, channels] = pixels.shape;
  const values = pixels.dataSync<'float32'>();
  const sampled = new Float32Array(batch * size[0] * size[1] * channels);
  let to = 0;
  for (let item = 0; item < batch; item++) {
    for (let row = 0; row < size[0]; row++) {
      const start = (item * rows + row * strides[0]) * columns;
      for (let column = 0; column < size[1]; column++, to += channels) {
        const from = (start + column * strides[1]) * channels;
        sampled.set(values.subarray(from, from + channels), to);
      }
    }
  }
  return sampled;
}
