import { describe } from '../documents/index.ts';
import { parseParameters, type SlothfulParameters, simpleParameters } from '../passes/index.ts';
import { classOf, widgetsOf } from './classes.ts';
import type { FlatGraph, FlatNode } from './flat.ts';
import { literalOf } from './way.ts';

export const SIMPLE = 'SlothfulAttentionSimple';
const NODES = ['SlothfulAttention', SIMPLE] as const;

/** One of the two nodes of Slothful Attention. */
export interface SlothfulNode {
  readonly node: (typeof NODES)[number];
  /** The values as the node has them. */
  readonly params: Readonly<Record<string, number | string | boolean>>;
  /** What they stand for: all parameters of the full node, in ComfyUI's manner. */
  readonly parameters: SlothfulParameters;
}

/**
 * Why a node is of a later release of the pack, which has other inputs under the same name; undefined where it is not.
 * In saved files both have as many values: what is keep_middle, a boolean, is a number there.
 */
export function laterRelease({ classType, inputs, listed }: FlatNode): string | undefined {
  if (!NODES.some((name) => name === classType)) return undefined;
  const widgets = widgetsOf(classOf(classType) ?? { inputs: [], outputs: [] });
  const names = widgets.map(({ name }) => name);
  const strangers = [...inputs.keys()].filter((name) => name !== 'model' && !names.includes(name));
  if (strangers.length) {
    return `of a later release, with other inputs (${strangers.join(', ')}) than the first release that is understood`;
  }
  if (!listed) return undefined;
  if (listed.length !== widgets.length) {
    return `of another release: it has ${listed.length} values, the first release that is understood ${widgets.length}`;
  }
  const odd = widgets.findIndex(({ type, name }, index) => !isLike(type, listed[index]) && !isLinked(inputs.get(name)));
  if (odd < 0) return undefined;
  const found = `its value ${odd + 1} is ${describe(listed[odd])}, the first release's ${names[odd]}`;
  const kind = KINDS[widgets[odd]?.type ?? 'FLOAT'];
  return `of a later release, with other inputs (${LATER.join(', ')}, ...): ${found} a ${kind}`;
}

/** Inputs of later releases. */
const LATER = ['peak_time', 'time_decay', 'in_slothful'];
const KINDS = { INT: 'number', FLOAT: 'number', STRING: 'text', BOOLEAN: 'boolean', COMBO: 'name' } as const;

/** Only its kind is looked at: a number that is out of range is said to be so. */
function isLike(type: keyof typeof KINDS, value: unknown): boolean {
  if (type === 'BOOLEAN') return typeof value !== 'number' && typeof value !== 'string';
  return type !== 'COMBO' || typeof value !== 'number';
}

function isLinked(input: FlatNode['inputs'] extends ReadonlyMap<string, infer I> ? I | undefined : never): boolean {
  return input?.kind === 'link';
}

/** Whether a node is one of the two. */
export function isSlothfulNode({ classType }: FlatNode): boolean {
  return NODES.some((name) => name === classType);
}

/** The values of a node by name, and the first of its inputs whose value cannot be told. */
export function valuesOf(
  graph: FlatGraph,
  node: FlatNode,
): { readonly values: Readonly<Record<string, unknown>>; readonly linked: string | undefined } {
  const names = [...node.inputs.keys()].filter((name) => name !== 'model');
  const found = names.map((name) => [name, literalOf(graph, node, name)] as const);
  const given = found.flatMap(([name, literal]) => (literal ? [[name, literal.value] as const] : []));
  return { values: Object.fromEntries(given), linked: found.find(([, literal]) => !literal)?.[0] };
}

/**
 * A node of Slothful Attention with its values; undefined for other nodes.
 *
 * @throws SlothfulError `bad-parameter` for values out of range
 */
export function slothfulOf(graph: FlatGraph, node: FlatNode): SlothfulNode | undefined {
  const name = NODES.find((each) => each === node.classType);
  const nodeClass = name && classOf(name);
  if (!nodeClass) return undefined;
  const values = widgetsOf(nodeClass).map(
    (widget) => [widget.name, literalOf(graph, node, widget.name)?.value] as const,
  );
  const params = Object.fromEntries(values.filter(isPlain));
  const compat = 'comfyui';
  const place = `${graph.place}: node ${node.id} (${name})`;
  const parse = name === SIMPLE ? simpleParameters : parseParameters;
  return { node: name, params, parameters: parse({ ...params, compat }, place) };
}

function isPlain(entry: readonly [string, unknown]): entry is readonly [string, number | string | boolean] {
  return ['number', 'string', 'boolean'].includes(typeof entry[1]);
}
