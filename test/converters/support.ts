import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { encodeSafetensors, type StoredTensor } from '../../src/tensors/index.ts';

/** A folder that is removed when the test process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slothful-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A safetensors file of any header, true or not, and of any number of data bytes. */
export function safetensorsBytes(header: unknown, dataBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** Writes a valid safetensors file of F16 zeros with these names and shapes. */
export function writeZeros(path: string, shapes: ReadonlyMap<string, readonly number[]>): void {
  const zeros = [...shapes].map(([name, shape]): [string, StoredTensor] => {
    const bytes = new Uint8Array(2 * shape.reduce((product, size) => product * size, 1));
    return [name, { dtype: 'F16', shape, bytes }];
  });
  writeFileSync(path, encodeSafetensors(new Map(zeros)));
}

/** The SlothfulError that a promise rejects with; anything else fails the test. */
export async function rejection(promise: Promise<unknown>): Promise<SlothfulError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SlothfulError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The SlothfulError that a function throws. */
export function thrown(run: () => unknown): SlothfulError {
  try {
    run();
  } catch (error) {
    if (error instanceof SlothfulError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
