import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { DEFAULT_PARAMETERS, readSlothfulMetadata } from '../../passes/slothful/index.ts';
import {
  type Axis,
  lookOf,
  parseAxis,
  type SweepCell,
  type SweptCell,
  sweep,
  sweepCells,
} from '../../pipeline/index.ts';
import type { UNet } from '../../runtime/index.ts';
import type { DenoisingModel } from '../../sampling/index.ts';
import { defineCommand } from '../define-command.ts';
import { withBackendFlag } from '../flags/backend-flag.ts';
import { readParameterChanges, withParameterFlags } from '../flags/parameter-flags.ts';
import { readRequest, withRunFlags } from '../flags/run-flags.ts';
import { startProgress } from '../print/progress.ts';
import { loadSteered } from '../running/load-steered.ts';
import { withCompanionFlags } from '../running/run-companions.ts';
import { type Conditioner, readConditioner } from '../running/run-conditioning.ts';
import { RunFolder } from '../running/run-folder.ts';
import { stoppable } from '../running/run-interrupt.ts';
import { openSession, parametersOver, type RunSession, settingsOf, sourceOf } from '../running/run-session.ts';
import { printSweep, writeSweep } from '../running/sweep-output.ts';
import { readPresets } from '../running/sweep-presets.ts';

function options(cli: Argv<object>) {
  return withParameterFlags(
    withBackendFlag(
      withCompanionFlags(withRunFlags(cli))
        .option('x', { type: 'string', describe: 'across: name=value,value,... of any parameter, sampler, seed, ...' })
        .option('y', { type: 'string', describe: 'downwards: another one' })
        .option('out', { type: 'string', describe: 'folder for what is made; default: the next out/sweep-N' })
        .option('force', { type: 'boolean', default: false, describe: 'replace an earlier sweep' })
        .option('json', { type: 'boolean', default: false, describe: 'print sweep.json' }),
    ),
  );
}

/** `slothful sweep <model> --prompt words --x in_strength=0,3,6,12 --y out_v_blend=0,0.5,1` */
export const sweepCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const [x, y] = [axisOf(argv.x, '--x'), axisOf(argv.y, '--y')];
    const changes = await readParameterChanges(argv);
    const session = await openSession(argv);
    const base = {
      request: readRequest(argv),
      prompt: argv.prompt,
      own: session.record?.parameters ?? DEFAULT_PARAMETERS,
      changes: changes ?? {},
      presets: await readPresets([x, y]),
    };
    const cells = sweepCells(x, y, base);
    if (argv.cond !== undefined && [x, y].some((axis) => axis?.name === 'prompt')) {
      throw new SlothfulError('usage', '--cond', 'cannot be combined with an axis of prompts', 'give one');
    }
    const conditioner = await readConditioner(argv, session, [...new Set(cells.map(({ prompt }) => prompt))]);
    const folder = await RunFolder.open(argv.out, { name: 'sweep', record: 'sweep.json', force: argv.force });
    const settings = completeAll(session, cells, conditioner);
    const { unet, model, dispose } = await loadSteered(argv, session.extent, parametersOver(session.record, changes));
    try {
      const done = await stoppable((signal) =>
        sweepAll({ session, cells, conditioner, settings, unet, model, signal }),
      );
      const stopped = done.length < cells.length;
      const axes = { x, y };
      const record = await writeSweep({ folder, axes, cells: done, stopped, source: sourceOf(argv, session, unet) });
      printSweep(record, folder, argv.json);
      if (stopped) throw stoppedError(done.length, cells.length, folder);
    } finally {
      dispose();
    }
  },
});

function axisOf(text: string | undefined, flag: string): Axis | undefined {
  return text === undefined ? undefined : parseAxis(text, flag);
}

type Settings = ReturnType<typeof settingsOf>;

/** The settings of every cell, checked before anything is loaded; notes are said once. */
function completeAll(session: RunSession, cells: readonly SweepCell[], conditioner: Conditioner) {
  const made = new Map<string, Settings>();
  return new Map<SweepCell, Settings>(
    cells.map((cell) => {
      const key = JSON.stringify(cell.request);
      const guidable = conditioner(cell.prompt).uncond !== undefined;
      const settings = made.get(key) ?? settingsOf(session, cell.request, guidable);
      made.set(key, settings);
      return [cell, settings] as const;
    }),
  );
}

interface SweepAll {
  readonly session: RunSession;
  readonly cells: readonly SweepCell[];
  readonly conditioner: Conditioner;
  readonly settings: ReadonlyMap<SweepCell, Settings>;
  readonly unet: UNet;
  /** The UNet with what steers it. */
  readonly model: DenoisingModel;
  readonly signal: AbortSignal;
}

/** Runs cell after cell; after Ctrl-C those that are done. */
async function sweepAll({
  session,
  cells,
  conditioner,
  settings,
  unet,
  model,
  signal,
}: SweepAll): Promise<SweptCell[]> {
  const { graph, extent, place } = session;
  const patch = readSlothfulMetadata(unet.metadata);
  if (!patch) throw new SlothfulError('bug', place, 'was loaded for a sweep and is not patched');
  console.error(`sweeping ${cells.length} combinations`);
  const progress = startProgress('sweeping');
  const done: SweptCell[] = [];
  const task = {
    ...{ unet: model, graph, patch, cells, signal, look: lookOf(graph.metadata, extent, place) },
    settingsOf: (cell: SweepCell) => found(settings.get(cell)),
    conditioningOf: (cell: SweepCell) => conditioner(cell.prompt),
    onStep: (steps: number, total: number) => progress.update(steps, total, 'step'),
  };
  try {
    for await (const cell of sweep(task)) done.push(cell);
    return done;
  } finally {
    progress.end();
  }
}

function found(settings: Settings | undefined): Settings {
  if (settings) return settings;
  throw new SlothfulError('bug', 'sweep', 'a cell has no settings');
}

function stoppedError(done: number, all: number, { path }: RunFolder): SlothfulError {
  return new SlothfulError('aborted', path, `stopped after ${done} of ${all} combinations; what was done is there`);
}
