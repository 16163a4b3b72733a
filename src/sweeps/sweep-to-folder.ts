import { SlothfulError } from '../errors.ts';
import { printCsv } from '../pages/index.ts';
import { DEFAULT_PARAMETERS, type PassParameters, type SlothfulParameters } from '../passes/index.ts';
import { encodePng } from '../pictures/node.ts';
import {
  type Conditioner,
  extentOf,
  lookOf,
  type OpenedModel,
  parametersInForce,
  pixelsOf,
  type RunSource,
  requestOf,
  resolveRun,
  type SteeredUNet,
} from '../pipeline/index.ts';
import {
  type FolderJob,
  openJob,
  RunFolder,
  readConditioner,
  readPreset,
  sourceOf,
  steerJob,
} from '../pipeline/node.ts';
import type { RunSettings } from '../sampling/index.ts';
import type { Axis } from './axis.ts';
import { type SweptCell, sweep } from './sweep.ts';
import { sweepPage } from './sweep-page.ts';
import { type SweepCell, sweepCells } from './sweep-plan.ts';
import { type SweepRecord, sweepRecord, sweepTable } from './sweep-record.ts';
import { sweepSheet } from './sweep-sheet.ts';

const SHEET = 'sheet.png';
const PAGE = 'index.html';
const TABLE = 'measures.csv';

/** A sweep whose sheet, page, table and record go into a folder. */
export interface SweepJob extends Omit<FolderJob, 'onBegin' | 'batch'> {
  /** Across; `parseAxis` reads one. */
  readonly x?: Axis | undefined;
  /** Downwards. */
  readonly y?: Axis | undefined;
  /** Called when all is loaded, before the first step. */
  readonly onBegin?: ((combinations: number) => void) | undefined;
}

/** What a sweep left. */
export interface FolderSweep {
  readonly folder: string;
  /** Names of what lies beside sweep.json. */
  readonly files: readonly string[];
  /** What sweep.json holds; `stopped` where the signal ended it. */
  readonly record: SweepRecord;
  /** In force but for what the axes change. */
  readonly parameters: SlothfulParameters;
  /** How many combinations were to be done. */
  readonly combinations: number;
}

/**
 * Runs every combination of one or two axes, and leaves one labelled sheet, a page, a table of measures and sweep.json in a
 * folder: what `slothful sweep` does. All settings and prompts are checked before anything is loaded.
 *
 * @throws SlothfulError as `runToFolder`
 */
export async function sweepToFolder(job: SweepJob): Promise<FolderSweep> {
  const { x, y } = job;
  refusePromptsBesideTensors(job);
  const shared: FolderJob = { ...job, onBegin: undefined };
  const model = await openJob(shared);
  const cells = sweepCells(x, y, {
    ...{ request: requestOf(job), prompt: job.prompt, changes: job.parameters ?? {} },
    own: model.patch?.parameters ?? DEFAULT_PARAMETERS,
    ...{ metadata: model.graph.metadata, passes: job.passes },
    presets: await readPresets([x, y]),
  });
  const extent = extentOf(model, job);
  const prompts = [...new Set(cells.map(({ prompt }) => prompt))];
  const conditioner = await readConditioner(model, job, pixelsOf(extent), prompts);
  const folder = await RunFolder.open(job.out, { name: 'sweep', record: 'sweep.json', force: job.force ?? false });
  const settings = resolveAll(job, model, cells, conditioner);
  const parameters = parametersInForce(model.patch, job.parameters);
  const steered = await steerJob(shared, model, extent, { parameters, passes: loadedPasses(cells) });
  try {
    job.onBegin?.(cells.length);
    const done = await sweepAll(job, { model, cells, conditioner, settings, steered });
    const stopped = done.length < cells.length;
    const source = sourceOf(shared, model, steered.unet);
    const record = await writeSweep({ folder, x, y, cells: done, stopped, source });
    return { folder: folder.path, files: folder.files, record, parameters, combinations: cells.length };
  } finally {
    steered.dispose();
  }
}

/** Every pass that acts in any cell: the model is loaded with all of them. */
function loadedPasses(cells: readonly SweepCell[]): PassParameters {
  return Object.assign({}, ...cells.map(({ passes }) => passes));
}

function refusePromptsBesideTensors({ cond, x, y }: SweepJob): void {
  if (cond === undefined || ![x, y].some((axis) => axis?.name === 'prompt')) return;
  throw new SlothfulError('usage', '--cond', 'cannot be combined with an axis of prompts', 'give one');
}

/** What the values of an axis of presets stand for. Undefined: without Slothful Attention. */
async function readPresets(axes: ReadonlyArray<Axis | undefined>) {
  const presets = new Map<string, SlothfulParameters | undefined>();
  const values = axes.flatMap((axis) => axis?.values ?? []);
  for (const { change } of values) {
    if (change.preset !== undefined) presets.set(change.preset, await readPreset(change.preset));
  }
  return presets;
}

type SettingsOf = (cell: SweepCell) => RunSettings;

/** The settings of every cell, checked before anything is loaded; what is noted of several is said once. */
function resolveAll(
  job: SweepJob,
  model: OpenedModel,
  cells: readonly SweepCell[],
  conditioner: Conditioner,
): SettingsOf {
  const { size, rows, columns } = job;
  const made = new Map<string, RunSettings>();
  const said = new Set<string>();
  const keyOf = ({ request }: SweepCell) => JSON.stringify(request);
  for (const cell of cells) {
    if (made.has(keyOf(cell))) continue;
    const choices = { ...cell.request, size, rows, columns, conditioning: conditioner(cell.prompt) };
    const { settings, notes } = resolveRun(model, choices);
    made.set(keyOf(cell), settings);
    for (const note of notes) said.add(note);
  }
  for (const note of said) job.onNote?.(note);
  return (cell) => {
    const settings = made.get(keyOf(cell));
    if (settings) return settings;
    throw new SlothfulError('bug', 'sweep', 'a cell has no settings');
  };
}

interface SweepAll {
  readonly model: OpenedModel;
  readonly cells: readonly SweepCell[];
  readonly conditioner: Conditioner;
  readonly settings: SettingsOf;
  readonly steered: SteeredUNet;
}

/** Runs cell after cell; where the signal stops it, those that are done. */
async function sweepAll({ signal, onProgress }: SweepJob, all: SweepAll): Promise<SweptCell[]> {
  const { model, cells, conditioner, settings, steered } = all;
  const patch = steered.patchWith(DEFAULT_PARAMETERS)?.metadata;
  if (!patch) throw new SlothfulError('bug', model.place, 'was loaded for a sweep and is not patched');
  const [first] = cells;
  const extent = first ? settings(first) : extentOf(model);
  const done: SweptCell[] = [];
  const task = {
    ...{ unet: steered.model, graph: model.graph, patch, cells, signal, settingsOf: settings },
    look: lookOf(model.graph.metadata, extent, model.place),
    conditioningOf: (cell: SweepCell) => conditioner(cell.prompt),
    onStep: (steps: number, total: number) => onProgress?.({ part: 'sweeping', done: steps, total }),
  };
  for await (const cell of sweep(task)) done.push(cell);
  return done;
}

/** A sweep that is over, and where its files go. */
interface FinishedSweep {
  readonly folder: RunFolder;
  readonly x: Axis | undefined;
  readonly y: Axis | undefined;
  readonly cells: readonly SweptCell[];
  readonly stopped: boolean;
  readonly source: RunSource;
}

/** Writes everything that a sweep leaves; of one that was stopped before its first combination, sweep.json alone. */
async function writeSweep({ folder, x, y, cells, stopped, source }: FinishedSweep): Promise<SweepRecord> {
  const axes = [x, y].filter((axis) => axis !== undefined);
  const names = axes.map(({ name }) => name);
  const files = cells.length ? [SHEET, PAGE, TABLE] : [];
  const record = sweepRecord({ source, axes, cells, stopped, files });
  if (cells.length) {
    await folder.write(SHEET, encodePng(sweepSheet({ x, y, cells })));
    await folder.write(PAGE, sweepPage(record, cells, names));
    await folder.write(TABLE, printCsv(sweepTable(record)));
  }
  await folder.finish(record);
  return record;
}
