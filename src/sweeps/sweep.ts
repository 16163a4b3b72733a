import { SlothfulError } from '../errors.ts';
import type { Graph } from '../graph/index.ts';
import type { SlothfulMetadata } from '../passes/index.ts';
import { type Measures, measure } from '../pictures/index.ts';
import {
  type AttentionFlops,
  attentionFlopsOf,
  type Drawing,
  type Drawn,
  executeRun,
  type PatchInForce,
  type RunOutcome,
  type RunStart,
  stepsDone,
  totalMilliseconds,
} from '../pipeline/index.ts';
import type { DenoisingModel, GivenNoise, Picture, RunConditioning, RunSettings } from '../sampling/index.ts';
import { plainKey, type SweepCell } from './sweep-plan.ts';

/** What all runs of a sweep share: one model, loaded once, and one look. */
export interface SweepTask {
  readonly unet: DenoisingModel;
  /** The graph's document, for the FLOPs. */
  readonly graph: Graph;
  readonly patch: SlothfulMetadata | undefined;
  /** What runs start from in the place of noise alone, and what the model takes beside the sample. */
  readonly startOf?: ((cell: SweepCell) => RunStart | undefined) | undefined;
  /** In the place of the seed's noise. */
  readonly noiseOf?: ((cell: SweepCell) => GivenNoise | undefined) | undefined;
  readonly cells: readonly SweepCell[];
  readonly settingsOf: (cell: SweepCell) => RunSettings;
  readonly conditioningOf: (cell: SweepCell) => RunConditioning;
  readonly signal?: AbortSignal | undefined;
  /** Told after every step of every run how many of all are done. */
  readonly onStep?: ((done: number, total: number) => void) | undefined;
}

/** What a run of a sweep made. */
export interface SweptRun {
  readonly picture: Picture;
  readonly milliseconds: number;
}

/** What is known of a cell besides its pictures. */
interface SweptFacts {
  readonly cell: SweepCell;
  readonly settings: RunSettings;
  /** Keys and values of all self-attentions in the first step; null without Slothful Attention. */
  readonly kv_tokens: number | null;
  readonly flops: AttentionFlops;
}

/** A cell of a sweep of which the pictures are not drawn yet. Cells that share a plain run have the same one. */
export interface DenoisedCell extends SweptFacts {
  readonly outcome: RunOutcome;
  readonly plain: RunOutcome;
}

/** A cell of a sweep, done. */
export interface SweptCell extends SweptFacts, SweptRun {
  /** The same run without Slothful Attention; cells that differ by its parameters alone share it. */
  readonly plain: SweptRun;
  readonly measures: Measures;
}

/**
 * Runs every cell, and the plain run that each is compared with, with the same noise. A cell that is stopped is not
 * yielded, and ends the sweep.
 *
 * @throws SlothfulError as `executeRun`
 */
export async function* sweep(task: SweepTask): AsyncGenerator<DenoisedCell, void, undefined> {
  const plains = new Map<string, RunOutcome>();
  const count = stepCounter(task);
  for (const cell of task.cells) {
    const key = plainKey(cell);
    const plain = plains.get(key) ?? (await runCell(task, cell, undefined, count));
    if (plain.stopped) return;
    plains.set(key, plain);
    const outcome = isActing(cell) ? await runCell(task, cell, patchOf(task, cell), count) : plain;
    if (outcome.stopped) return;
    const settings = task.settingsOf(cell);
    const kv_tokens = outcome.steps[0]?.kv_tokens ?? null;
    yield {
      cell,
      settings,
      kv_tokens,
      flops: flopsOf(task, { settings, passes: cell.passes }, outcome),
      outcome,
      plain,
    };
  }
}

function runCell(
  { unet, startOf, noiseOf, signal, settingsOf, conditioningOf }: SweepTask,
  cell: SweepCell,
  patch: PatchInForce | undefined,
  onStep: () => void,
): Promise<RunOutcome> {
  return executeRun({
    unet,
    settings: settingsOf(cell),
    conditioning: conditioningOf(cell),
    ...startOf?.(cell),
    ...{ noise: noiseOf?.(cell), patch, signal, onStep },
  });
}

/** Whether any pass acts in a cell; else it is the plain run. */
function isActing({ parameters, passes }: SweepCell): boolean {
  return parameters !== undefined || Object.keys(passes).length > 0;
}

function patchOf({ patch }: SweepTask, { parameters, passes }: SweepCell): PatchInForce {
  return { metadata: patch, parameters, passes };
}

/** Counts steps against those of all runs, plain ones included. */
function stepCounter({ cells, settingsOf, onStep }: SweepTask): () => void {
  const plain = new Map(cells.map((cell) => [plainKey(cell), stepsDone(settingsOf(cell))] as const));
  const patched = cells.filter(isActing).map((cell) => stepsDone(settingsOf(cell)));
  const total = [...plain.values(), ...patched].reduce((sum, steps) => sum + steps, 0);
  let done = 0;
  return () => {
    done++;
    onStep?.(done, total);
  };
}

function flopsOf(
  { graph }: SweepTask,
  run: Parameters<typeof attentionFlopsOf>[1],
  { steps }: RunOutcome,
): AttentionFlops {
  const flops = attentionFlopsOf(graph, run, steps);
  if (flops) return flops;
  throw new SlothfulError('unsupported', 'the graph', 'has no self-attention whose cost can be told');
}

/** Draws the latents of many runs at once. */
export type DrawRuns = (runs: readonly Float32Array[]) => Promise<Drawing>;

/**
 * Draws the pictures of cells, each once however many cells share it, and measures each against its plain one.
 *
 * @throws SlothfulError what drawing throws
 */
export async function drawCells(cells: readonly DenoisedCell[], draw: DrawRuns): Promise<SweptCell[]> {
  const outcomes = [...new Set(cells.flatMap(({ outcome, plain }) => [plain, outcome]))];
  const { drawn, peak } = await draw(outcomes.map(({ latents }) => latents ?? new Float32Array()));
  const drawnOf = (outcome: RunOutcome) => drawn[outcomes.indexOf(outcome)];
  return cells.map(({ outcome, plain, ...facts }) => {
    const [reference = [], image = []] = [plain, outcome].map((half) => drawnOf(half)?.images[0]);
    const measures = measure(reference, image, peak);
    return { ...facts, ...sweptRun(outcome, drawnOf(outcome)), plain: sweptRun(plain, drawnOf(plain)), measures };
  });
}

const EMPTY: Picture = { width: 0, height: 0, rgba: new Uint8ClampedArray() };

function sweptRun(outcome: RunOutcome, drawn: Drawn | undefined): SweptRun {
  return { picture: drawn?.pictures[0] ?? EMPTY, milliseconds: totalMilliseconds(outcome) };
}
