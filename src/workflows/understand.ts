import { describe, isObject, parsePythonJson } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { isApiFormat, readApiFormat } from './api-format.ts';
import { type RefusedNode, refusal, refusedOf } from './check.ts';
import type { FlatGraph } from './flat.ts';
import { interpret } from './interpret.ts';
import { chooseOutput } from './outputs.ts';
import type { WorkflowRun } from './run.ts';
import { isUiFormat, readUiFormat } from './ui-format.ts';

/** What the user chooses of a workflow. */
export interface WorkflowOptions {
  /** The id of a SaveImage or PreviewImage; without it the last is taken. */
  readonly output?: string | undefined;
}

/** A workflow that was understood, or what stands against it. */
export type WorkflowReading =
  | { readonly run: WorkflowRun }
  | { readonly refused: readonly RefusedNode[]; readonly error: SlothfulError };

/**
 * Understands a workflow of ComfyUI: saved by its page or in the format of its API, alone or as `{ prompt }` or
 * `{ workflow }`. Of the file only what its output is computed from is looked at.
 *
 * @param value as `parsePythonJson` gives it: seeds beyond 2^53 are bigints
 * @param place the file, for messages
 * @throws SlothfulError `unsupported` with every node that is not understood, `bad-input` for what is wrong in itself,
 *   `usage` for an output that is not there
 */
export function understandWorkflow(value: unknown, place: string, options: WorkflowOptions = {}): WorkflowRun {
  const reading = readWorkflow(value, place, options);
  if ('run' in reading) return reading.run;
  throw reading.error;
}

/** The same, and what is refused node by node for programs. @throws SlothfulError for what is not of one node */
export function readWorkflow(value: unknown, place: string, options: WorkflowOptions = {}): WorkflowReading {
  const graph = readGraph(value, place);
  const { node, way } = chooseOutput(graph, options.output);
  const refused = refusedOf(graph, way);
  return refused.length ? { refused, error: refusal(place, refused) } : { run: interpret(graph, node) };
}

function readGraph(value: unknown, place: string): FlatGraph {
  const graph = findGraph(value, place);
  if (graph) return graph;
  const problem = `is not a ComfyUI workflow, got ${describe(value)} without nodes`;
  throw new SlothfulError('bad-input', place, problem, 'save it in ComfyUI, or export it for the API');
}

/**
 * The graph of a workflow in any of its forms; undefined for what is none. Of both formats in one file the API's is taken: it
 * holds what was run.
 *
 * @throws SlothfulError `bad-input` for a workflow that is broken
 */
export function findGraph(value: unknown, place: string): FlatGraph | undefined {
  if (isUiFormat(value)) return readUiFormat(value, place);
  if (isObject(value)) {
    for (const name of ['prompt', 'workflow']) {
      const inner = typeof value[name] === 'string' ? textOf(value[name], `${place}: ${name}`) : value[name];
      if (isApiFormat(inner)) return readApiFormat(inner, place);
      if (isUiFormat(inner)) return readUiFormat(inner, place);
    }
  }
  return isApiFormat(value) ? readApiFormat(value, place) : undefined;
}

/** Some programs put one JSON into another as text. A field of that name that is none is not for us. */
function textOf(text: string, place: string): unknown {
  try {
    return parsePythonJson(text, place);
  } catch {
    return undefined;
  }
}
