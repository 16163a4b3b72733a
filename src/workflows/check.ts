import { describe } from '../documents/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';
import { classOf, isWidget, type Socket, type Widget } from './classes.ts';
import { type FlatGraph, type FlatNode, nameOf } from './flat.ts';
import { laterRelease, slothfulOf } from './slothful-nodes.ts';
import { isPrimitive, literalOf } from './way.ts';

/** A node that cannot be run here, or not as it is. */
export interface RefusedNode {
  readonly classType: string;
  readonly id: string;
  readonly title: string | null;
  readonly because: string;
  /** False where its class is understood, and what it is given is wrong. */
  readonly isUnknown: boolean;
}

/** What is wrong with the nodes of a way: classes that are not understood, inputs that are missing, values that do not fit. */
export function refusedOf(graph: FlatGraph, way: readonly FlatNode[]): RefusedNode[] {
  const refused = way.flatMap((node) => {
    const { classType, id, title } = node;
    const unknown = unknownBecause(node);
    const problems = unknown === undefined ? problemsOf(graph, node) : [unknown];
    return problems.length
      ? [{ classType, id, title, because: problems.join('; '), isUnknown: unknown !== undefined }]
      : [];
  });
  return refused.toSorted((a, b) => compare(a.classType, b.classType) || compare(a.id, b.id));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Everything that is wrong, in one line. */
export function refusal(place: string, refused: readonly RefusedNode[]): SlothfulError {
  const isUnknown = refused.some((each) => each.isUnknown);
  const list = refused.map((node) => `${nameOf(node)}: ${node.because}`).join('; ');
  const problem = isUnknown ? `has nodes that are not understood here: ${list}` : list;
  const cure = isUnknown ? 'bypass them in ComfyUI, or take them out' : undefined;
  return new SlothfulError(isUnknown ? 'unsupported' : 'bad-input', place, problem, cure);
}

function unknownBecause(node: FlatNode): string | undefined {
  if (!classOf(node.classType)) return node.because ?? 'not one of the nodes that are understood';
  return laterRelease(node);
}

function problemsOf(graph: FlatGraph, node: FlatNode): string[] {
  const inputs = classOf(node.classType)?.inputs ?? [];
  const problems = inputs.flatMap((input) => {
    const problem = isWidget(input) ? widgetProblem(graph, node, input) : socketProblem(graph, node, input);
    return problem === undefined ? [] : [problem];
  });
  return problems.length ? problems : parameterProblems(graph, node);
}

/** Ranges of Slothful Attention's parameters are for its own room to know. */
function parameterProblems(graph: FlatGraph, node: FlatNode): string[] {
  try {
    slothfulOf(graph, node);
    return [];
  } catch (error) {
    return [error instanceof SlothfulError ? error.problem : messageOf(error)];
  }
}

function socketProblem(graph: FlatGraph, node: FlatNode, { name, type }: Socket): string | undefined {
  const input = node.inputs.get(name);
  if (!input) return `${name} is not connected`;
  if (input.kind === 'value') return `${name} must be a link, got ${describe(input.value)}`;
  if (input.kind !== 'link') return `${name} ${input.because}`;
  return linkProblem(graph, name, input, type);
}

/** What is not understood is refused for itself. */
function linkProblem(
  graph: FlatGraph,
  name: string,
  { node, slot }: { readonly node: string; readonly slot: number },
  type: string,
): string | undefined {
  const from = graph.nodes.get(node);
  if (!from) return `${name} comes from node ${node}, which is not in the file`;
  const outputs = classOf(from.classType)?.outputs;
  if (!outputs) return undefined;
  const output = outputs[slot];
  if (output === undefined) return `${name} comes from output ${slot} of ${nameOf(from)}, which has ${outputs.length}`;
  return output === type ? undefined : `${name} takes a ${type}, and ${nameOf(from)} gives a ${output} there`;
}

function widgetProblem(graph: FlatGraph, node: FlatNode, widget: Widget): string | undefined {
  const { name, type } = widget;
  const input = node.inputs.get(name);
  if (!input) return `has no value for ${name}`;
  if (input.kind === 'gone' || input.kind === 'broken') return `${name} ${input.because}`;
  if (input.kind === 'link') {
    const from = graph.nodes.get(input.node);
    // Whether a whole number may be given for another is for the value to say.
    if (!from || !isPrimitive(from)) return linkProblem(graph, name, input, type);
    if (input.slot !== 0) return `${name} comes from output ${input.slot} of ${nameOf(from)}, which has 1`;
  }
  const found = literalOf(graph, node, name);
  // A primitive without a value is refused for itself.
  return found && valueProblem(widget, found.value);
}

function valueProblem({ name, type, min, max, choices }: Widget, value: unknown): string | undefined {
  const must = (what: string) => `${name} must be ${what}, got ${describe(value)}`;
  switch (type) {
    case 'STRING':
      return typeof value === 'string' ? undefined : must('a text');
    case 'BOOLEAN':
      return typeof value === 'boolean' ? undefined : must('true or false');
    case 'COMBO':
      if (typeof value !== 'string') return must('a name');
      return choices && !choices.includes(value) ? must(`one of ${choices.join(', ')}`) : undefined;
    default: {
      const isWhole = typeof value === 'bigint' || Number.isInteger(value);
      const isNumber = isWhole || (typeof value === 'number' && Number.isFinite(value));
      const kind = type === 'INT' ? 'a whole number' : 'a number';
      const range = min === undefined ? kind : `${kind} from ${min} to ${max}`;
      if (type === 'INT' ? !isWhole : !isNumber) return must(range);
      const number = value as number | bigint;
      return (min !== undefined && number < min) || (max !== undefined && number > max) ? must(range) : undefined;
    }
  }
}
