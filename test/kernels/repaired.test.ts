import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { repairKernels } from '../../src/kernels/index.ts';
import { useBackend } from '../support/backend.ts';

const test = suite('kernels that a backend has and that refuse or compute wrongly');

/** Values that are not whole and of which no two are the same. */
function values(...shape: number[]): tf.Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, index) => Math.sin(1 + index * 1.7)),
    shape,
  );
}

/** The same of rank 4. */
function image(...shape: [number, number, number, number]): tf.Tensor4D {
  return tf.reshape(values(...shape), shape);
}

function convolution(
  bias: readonly number[],
  activation: 'linear' | 'relu' | 'relu6' | 'elu' | 'sigmoid' | 'leakyrelu',
) {
  const [x, filter] = [image(2, 5, 4, 3), image(3, 3, 3, 4)];
  return tf.fused.conv2d({
    ...{ x, filter, strides: 2, pad: 'same', bias: values(...bias), activation, leakyreluAlpha: 0.3 },
  });
}

function depthwise(bias: readonly number[]) {
  const [x, filter] = [image(1, 5, 4, 2), image(3, 3, 2, 2)];
  return tf.fused.depthwiseConv2d({ x, filter, strides: 1, pad: 'same', bias: values(...bias), activation: 'relu' });
}

function product(a: readonly number[], b: readonly number[], bias: readonly number[], transposed: 'a' | 'b' | 'none') {
  return tf.fused.matMul({
    ...{ a: values(...a), b: values(...b), bias: values(...bias), activation: 'relu' },
    ...{ transposeA: transposed === 'a', transposeB: transposed === 'b' },
  });
}

function parametric() {
  const [x, filter] = [image(1, 3, 3, 2), image(1, 1, 2, 4)];
  const given = { x, filter, strides: 1, pad: 'valid', bias: values(1, 1, 4), activation: 'prelu' } as const;
  return tf.fused.conv2d({ ...given, preluActivationWeights: values(4) });
}

const indices = () => tf.tensor1d([2, 0, 5], 'int32');
const whole = (...shape: number[]) => tf.cast(tf.mul(values(...shape), 10), 'int32');

/** What is computed, on the cpu backend and on wasm alike. */
const CASES: Readonly<Record<string, () => tf.Tensor>> = {
  'a convolution with one bias for all channels': () => convolution([1], 'relu'),
  'a convolution with a bias of rank 0': () => convolution([], 'elu'),
  'a convolution with a bias of rank 3': () => convolution([1, 1, 4], 'sigmoid'),
  'a convolution with a bias of rank 4': () => convolution([1, 1, 1, 4], 'leakyrelu'),
  'a convolution with a bias of each pixel': () => convolution([3, 2, 4], 'relu6'),
  'a convolution with the bias that wasm has': () => convolution([4], 'linear'),
  'a convolution with a bias of rank 3 and weights of its activation': parametric,
  'a depthwise convolution with a bias of rank 3': () => depthwise([1, 1, 4]),
  'a depthwise convolution with one bias for all channels': () => depthwise([1]),
  'a product of several matrices with a bias': () => product([2, 4, 3], [2, 3, 5], [5], 'none'),
  'a product with the left matrix turned': () => product([3, 4], [3, 5], [5], 'a'),
  'a product with the right matrix turned': () => product([4, 3], [5, 3], [5], 'b'),
  'a product with one bias for all': () => product([4, 3], [3, 5], [1], 'none'),
  'a product with the bias that wasm has': () => product([4, 3], [3, 5], [5], 'none'),
  'a product of whole numbers': () => tf.matMul(whole(2, 3, 4), whole(2, 4, 5)),
  'a table of ones and zeros': () => tf.oneHot(indices(), 4, 1, 0, 'float32'),
  'a table of two other values': () => tf.oneHot(indices(), 4, 0.5, -2, 'float32'),
  'a table of truth values': () => tf.oneHot(indices(), 4, 1, 0, 'bool'),
  'a table of whole numbers': () => tf.oneHot(indices(), 4, 3, 1, 'int32'),
  'small numbers as truth values': () => tf.cast(tf.tensor1d([0, 0.25, -0.5, 256, 2]), 'bool'),
  'whole numbers as truth values': () => tf.cast(tf.tensor1d([0, 256, -1], 'int32'), 'bool'),
};

interface Computed {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: readonly number[];
}

function compute(make: () => tf.Tensor): Computed {
  const result = tf.tidy(make);
  const { shape, dtype } = result;
  const computed = { shape, dtype, values: [...result.dataSync()] };
  result.dispose();
  return computed;
}

for (const [what, make] of Object.entries(CASES)) {
  test(what, async () => {
    await useBackend('cpu');
    const right = compute(make);
    await useBackend('wasm');
    repairKernels();
    const before = tf.memory().numTensors;
    const got = compute(make);
    assert.is(tf.memory().numTensors, before, 'no tensor is left');
    assert.equal([got.shape, got.dtype], [right.shape, right.dtype]);
    const off = right.values.map((value, index) => Math.abs(value - (got.values[index] ?? Number.NaN)));
    assert.ok(
      off.every((difference) => difference < 1e-5),
      `off by ${Math.max(...off)}`,
    );
  });
}

test('kernels are repaired once, and those of other backends are left alone', async () => {
  await useBackend('wasm');
  repairKernels();
  const kernel = tf.getKernel('FusedConv2D', 'wasm').kernelFunc;
  repairKernels();
  assert.is(tf.getKernel('FusedConv2D', 'wasm').kernelFunc, kernel);
  await useBackend('cpu');
  const own = tf.getKernel('FusedConv2D', 'cpu').kernelFunc;
  repairKernels();
  assert.is(tf.getKernel('FusedConv2D', 'cpu').kernelFunc, own);
});

test.run();
