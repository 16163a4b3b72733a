import { SlothfulError } from '../../src/errors.ts';

const NAMES = ['native', 'wasm', 'cpu'] as const;
export type BenchBackend = (typeof NAMES)[number];

/** A backend by the name that a job is given. */
export function parseBackend(text: string): BenchBackend {
  const name = NAMES.find((known) => known === text);
  if (name) return name;
  throw new SlothfulError('usage', text, 'is not a backend', `name ${NAMES.join(', ')}`);
}
