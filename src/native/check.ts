/**
 * Runs in a process of its own: loads the backend as the toolkit does, multiplies two matrices, compares with the plain
 * product and measures. Prints a CheckResult as JSON, or the reason on stderr.
 */
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { messageOf, SlothfulError } from '../errors.ts';
import { chooseBackend } from '../runtime/node.ts';
import type { CheckResult } from './check-result.ts';
import { runProgram } from './run-program.ts';

/** fp32 sums of 48 products of values below 1; TF32, which TensorFlow takes on newer GPUs, has 10 bits. */
const TOLERANCE = { CPU: 1e-4, GPU: 5e-2 };

const SIZE = 2048;
const ROUNDS = 5;

async function check(): Promise<CheckResult> {
  const { failed, device } = await chooseBackend({ backend: 'native' });
  // The addon that was set up comes first: where it fails, another package's may work, and that is not what is asked.
  const failure = failed[0];
  if (failure) throw new SlothfulError('backend', failure.from, failure.reason);
  const on = device === 'GPU' ? 'GPU' : 'CPU';
  const maxError = await compareProduct();
  if (!(maxError <= TOLERANCE[on])) {
    throw new SlothfulError('backend', 'matrix product', `differs from the plain one by ${maxError}`);
  }
  const deviceName = on === 'GPU' ? await gpuName() : (cpus()[0]?.model ?? 'unknown');
  return { device: on, deviceName, tensorflow: tensorflowVersion(), maxError, gflops: await measure() };
}

/** Largest difference between the backend's product and one made by loops. */
async function compareProduct(): Promise<number> {
  const [rows, inner, columns] = [37, 48, 29];
  const a = tf.randomUniform([rows, inner], -1, 1, 'float32', 1);
  const b = tf.randomUniform([inner, columns], -1, 1, 'float32', 2);
  const product = tf.matMul(a, b);
  const [left, right, got] = await Promise.all([a.data(), b.data(), product.data()]);
  tf.dispose([a, b, product]);
  let worst = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += (left[row * inner + k] ?? NaN) * (right[k * columns + column] ?? NaN);
      const difference = Math.abs(sum - (got[row * columns + column] ?? NaN));
      worst = Math.max(worst, difference);
    }
  }
  return worst;
}

/** GFLOPS of the best of a few rounds of chained products; only one value is read back. */
async function measure(): Promise<number> {
  const matrix = tf.randomUniform([SIZE, SIZE], -1 / SIZE, 1 / SIZE, 'float32', 3);
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const corner = tf.tidy(() => tf.slice(tf.matMul(tf.matMul(matrix, matrix), matrix), [0, 0], [1, 1]));
    await corner.data();
    corner.dispose();
    best = Math.max(best, (2 * 2 * SIZE ** 3) / (performance.now() - start) / 1e6);
  }
  matrix.dispose();
  return best;
}

function tensorflowVersion(): string {
  const backend: object = tf.backend();
  const binding: unknown = Reflect.get(backend, 'binding');
  const version: unknown = typeof binding === 'object' && binding ? Reflect.get(binding, 'TF_Version') : undefined;
  return typeof version === 'string' ? version : 'unknown';
}

async function gpuName(): Promise<string> {
  const { status, stdout } = await runProgram('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader']);
  return (status === 0 && stdout.split('\n')[0]?.trim()) || 'unknown GPU';
}

try {
  process.stdout.write(`${JSON.stringify(await check())}\n`);
} catch (error) {
  process.stderr.write(`error: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
