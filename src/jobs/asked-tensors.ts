import { isObject } from '../graph/index.ts';
import { inputOfTensor, isBesideTensor, type OpenedModel } from '../pipeline/index.ts';
import type { Values } from '../sampling/index.ts';
import { openSafetensors, readSafetensors } from '../tensors/node.ts';

/** The tensors of a file that something asks for. */
export interface AskedTensors {
  readonly tensors: Map<string, Values>;
  /** Names of all that the file has. */
  readonly names: readonly string[];
}

/** Told what was passed over, in words. */
export type OnNote = ((note: string) => void) | undefined;

/**
 * Reads tensors of a file by name, from every dtype that is a number. What nothing asks for is not read, and named in a note.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `unsupported`
 */
export async function readAsked(
  path: string,
  isAsked: (name: string, names: readonly string[]) => boolean,
  onNote: OnNote,
): Promise<AskedTensors> {
  const file = await openSafetensors(path);
  const names = [...file.tensors.keys()];
  await file.close();
  const tensors = await readSafetensors(path, (name) => isAsked(name, names));
  notePassedOver(
    names.filter((name) => !tensors.has(name)),
    path,
    onNote,
  );
  return { tensors, names };
}

const MOST_NAMED = 8;

function notePassedOver(names: readonly string[], path: string, onNote: OnNote): void {
  if (!names.length) return;
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  onNote?.(`${path}: nothing asks for ${names.slice(0, MOST_NAMED).join(', ')}${more}`);
}

/** Whether a tensor of this name is an input of a model: by its own names for them, or by those of their roles. */
export function isInputOf({ graph, inputs }: Pick<OpenedModel, 'graph' | 'inputs'>): (name: string) => boolean {
  const listed = graph.signature?.inputs;
  const signature = isObject(listed) ? Object.keys(listed) : [];
  const names = new Set(['sample', 'timestep', 'encoder_hidden_states', ...inputs, ...signature]);
  return (name) => names.has(name);
}

/**
 * Whether a tensor tells a model something: one of its inputs, by its name or that of diffusers' pipelines, or what it takes
 * beside its sample. Of a file with none of these all are read: one alone is the text, and of several the names are told.
 */
export function isTold(model: Pick<OpenedModel, 'graph' | 'inputs'>) {
  const isInput = isInputOf(model);
  const isKnown = (name: string) => isInput(inputOfTensor(name)) || isBesideTensor(model.graph, name);
  return (name: string, names: readonly string[]): boolean => isKnown(name) || !names.some(isKnown);
}
