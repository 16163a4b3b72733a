import type { RandomTensor } from './random-weights.ts';

/** The tensors of a norm. */
export function norm(module: string, width: number): RandomTensor[] {
  return [
    { key: `${module}.weight`, shape: [width] },
    { key: `${module}.bias`, shape: [width] },
  ];
}

/** The tensors of a linear layer. */
export function linear(module: string, inputs: number, outputs: number): RandomTensor[] {
  return [
    { key: `${module}.weight`, shape: [outputs, inputs] },
    { key: `${module}.bias`, shape: [outputs] },
  ];
}

/** The tensors of a convolution. */
export function conv(module: string, inputs: number, outputs: number, kernel: 1 | 3 = 3): RandomTensor[] {
  return [
    { key: `${module}.weight`, shape: [outputs, inputs, kernel, kernel] },
    { key: `${module}.bias`, shape: [outputs] },
  ];
}

/** 0, 1, ... count - 1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
