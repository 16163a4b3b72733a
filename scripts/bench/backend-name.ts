import { BACKEND_NAMES, type KnownBackend } from '../../src/backends/index.ts';
import { SlothfulError } from '../../src/errors.ts';

export type BenchBackend = KnownBackend;

/** A backend by the name that a job is given. */
export function parseBackend(text: string): BenchBackend {
  const name = BACKEND_NAMES.find((known) => known === text);
  if (name) return name;
  throw new SlothfulError('usage', text, 'is not a backend', `name ${BACKEND_NAMES.join(', ')}`);
}
