import { type Definition, INPUT_EDGE, type InstanceValues, widgetKey } from './definition.ts';
import { LONGEST_WAY } from './flat.ts';
import type { UiLink, UiNode } from './ui-nodes.ts';
import { primitiveValue } from './widget-values.ts';

/** Modes of nodes that do not run. */
export const MUTED = 2;
export const BYPASSED = 4;

/** A graph of the page: the workflow itself, or the inside of one instance of a subgraph. */
export interface Scope {
  /** What stands before the ids of its nodes: `2:` inside of node 2. */
  readonly prefix: string;
  readonly nodes: ReadonlyMap<string, UiNode>;
  readonly links: ReadonlyMap<string, UiLink>;
  /** The node that it is the inside of; null for the workflow itself. */
  readonly host: Host | null;
  /** The insides of its own nodes, by their ids. */
  readonly inner: Map<string, Scope>;
}

/** An instance of a subgraph or of a group. */
export interface Host {
  readonly scope: Scope;
  readonly node: UiNode;
  readonly definition: Definition;
  readonly values: InstanceValues;
}

/** What an input is given in the end. */
export type Source =
  | { readonly kind: 'value'; readonly value: unknown; readonly control?: string | undefined }
  /** The value that an instance gives a widget inside, which keeps what becomes of it after each run. */
  | { readonly kind: 'promoted'; readonly value: unknown }
  | { readonly kind: 'output'; readonly scope: Scope; readonly node: UiNode; readonly slot: number }
  | { readonly kind: 'none' }
  | { readonly kind: 'gone'; readonly because: string }
  | { readonly kind: 'broken'; readonly because: string };

/** On the way of a link: before an input of a node, or behind an output. */
type Place = PlaceOf<'input'> | PlaceOf<'behind'>;

interface PlaceOf<K> {
  readonly kind: K;
  readonly scope: Scope;
  readonly node: UiNode;
  readonly slot: number;
  /** The value that an instance has for an input which is open farther out. */
  readonly own?: unknown;
}

const NONE: Source = { kind: 'none' };

/**
 * What a node's input is given in the end: through reroutes and bypassed nodes, into subgraphs and out of them.
 *
 * Source: ComfyUI_frontend, ExecutableNodeDTO.ts.
 */
export function sourceOf(scope: Scope, node: UiNode, slot: number): Source {
  const type = node.inputs[slot]?.type ?? '*';
  const passed = new Set<string>();
  let at: Place | Source = { kind: 'input', scope, node, slot };
  for (let steps = 0; steps < LONGEST_WAY; steps++) {
    if (at.kind === 'input') at = beforeInput(at);
    else if (at.kind === 'behind') {
      const key = `${at.scope.prefix}${at.node.id}`;
      passed.add(key);
      at = behindOutput(at, type);
    } else return at;
  }
  const names = [...passed].slice(0, 8).join(', ');
  return { kind: 'broken', because: `comes through nodes that are linked in a circle, or too many: ${names}` };
}

function beforeInput({ scope, node, slot, own }: Place): Place | Source {
  const id = node.inputs[slot]?.link ?? null;
  if (id === null) return NONE;
  const link = scope.links.get(id);
  if (!link) return { kind: 'broken', because: `has link ${id}, which is not in the file` };
  return alongLink(scope, link, own);
}

function alongLink(scope: Scope, { from, fromSlot }: UiLink, own?: unknown): Place | Source {
  if (from === INPUT_EDGE && scope.host) return outside(scope.host, fromSlot, own);
  const node = scope.nodes.get(from);
  if (!node) return { kind: 'broken', because: `comes from node ${scope.prefix}${from}, which is not in the file` };
  return { kind: 'behind', scope, node, slot: fromSlot };
}

/**
 * From the edge of a subgraph to the instance's own input: its link, or the value that it has for it.
 *
 * @param inner the value of an instance inside whose input is linked to here: it is the first that the page shows outside
 */
function outside({ scope, node, definition, values }: Host, slot: number, inner: unknown): Place | Source {
  const name = definition.inputs[slot] ?? '';
  const found = node.inputs.findIndex((input) => input.name === name);
  // An input that was renamed in one place alone is told by its slot.
  const isRenamed = found < 0 && !definition.inputs.includes(node.inputs[slot]?.name ?? '');
  const at = isRenamed ? slot : found;
  const value = outermost(scope, node.id, name, values.promoted.get(name) ?? inner);
  if (node.inputs[at]?.link != null) return { kind: 'input', scope, node, slot: at, own: value };
  return value === undefined ? NONE : { kind: 'promoted', value };
}

function behindOutput({ scope, node, slot }: Place, type: string): Place | Source {
  // It writes its value into the widgets before anything else is looked at, whatever its mode.
  if (node.type === 'PrimitiveNode') return { kind: 'value', ...ownValue(scope, node) };
  const name = `node ${scope.prefix}${node.id} (${node.type})`;
  if (node.mode === MUTED) return { kind: 'gone', because: `needs ${name}, which is muted` };
  if (node.mode === BYPASSED) {
    const other = bypassSlot(node, slot, type);
    return other < 0 ? NONE : { kind: 'input', scope, node, slot: other };
  }
  if (node.type === 'Reroute') return { kind: 'input', scope, node, slot: 0 };
  const inner = scope.inner.get(node.id);
  if (!inner) return { kind: 'output', scope, node, slot };
  const link = inner.host?.definition.outputs[slot];
  return link ? alongLink(inner, link) : NONE;
}

function ownValue(scope: Scope, node: UiNode) {
  const own = primitiveValue(node.widgetsValues);
  const given = givenValue(scope, node.id, 'value');
  return given === undefined ? own : { ...own, value: given };
}

/** Which input a bypassed node passes on: that of the output's place where the types allow it, else the first of the type. */
function bypassSlot({ inputs, outputs }: UiNode, slot: number, type: string): number {
  const output = outputs[slot]?.type ?? '*';
  if (type === '*' || type === '') return inputs.length > slot ? slot : 0;
  const fits = (input: string | undefined) => input !== undefined && isSame(input, output) && isSame(input, type);
  if (fits(inputs[slot]?.type)) return slot;
  const exact = inputs.findIndex((input) => input.type === type);
  return exact >= 0 ? exact : inputs.findIndex((input) => fits(input.type));
}

function isSame(a: string, b: string): boolean {
  return a === '*' || b === '*' || a.toLowerCase() === b.toLowerCase();
}

/** The value that instances around a node give one of its widgets; undefined where they give none. */
export function givenValue(scope: Scope, node: string, widget: string): unknown {
  return outermost(scope, node, widget, undefined);
}

/** The instance that is farthest out and has a value for it counts; a hole ends the way. */
function outermost(scope: Scope, node: string, widget: string, own: unknown): unknown {
  let value = own ?? undefined;
  let id = node;
  for (let host = scope.host; host; host = host.scope.host) {
    const given = host.values.inner.get(widgetKey(id, widget)) ?? undefined;
    if (given === undefined) break;
    value = given;
    id = host.node.id;
  }
  return value;
}
