import { closeSync, openSync, readSync } from 'node:fs';
import { SlothfulError } from '../../src/errors.ts';

/** How a hypernetwork's tensors are called once they are safetensors: the width that they are for, k or v, the layer. */
export const HYPERNETWORK_NAMES = /^(?:hyper_?net(?:work)?s?[._])?\d{3,4}\.[01]\.linear/;

/** Fields of the pickle that AUTOMATIC1111's web UI writes; its names are plain text near the start. */
const PICKLED_FIELDS = ['layer_structure', 'linear.0.weight', 'linear1.weight'];
const START_BYTES = 1 << 18;

/** Whether a pickled file is a hypernetwork, told by the names at its start: nothing is unpickled. */
export function isPickledHypernetwork(path: string): boolean {
  const start = Buffer.alloc(START_BYTES);
  let length = 0;
  try {
    const file = openSync(path, 'r');
    try {
      length = readSync(file, start, 0, START_BYTES, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return false; // It cannot be read, which whoever wants to read it will say better.
  }
  const text = start.toString('latin1', 0, length);
  return text.includes('activation_func') && PICKLED_FIELDS.some((name) => text.includes(name));
}

/** Refuses a hypernetwork by name. */
export function refuseHypernetwork(path: string): never {
  throw new SlothfulError(
    'unsupported',
    path,
    'is a hypernetwork: it puts networks of its own before the keys and values of cross-attention, and is no set of weights',
    'leave it out; a LoRA can be fused with --lora',
  );
}
