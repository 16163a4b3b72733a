import { SlothfulError } from '../errors.ts';
import {
  type FolderJob,
  openFolder,
  openJob,
  type RunFolder,
  readNoise,
  readPreset,
  setupOf,
  sourceOf,
  withPaths,
} from '../jobs/node.ts';
import { printCsv } from '../pages/index.ts';
import { DEFAULT_PARAMETERS, type PassParameters, type SlothfulParameters } from '../passes/index.ts';
import { encodePng } from '../pictures/node.ts';
import {
  type Conditioner,
  decoderOf,
  evaluatedParts,
  lookOf,
  type OpenedModel,
  type PipelineSetup,
  PipelineStages,
  parametersInForce,
  type RunRequest,
  type RunSource,
  requestOf,
  resolveTold,
  type StartImage,
  type SteeredUNet,
  startChoices,
  type TakenBeside,
  takenBeside,
} from '../pipeline/index.ts';
import type { RunSettings } from '../sampling/index.ts';
import type { Axis } from './axis.ts';
import { type DenoisedCell, drawCells, type SweepTask, type SweptCell, sweep } from './sweep.ts';
import { sweepPage } from './sweep-page.ts';
import { plainKey, type SweepCell, sweepCells } from './sweep-plan.ts';
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
export async function sweepToFolder(asked: SweepJob): Promise<FolderSweep> {
  const job = withPaths(asked);
  const { x, y } = job;
  refuseAxes(job);
  const shared: FolderJob = { ...job, onBegin: undefined };
  const model = await openJob(shared);
  const setup = await setupOf(shared, model);
  const cells = sweepCells(x, y, {
    ...{
      request: requestFor(job, setup.start, takenBeside(model.graph)),
      prompt: job.prompt,
      changes: job.parameters ?? {},
    },
    own: model.patch?.parameters ?? DEFAULT_PARAMETERS,
    ...{ metadata: model.graph.metadata, passes: job.passes },
    presets: await readPresets([x, y]),
  });
  const settings = resolveAll(job, model, cells, setup);
  const folder = await openFolder({ ...shared, alsoRead: [...(job.alsoRead ?? []), ...presetFiles([x, y])] }, 'sweep');
  const parameters = parametersInForce(model.patch, job.parameters);
  const swept = await sweepAll(job, { model, setup, cells, settings, parameters });
  const stopped = swept.cells.length < cells.length;
  const source = sourceOf(shared, model, swept.backend);
  const record = await folder.during(
    () => writeSweep({ folder, x, y, cells: swept.cells, stopped, source }),
    () => !stopped && swept.failure === undefined,
  );
  if (swept.failure) throw swept.failure;
  return { folder: folder.path, files: folder.files, record, parameters, combinations: cells.length };
}

/** The request that all cells share; where they start from an image, with a strength. */
function requestFor(job: SweepJob, start: StartImage | undefined, taken: TakenBeside | undefined): RunRequest {
  const request = requestOf(job);
  return { ...request, strength: startChoices(job, start, taken).strength };
}

/** Every pass that acts in any cell: the model is loaded with all of them. */
function loadedPasses(cells: readonly SweepCell[]): PassParameters {
  return Object.assign({}, ...cells.map(({ passes }) => passes));
}

function refuseAxes({ prompt, cond, noise, initImage, x, y }: SweepJob): void {
  const has = (name: string) => [x, y].some((axis) => axis?.name === name);
  if (noise !== undefined && has('seed')) {
    throw new SlothfulError('usage', '--noise', 'stands for the seed, and an axis goes through seeds', 'give one');
  }
  if (initImage !== undefined && has('strength')) {
    const cure = 'name in_strength and out_strength, or give --strength';
    throw new SlothfulError('usage', '--x strength', "is Slothful Attention's, and the image has one too", cure);
  }
  if (Array.isArray(prompt) && prompt.length > 1) {
    throw new SlothfulError(
      'usage',
      '--prompt',
      'is given several times',
      'a sweep goes through prompts by --x prompt=a,b',
    );
  }
  if (cond === undefined || !has('prompt')) return;
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

/** Presets that may be files: those of the nodes have no other name than a path could have. */
function presetFiles(axes: ReadonlyArray<Axis | undefined>): string[] {
  const presets = axes.flatMap((axis) => axis?.values ?? []).map(({ change }) => change.preset);
  return presets.filter((preset) => preset !== undefined);
}

type SettingsOf = (cell: SweepCell) => RunSettings;

/** The settings of every cell, checked before anything is loaded; what is noted of several is said once. */
function resolveAll(
  job: SweepJob,
  model: OpenedModel,
  cells: readonly SweepCell[],
  { text, start }: PipelineSetup,
): SettingsOf {
  const { rows, columns } = job;
  const { size } = startChoices(job, start);
  const made = new Map<string, RunSettings>();
  const said = new Set<string>();
  for (const cell of cells) {
    const key = plainKey(cell);
    if (made.has(key)) continue;
    const { settings, notes } = resolveTold(model, text, { ...cell.request, size, rows, columns, prompt: cell.prompt });
    made.set(key, settings);
    for (const note of notes) said.add(note);
  }
  for (const note of said) job.onNote?.(note);
  return (cell) => {
    const settings = made.get(plainKey(cell));
    if (settings) return settings;
    throw new SlothfulError('bug', 'sweep', 'a cell has no settings');
  };
}

interface SweepAll {
  readonly model: OpenedModel;
  readonly setup: PipelineSetup;
  readonly cells: readonly SweepCell[];
  readonly settings: SettingsOf;
  readonly parameters: SlothfulParameters;
}

/** Runs cell after cell and draws them; where the signal stops it, those that are done. */
async function sweepAll(job: SweepJob, all: SweepAll) {
  const { model, setup, cells, settings } = all;
  const first = firstSettings(all);
  const look = lookOf(model.graph.metadata, first, model.place);
  const decoder = await decoderOf(model, look, setup);
  const stages = new PipelineStages(model, setup);
  stages.checkGiven();
  const [parts = []] = cells
    .map((cell) => evaluatedParts(settings(cell), cell.passes))
    .sort((a, b) => b.length - a.length);
  const prompts = [...new Set(cells.map(({ prompt }) => prompt))];
  const conditioner = await stages.tell(prompts, first, parts);
  const noiseFor = job.noise === undefined ? undefined : await readNoise(job.noise, job.onNote);
  noiseFor?.(first);
  const startFor = await stages.start(first, look);
  const startOf = (cell: SweepCell) => {
    const { encoderNoise: image, maskedNoise: masked } = noiseFor?.(settings(cell)) ?? {};
    return startFor?.(settings(cell), { image, masked });
  };
  const noiseOf = (cell: SweepCell) => noiseFor?.(settings(cell)).noise;
  const steered = await stages.steer(first, { parameters: all.parameters, passes: loadedPasses(cells) });
  const done: DenoisedCell[] = [];
  try {
    job.onBegin?.(cells.length);
    for await (const cell of sweep({ ...taskOf(job, all, steered, conditioner), startOf, noiseOf })) {
      done.push(cell);
    }
  } finally {
    steered.dispose();
  }
  let failure: unknown;
  const draw = (runs: readonly Float32Array[]) =>
    stages.draw(look, decoder, runs, first).catch((error: unknown) => {
      // What was computed is not lost for it: the latents are drawn without a decoder.
      failure = error;
      return stages.draw(look, undefined, runs, first);
    });
  return { cells: await drawCells(done, draw), backend: steered.unet.backend, failure };
}

function firstSettings({ model, cells, settings }: SweepAll): RunSettings {
  const [first] = cells;
  if (first) return settings(first);
  throw new SlothfulError('bug', model.place, 'is swept through nothing');
}

function taskOf(
  { signal, onProgress }: SweepJob,
  { model, cells, settings }: SweepAll,
  steered: SteeredUNet,
  conditioner: Conditioner,
): SweepTask {
  const patch = steered.patchWith(DEFAULT_PARAMETERS)?.metadata;
  if (!patch) throw new SlothfulError('bug', model.place, 'was loaded for a sweep and is not patched');
  return {
    ...{ unet: steered.model, graph: model.graph, patch, cells, signal, settingsOf: settings },
    conditioningOf: (cell) => conditioner(cell.prompt),
    onStep: (steps, total) => onProgress?.({ part: 'sweeping', done: steps, total }),
  };
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
