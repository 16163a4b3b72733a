import type { Argv } from 'yargs';
import { parseTimestepInput, type TimestepSinusoid } from '../../runtime/index.ts';

/** The flag for models that take an embedding in the place of the timestep. */
export interface TimestepArguments {
  readonly timestepInput?: string | undefined;
}

/** Adds `--timestep-input`. */
export function withTimestepFlag<T>(cli: Argv<T>) {
  return cli.option('timestep-input', {
    type: 'string',
    describe: 'how the model makes the embedding of a timestep that it takes: sinusoid:cos-sin or sinusoid:sin-cos',
  });
}

/** How the embedding is made; undefined where the flag is not given. @throws SlothfulError `usage` */
export function readTimestepInput({ timestepInput }: TimestepArguments): TimestepSinusoid | undefined {
  return timestepInput === undefined ? undefined : parseTimestepInput(timestepInput);
}
