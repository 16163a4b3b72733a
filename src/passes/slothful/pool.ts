import * as tf from '@tensorflow/tfjs-core';
import { sample } from '../../kernels/sample.ts';
import { type ControlRow, isUntouched } from './control.ts';
import { type Grid, pooledGrid, pooledSize } from './window.ts';

/**
 * The inputs that keys and values are projected from: `sampled * (1 - blend) + pooled * blend`, both at the row's
 * strides. What a blend of 0 or 1 does not need is not computed, and equal blends are computed once.
 *
 * Windows larger than the grid are clipped to it. An untouched row gives two tensors that share the hidden states' data.
 *
 * @param hiddenStates [B, h*w, C]
 * @param grid [h, w]
 * @returns K input and V input, [B, M, C] with M = `kvTokens(row, grid)`
 */
export function poolKeysValues(hiddenStates: tf.Tensor3D, row: ControlRow, grid: Grid): [tf.Tensor3D, tf.Tensor3D] {
  if (isUntouched(row)) return [share(hiddenStates), share(hiddenStates)];
  return tf.tidy(() => {
    const [batch, , channels] = hiddenStates.shape;
    const [rows, columns] = pooledGrid(row, grid);
    const mixed = blender(tf.reshape(hiddenStates, [batch, rows, columns, channels]), row, pooledSize(row, grid));
    const tokens = (pixels: tf.Tensor4D): tf.Tensor3D => tf.reshape(pixels, [batch, -1, channels]);
    const keys = mixed(row.kBlend);
    const values = row.vBlend === row.kBlend ? keys : mixed(row.vBlend);
    return [tokens(keys), tokens(values)];
  });
}

/** A tensor of its own over the same data. `tf.clone` would copy on wasm. */
function share(tensor: tf.Tensor3D): tf.Tensor3D {
  return tf.reshape(tensor, tensor.shape);
}

/** Mixes by a blend; the sampled and the pooled tensor are each made when a blend first needs them. */
function blender(pixels: tf.Tensor4D, row: ControlRow, size: Grid): (blend: number) => tf.Tensor4D {
  const [, rows, columns] = pixels.shape;
  const window: Pair = [Math.min(row.windowRows, rows), Math.min(row.windowColumns, columns)];
  const strides: Pair = [Math.min(row.strideRows, rows), Math.min(row.strideColumns, columns)];
  const sampled = once(() => sample(pixels, { strides, size }));
  const pooled = once(() => pool(pixels, window, strides, row.mode.endsWith('MAX')));
  return (blend) => {
    // A window of one pixel pools to the sampled tensor, and XNNPACK (wasm) refuses to pool by it.
    if (blend === 0 || (window[0] === 1 && window[1] === 1)) return sampled();
    if (blend === 1) return pooled();
    return tf.add(tf.mul(sampled(), 1 - blend), tf.mul(pooled(), blend));
  };
}

type Pair = [rows: number, columns: number];

function pool(pixels: tf.Tensor4D, window: Pair, strides: Pair, max: boolean): tf.Tensor4D {
  return max ? tf.maxPool(pixels, window, strides, 'valid') : tf.avgPool(pixels, window, strides, 'valid');
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
