import { canBecomeNodes } from '../attention/index.ts';
import { backendNameOf, backendOf } from '../backends/index.ts';
import { SlothfulError } from '../errors.ts';
import { attentionNodes } from '../passes/index.ts';
import type { RunSize } from '../reports/index.ts';
import { type BackendName, type ChosenBackend, checkFitsOn, type DataLayout, weightRoom } from '../runtime/index.ts';
import type { OpenedModel } from './open-model.ts';
import { type StepCost, stepCost } from './step-cost.ts';

/** A model of which the document is enough. */
type Measured = Pick<OpenedModel, 'graph' | 'place' | 'platform'>;

/** What a backend is about to be asked for. */
export interface Work {
  readonly size: Partial<RunSize>;
  /** Evaluations of the model, default 1. */
  readonly steps?: number | undefined;
  /** Attentions become nodes when the model is loaded: their logits are cut into pieces. */
  readonly asNodes: boolean;
  /** Told in a line what will take long. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/**
 * Estimates memory and work of a UNet's evaluations before anything is loaded for them.
 *
 * @throws SlothfulError `backend` with the number where the backend or the machine cannot hold them
 */
export async function checkWork(model: Measured, backend: ChosenBackend, work: Work): Promise<void> {
  const plain = stepCost(model.graph, work.size, backend.tfjsName);
  const room = weightRoom(model.platform, model, backend);
  const fits = ({ heldBytes }: StepCost) => room.freeBytes === undefined || heldBytes <= room.freeBytes;
  const cost = fits(plain) ? plain : await costAsRun(model, backend, work, plain);
  if (!fits(cost)) throw tooLarge(model, backend, cost, room.weightBytes);
  noteLong(backend, cost, work);
}

/** One evaluation of a model that is not loaded, of a sample that was read. */
export interface Evaluation extends Pick<Work, 'asNodes' | 'onNote'> {
  /** Shape of the sample; one that is no sample's is refused where it is fed. */
  readonly shape: readonly number[];
  readonly layout: DataLayout;
  /** Use this one or fail; by default the first that works. */
  readonly backend?: BackendName | undefined;
}

/** The same of one evaluation. @throws SlothfulError `backend`, `bad-input` */
export async function checkEvaluation(model: OpenedModel, evaluation: Evaluation): Promise<void> {
  const { shape, layout, backend, ...work } = evaluation;
  const [batch = 0, first = 0, second = 0, third = 0] = shape;
  const [rows, columns] = layout === 'nchw' ? [second, third] : [first, second];
  if (shape.length !== 4) return;
  const chosen = await checkFitsOn(model.platform, model.file, { backend });
  await checkWork(model, chosen, { ...work, size: { batch, rows, columns } });
}

/** Making the nodes takes a while, so it is done only where it decides. */
async function costAsRun({ graph }: Measured, backend: ChosenBackend, { size, asNodes }: Work, plain: StepCost) {
  if (!asNodes || !canBecomeNodes(graph)) return plain;
  return stepCost(await graph.clone().transform(attentionNodes()), size, backend.tfjsName);
}

function tooLarge(
  { place, platform }: Measured,
  { tfjsName }: ChosenBackend,
  { size, heldBytes }: StepCost,
  weightBytes: number,
): SlothfulError {
  const isWasm = tfjsName === 'wasm';
  const there = isWasm ? 'wasm has 4 GiB in all' : `${bytes(platform.freeMemory?.() ?? 0)} are free`;
  const what = `a step of ${size.batch} x ${size.rows} x ${size.columns} takes at least ${bytes(heldBytes)}`;
  const problem = `${what} beside ${bytes(weightBytes)} of weights, and ${there}`;
  const cure = `ask for a smaller size or batch${isWasm ? ', or use the native backend (npx slothful setup-native)' : ''}`;
  return new SlothfulError('backend', place, problem, cure);
}

function noteLong({ tfjsName, device }: ChosenBackend, { flops }: StepCost, { steps = 1, onNote }: Work): void {
  const { longFlops } = backendOf(tfjsName);
  if (device === 'GPU' || flops * steps < longFlops) return;
  const name = backendNameOf(tfjsName) ?? tfjsName;
  const each =
    steps > 1 ? `${steps} steps of ${tera(flops)}, ${tera(steps * flops)} in all` : `a step of ${tera(flops)}`;
  onNote?.(`${each}: that will take long on ${name}`);
}

function bytes(count: number): string {
  return `${(count / 2 ** 30).toFixed(2)} GiB`;
}

function tera(flops: number): string {
  return `${Number((flops / 1e12).toPrecision(2))} TFLOP`;
}
