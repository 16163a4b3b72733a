import { SlothfulError } from '../../src/errors.ts';
import { familyTitles } from '../../src/families/index.ts';
import type { PlannedWeight } from '../nn/index.ts';
import { type StoredDtype, type TensorSource, type WeightEntry, weightDtype, weightEntry } from './entry.ts';
import { listNames } from './list-names.ts';

/** A model's tensors by the names that its graph has, whatever the checkpoint calls them. */
export interface NamedTensors {
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** Names in the checkpoint that are not a tensor of such a model. */
  readonly unknown: readonly string[];
  /** What the checkpoint would call a tensor: for messages about those that it lacks. */
  nameInFile(name: string): string;
}

/** The dtype of stored weights; `auto` keeps halves as halves and floats as floats. */
export type DtypeChoice = 'auto' | StoredDtype;

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, index) => size === b[index]);
}

/** A linear layer may be stored as a 1x1 convolution and the other way round: the bytes are the same. */
function fits(plan: PlannedWeight, source: TensorSource): boolean {
  const trim = (shape: readonly number[]) =>
    shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;
  return plan.layout === 'matrix'
    ? sameShape(trim(source.shape), trim(plan.sourceShape))
    : sameShape(source.shape, plan.sourceShape);
}

/**
 * Checks that a checkpoint has exactly the tensors that a graph needs, in their shapes.
 *
 * @throws SlothfulError `bad-checkpoint` that lists what is missing, has a wrong shape, or is left over
 */
export function checkTensors(plans: readonly PlannedWeight[], checkpoint: NamedTensors, place: string): void {
  const { tensors, nameInFile } = checkpoint;
  const needed = new Set(plans.map((plan) => plan.source));
  const missing = [...needed].filter((name) => !tensors.has(name)).map(nameInFile);
  if (missing.length) {
    const problem = `lacks ${missing.length} of ${needed.size} tensors: ${listNames(missing)}`;
    throw new SlothfulError(
      'bad-checkpoint',
      place,
      problem,
      'the file is incomplete, or the config is of another model',
    );
  }
  const wrong = plans.flatMap((plan) => wrongShape(plan, tensors.get(plan.source)));
  if (wrong.length) {
    throw new SlothfulError(
      'bad-checkpoint',
      place,
      `has tensors of the wrong shape: ${listNames(wrong)}`,
      'check the config',
    );
  }
  const unused = [...tensors].filter(([name]) => !needed.has(name)).map(([, source]) => source.name);
  const extra = [...unused, ...checkpoint.unknown];
  if (extra.length) {
    const problem = `has ${extra.length} tensors that this architecture does not use: ${listNames(extra)}`;
    const cure = `only plain ${familyTitles('and')} models can be converted`;
    throw new SlothfulError('unsupported', place, problem, cure);
  }
}

function wrongShape(plan: PlannedWeight, source: TensorSource | undefined): string[] {
  if (!source || fits(plan, source)) return [];
  return [`${source.name} is [${source.shape.join(', ')}], expected [${plan.sourceShape.join(', ')}]`];
}

/** The dtype that a tensor is stored in. @throws SlothfulError `unsupported` where it has none that can be converted */
export function storedDtype(choice: DtypeChoice, source: TensorSource): StoredDtype {
  if (choice !== 'auto') return choice;
  return weightDtype(source) === 'F32' && !source.isShort ? 'float32' : 'float16';
}

/** How each weight of the graph is made of a tensor of the checkpoint. Checks come first: see `checkTensors`. */
export function weightEntries(
  plans: readonly PlannedWeight[],
  checkpoint: NamedTensors,
  place: string,
  dtype: DtypeChoice,
): WeightEntry[] {
  checkTensors(plans, checkpoint, place);
  return plans.flatMap((plan) => {
    const source = checkpoint.tensors.get(plan.source);
    if (!source) return [];
    const { name, layout, rows } = plan;
    return [weightEntry(name, source, { dtype: storedDtype(dtype, source), layout, ...(rows ? { rows } : {}) })];
  });
}
