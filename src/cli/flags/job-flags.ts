import type { Argv } from 'yargs';
import type { FolderJob } from '../../jobs/node.ts';
import { DECODERS, type JobProgress } from '../../pipeline/index.ts';
import { sayLine } from '../printer.ts';
import { printNote, type startBars } from '../terminal.ts';
import {
  type ParameterArguments,
  parameterFiles,
  readParameterChanges,
  withParameterFlags,
} from './parameter-flags.ts';
import { type PassArguments, readPasses, withPassFlags } from './pass-flags.ts';
import {
  type CompanionArguments,
  type RunArguments,
  readCompanions,
  readRun,
  withBackendFlag,
  withCompanionFlags,
  withRunFlags,
} from './run-flags.ts';
import { readExtent, type SizeArguments, withSizeFlags } from './size-flags.ts';
import { readTimestepInput, type TimestepArguments, withTimestepFlag } from './timestep-flag.ts';

/** The flags that `run` and `sweep` have in common. */
export interface JobArguments
  extends RunArguments,
    CompanionArguments,
    SizeArguments,
    ParameterArguments,
    PassArguments,
    TimestepArguments,
    Pick<FolderJob, 'model' | 'noise' | 'decoder' | 'tile' | 'out' | 'force' | 'backend'> {}

/** Adds the model of a job, its size, what it is told and what goes beside it. */
export function withJobModel<T>(cli: Argv<T>) {
  const model = cli.positional('model', {
    type: 'string',
    demandOption: true,
    describe: 'converted model, patched or plain',
  });
  const group = 'Pictures:';
  return withCompanionFlags(withRunFlags(withSizeFlags(model)))
    .option('noise', {
      type: 'string',
      group,
      describe: 'safetensors with "noise" [B, 4, h, w] in the place of the seed',
    })
    .option('decoder', { choices: DECODERS, group, describe: 'what makes pictures of latents; default: the VAE' })
    .option('tile', {
      type: 'number',
      group,
      describe: 'decode in tiles of so many pixels; 0: never; default: as memory asks',
    });
}

/** Adds what computes a job, and the passes that act. */
export function withSteeringFlags<T>(cli: Argv<T>) {
  return withPassFlags(withParameterFlags(withTimestepFlag(withBackendFlag(cli))));
}

/** What the flags ask of a job. @throws SlothfulError `usage`, `bad-parameter` and what reading parameters throws */
export async function readJob(argv: JobArguments) {
  const asked = { ...readRun(argv), ...readExtent(argv), ...readCompanions(argv) };
  const { model, noise, decoder, tile, out, force, backend } = argv;
  const parameters = await readParameterChanges(argv);
  const alsoRead = parameterFiles(argv);
  const passes = readPasses(argv);
  const timestepInput = readTimestepInput(argv);
  return { ...asked, model, noise, decoder, tile, out, force, backend, timestepInput, parameters, passes, alsoRead };
}

/** What the progress of a part counts; bytes are not said. */
const UNITS: Readonly<Record<JobProgress['part'], string | undefined>> = {
  loading: undefined,
  denoising: 'step',
  plain: 'step',
  patched: 'step',
  sweeping: 'step',
  encoding: 'tile',
  decoding: 'tile',
};

/** Tells on stderr how a job gets on. */
export function jobReports(bars: ReturnType<typeof startBars>) {
  return {
    onNote: printNote,
    log: sayLine,
    onProgress: ({ part, done, total }) => bars.update(part, done, total, UNITS[part]),
  } satisfies Partial<FolderJob>;
}
