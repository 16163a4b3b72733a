import { describe, isObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { classOf, isWidget, type LinkType, type NodeClass } from './classes.ts';
import { type Definition, INPUT_EDGE, type InstanceValues, OUTPUT_EDGE, widgetKey } from './definition.ts';
import {
  type Exposed,
  exposedInputs,
  exposedNames,
  exposedOutputs,
  type Group,
  type GroupLink,
  isExternal,
  isVisible,
} from './group-edge.ts';
import { readUiNode, type UiInput, type UiLink, type UiNode } from './ui-nodes.ts';
import { controlOf } from './widget-values.ts';

/** What the types of group nodes begin with, in older and newer pages. */
const PREFIX = /^workflow[/>]/;
/** Nodes that a group has and that have no widgets or slots of their own in it. */
const SILENT: readonly string[] = ['Note', 'MarkdownNote'];

/** A group node that is not understood: the classes in it whose inputs are not known here. */
export interface UnknownGroup {
  readonly unknown: readonly string[];
}

/**
 * The group nodes of a saved workflow, which subgraphs have taken the place of, by their names.
 *
 * @param groups the workflow's `extra.groupNodes`
 * @throws SlothfulError `bad-input`
 */
export function readGroupNodes(groups: unknown, place: string): Map<string, Definition | UnknownGroup> {
  const entries = isObject(groups) ? Object.entries(groups) : [];
  return new Map(entries.map(([name, group]) => [name, readGroup(name, group, `${place}: group node "${name}"`)]));
}

/** The group that a node's type names; undefined where it names none. */
export function groupOf<T>(type: string, groups: ReadonlyMap<string, T>): T | undefined {
  return PREFIX.test(type) ? groups.get(type.replace(PREFIX, '')) : undefined;
}

function readGroup(name: string, group: unknown, place: string): Definition | UnknownGroup {
  if (!isObject(group) || !Array.isArray(group.nodes)) {
    throw new SlothfulError('bad-input', place, `must have a list of nodes, got ${describe(group)}`);
  }
  const nodes = group.nodes.map((node: unknown, index) => readUiNode(node, `${place}: nodes[${index}]`, String(index)));
  const links = listsOf(group.links).flatMap((link) => readLink(link));
  const parts: Group = {
    nodes,
    links,
    external: listsOf(group.external),
    config: isObject(group.config) ? group.config : {},
  };
  const classes = nodes.map((node) => classIn(parts, node));
  const unknown = nodes.filter((_, index) => classes[index] === undefined);
  if (unknown.length) return { unknown: [...new Set(unknown.map(({ type }) => type))] };
  return defineGroup(
    name,
    parts,
    classes.map((each) => each ?? null),
  );
}

/** `[from, slot, to, slot, id of the origin, type]`, nodes by their index; null where the origin is outside. */
function readLink([from, fromSlot, to, toSlot, , type]: unknown[]): GroupLink[] {
  if (typeof from !== 'number' || typeof to !== 'number') return [];
  return [{ from, fromSlot: Number(fromSlot), to, toSlot: Number(toSlot), type: String(type ?? '*') }];
}

/** A reroute's socket in a group: it takes whatever it is linked to. */
const ANYTHING: LinkType = 'MODEL';

/** A node's class as the group has it: null for what has no part in its widgets and slots, undefined for what is not known. */
function classIn(group: Group, node: UiNode): NodeClass | null | undefined {
  if (SILENT.includes(node.type)) return null;
  const linksFrom = group.links.filter(({ from }) => String(from) === node.id);
  const type = linksFrom[0]?.type ?? node.outputs[0]?.type ?? '*';
  if (node.type === 'PrimitiveNode') {
    // Its type is of no matter here: the value goes where it is linked to, and is checked there.
    return linksFrom.length ? { inputs: [{ name: 'value', type: 'COMBO' }], outputs: ['COMBO'] } : null;
  }
  if (node.type === 'Reroute') {
    const isInside = linksFrom.length > 0 && group.links.some(({ to }) => String(to) === node.id);
    return isInside && !isExternal(group, node, 0)
      ? null
      : { inputs: [{ name: type, type: ANYTHING }], outputs: [ANYTHING] };
  }
  return classOf(node.type);
}

/** Source: ComfyUI, groupNode.js, `GroupNodeConfig`. */
function defineGroup(name: string, group: Group, classes: ReadonlyArray<NodeClass | null>): Definition {
  const exposed = exposedInputs(group, classes);
  const names = exposedNames(group, exposed);
  const slots = exposed
    .map((each, index) => ({ ...each, name: names[index] ?? '' }))
    .filter((each) => each.slot >= 0 && isVisible(group, each));
  const inside = group.links.map(({ from, to, ...rest }) => ({ ...rest, from: String(from), to: String(to) }));
  const inward = slots.map(({ node, slot }, index) => {
    return { from: INPUT_EDGE, fromSlot: index, to: node.id, toSlot: slot };
  });
  const outward = exposedOutputs(group, classes).map(({ node, slot }, index) => {
    return { from: node.id, fromSlot: slot, to: OUTPUT_EDGE, toSlot: index };
  });
  const links = [...inside, ...inward, ...outward].map((link, index): UiLink => ({ ...link, id: String(index) }));
  const nodes = group.nodes.map((node) => ({ ...node, inputs: linkedInputs(node, links) }));
  const widgets = exposed.filter(({ input }) => isWidget(input));
  return {
    name,
    nodes: new Map(nodes.map((node) => [node.id, node])),
    links: new Map(links.map((link) => [link.id, link])),
    inputs: slots.map((slot) => slot.name),
    outputs: links.filter(({ to }) => to === OUTPUT_EDGE),
    valuesOf: (instance) => valuesOf(instance, widgets),
  };
}

/** In a group's own file the ids of links are those of the graph that it was taken from. */
function linkedInputs(node: UiNode, links: readonly UiLink[]): UiInput[] {
  return node.inputs.map((input, slot) => {
    return { ...input, link: links.find(({ to, toSlot }) => to === node.id && toSlot === slot)?.id ?? null };
  });
}

/** An instance's values in the order of its widgets; behind seeds and primitives what becomes of them after each run. */
function valuesOf({ widgetsValues }: UiNode, widgets: readonly Exposed[]): InstanceValues {
  const values: unknown[] = Array.isArray(widgetsValues) ? widgetsValues : [];
  const inner = new Map<string, unknown>();
  let at = 0;
  for (const { node, input } of widgets) {
    inner.set(widgetKey(node.id, input.name), values[at++]);
    const hasControl = node.type === 'PrimitiveNode' || ('control' in input && input.control);
    if (hasControl && typeof values[at] === 'string' && controlOf(values[at]) !== undefined) at++;
    // The button that uploads a picture counts as a widget.
    if (node.type === 'LoadImage' && values[at] === 'image') at++;
  }
  return { promoted: new Map(), inner };
}

function listsOf(list: unknown): unknown[][] {
  return Array.isArray(list) ? list.filter((each): each is unknown[] => Array.isArray(each)) : [];
}
