import type { Argv } from 'yargs';

const BACKENDS = ['native', 'wasm', 'cpu'] as const;

/** Adds `--backend`, which forces one and fails where that does not work. */
export function withBackendFlag<T>(cli: Argv<T>) {
  return cli.option('backend', { choices: BACKENDS, describe: 'compute on this; by default the first that works' });
}
