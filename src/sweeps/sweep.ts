import type { Graph } from '../graph/index.ts';
import type { SlothfulMetadata, SlothfulParameters } from '../passes/slothful/index.ts';
import { type Measures, measure } from '../pictures/measures/index.ts';
import type { RunConditioning } from '../pipeline/conditioning.ts';
import { executeRun, type RunOutcome } from '../pipeline/execute.ts';
import { attentionFlopsOf } from '../pipeline/flops.ts';
import type { Look } from '../pipeline/look.ts';
import type { AttentionFlops, RunSettings } from '../pipeline/run-document.ts';
import { totalMilliseconds } from '../pipeline/run-record.ts';
import type { DenoisingModel, Picture } from '../sampling/index.ts';
import { plainKey, type SweepCell } from './sweep-plan.ts';

/** What all runs of a sweep share: one model, loaded once, and one look. */
export interface SweepTask {
  readonly unet: DenoisingModel;
  /** The graph's document, for the FLOPs. */
  readonly graph: Graph;
  readonly patch: SlothfulMetadata;
  readonly look: Look;
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

/** A cell of a sweep, done. */
export interface SweptCell extends SweptRun {
  readonly cell: SweepCell;
  readonly settings: RunSettings;
  /** Keys and values of all self-attentions in the first step; null without Slothful Attention. */
  readonly kv_tokens: number | null;
  readonly flops: AttentionFlops;
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
export async function* sweep(task: SweepTask): AsyncGenerator<SweptCell, void, undefined> {
  const plains = new Map<string, RunOutcome>();
  const count = stepCounter(task);
  for (const cell of task.cells) {
    const key = plainKey(cell);
    const plain = plains.get(key) ?? (await runCell(task, cell, undefined, count));
    if (plain.stopped) return;
    plains.set(key, plain);
    const outcome = cell.parameters ? await runCell(task, cell, cell.parameters, count) : plain;
    if (outcome.stopped) return;
    yield swept(task, cell, outcome, plain);
  }
}

function runCell(
  { unet, patch, signal, settingsOf, conditioningOf }: SweepTask,
  cell: SweepCell,
  parameters: SlothfulParameters | undefined,
  onStep: () => void,
): Promise<RunOutcome> {
  return executeRun({
    unet,
    settings: settingsOf(cell),
    conditioning: conditioningOf(cell),
    patch: parameters && { metadata: patch, parameters },
    signal,
    onStep,
  });
}

/** Counts steps against those of all runs, plain ones included. */
function stepCounter({ cells, settingsOf, onStep }: SweepTask): () => void {
  const plain = new Map(cells.map((cell) => [plainKey(cell), settingsOf(cell).steps] as const));
  const patched = cells.filter((cell) => cell.parameters).map((cell) => settingsOf(cell).steps);
  const total = [...plain.values(), ...patched].reduce((sum, steps) => sum + steps, 0);
  let done = 0;
  return () => {
    done++;
    onStep?.(done, total);
  };
}

function swept(task: SweepTask, cell: SweepCell, outcome: RunOutcome, plain: RunOutcome): SweptCell {
  const { graph, look, settingsOf, conditioningOf } = task;
  const settings = settingsOf(cell);
  const [reference = [], image = []] = [plain, outcome].map(({ latents }) => look.images(latents ?? none)[0]);
  return {
    cell,
    settings,
    ...sweptRun(look, outcome),
    kv_tokens: outcome.steps[0]?.kv_tokens ?? null,
    flops: attentionFlopsOf(graph, settings, conditioningOf(cell), cell.parameters),
    plain: sweptRun(look, plain),
    measures: measure(reference, image, look.peak),
  };
}

const none = new Float32Array();
const EMPTY: Picture = { width: 0, height: 0, rgba: new Uint8ClampedArray() };

function sweptRun(look: Look, outcome: RunOutcome): SweptRun {
  const [picture = EMPTY] = look.pictures(outcome.latents ?? none);
  return { picture, milliseconds: totalMilliseconds(outcome) };
}
