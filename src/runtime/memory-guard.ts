import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { loadedBytes, type WeightSpec } from '../graph/index.ts';

/** WebAssembly's address space; past it the wasm backend overwrites its own memory without a word. */
const WASM_LIMIT = 2 ** 32;
/** What the activations of the smallest useful step take. */
const WASM_HEADROOM = 2 ** 28;

/**
 * Refuses a model that the running backend cannot hold, before any weight is read.
 *
 * On wasm a weight of a matrix product or a convolution is kept twice: as loaded, and packed for XNNPACK at its first
 * use.
 *
 * @throws SlothfulError `backend` with the bytes needed and the limit
 */
export function guardMemory(weights: readonly WeightSpec[], place: string): void {
  if (tf.getBackend() !== 'wasm') return;
  const loaded = sum(weights);
  const packed = sum(weights.filter(({ shape }) => shape.length >= 2));
  if (loaded + packed + WASM_HEADROOM <= WASM_LIMIT) return;
  throw new SlothfulError(
    'backend',
    place,
    `needs ${gib(loaded)} of weights, kept twice on wasm (${gib(loaded + packed)}), and wasm has 4 GiB in all`,
    'use the native backend (npx slothful setup-native) or --backend cpu, which is slow',
  );
}

function sum(weights: readonly WeightSpec[]): number {
  return weights.reduce((total, weight) => total + loadedBytes(weight), 0);
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
