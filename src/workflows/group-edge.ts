import { isObject, type JsonObject } from '../documents/index.ts';
import { isWidget, type NodeClass, type Socket, type Widget } from './classes.ts';
import type { UiNode } from './ui-nodes.ts';

/** A link inside of a group node: nodes by their index. */
export interface GroupLink {
  readonly from: number;
  readonly fromSlot: number;
  readonly to: number;
  readonly toSlot: number;
  readonly type: string;
}

/** What a file has of a group node. */
export interface Group {
  readonly nodes: readonly UiNode[];
  readonly links: readonly GroupLink[];
  /** `[node, slot, type]` of outputs that are linked to outside, too. */
  readonly external: readonly unknown[][];
  readonly config: JsonObject;
}

/** Whether an output is linked to outside of the group, too. */
export function isExternal({ external }: Group, node: UiNode, slot: number): boolean {
  return external.some(([index, output]) => String(index) === node.id && output === slot);
}

/** An input of a node inside that the group has as its own. */
export interface Exposed {
  readonly node: UiNode;
  readonly input: Socket | Widget;
  /** Of the node inside; below 0 where the widget cannot be linked. */
  readonly slot: number;
}

/**
 * Inputs and widgets of a group in the order that the page gave them: nodes one after another, of each its widgets and then
 * its sockets; at the end the widgets that were turned into inputs. What is linked inside is not seen from outside.
 */
export function exposedInputs(group: Group, classes: ReadonlyArray<NodeClass | null>): Exposed[] {
  const all = group.nodes.map((node, index) => {
    return (classes[index]?.inputs ?? []).map((input): Exposed => ({ node, input, slot: slotOf(node, input) }));
  });
  const isConverted = ({ node, input, slot }: Exposed) => isWidget(input) && node.inputs[slot]?.isWidget === true;
  const inPlace = all.flatMap((each) => {
    const widgets = each.filter((exposed) => isWidget(exposed.input) && !isConverted(exposed));
    return [...widgets, ...each.filter(({ input }) => !isWidget(input))];
  });
  // The page sorts slots as texts.
  const atEnd = all.flatMap((each) =>
    each.filter(isConverted).toSorted((a, b) => (`${a.slot}` < `${b.slot}` ? -1 : 1)),
  );
  const isLinked = ({ node, slot }: Exposed) =>
    group.links.some(({ to, toSlot }) => String(to) === node.id && toSlot === slot);
  return [...inPlace, ...atEnd].filter((exposed) => !isLinked(exposed));
}

function slotOf(node: UiNode, input: Socket | Widget): number {
  return node.type === 'Reroute' ? 0 : node.inputs.findIndex(({ name }) => name === input.name);
}

/** What the user has chosen for an input or output of a node inside: its name, and whether it is seen. */
function configOf(group: Group, node: UiNode, side: 'input' | 'output', name: string): JsonObject {
  const ofNode = group.config[node.id];
  const ofSide = isObject(ofNode) ? ofNode[side] : undefined;
  const found = isObject(ofSide) ? ofSide[name] : undefined;
  return isObject(found) ? found : {};
}

/** Whether the user has let the group have an input of a node inside. */
export function isVisible(group: Group, { node, input }: Exposed): boolean {
  return isWidget(input) || configOf(group, node, 'input', input.name).visible !== false;
}

/** The names that the group's inputs have: their own, with the node's before them where a name was taken. */
export function exposedNames(group: Group, exposed: readonly Exposed[]): string[] {
  const seen = new Map<string, number>();
  return exposed.map(({ node, input, slot }) => {
    const { name: chosen } = configOf(group, node, 'input', input.name);
    const own = typeof chosen === 'string' ? chosen : (node.inputs[slot]?.label ?? input.name);
    const prefix = (node.type === 'PrimitiveNode' && node.title) || seen.has(own) ? `${node.title ?? node.type} ` : '';
    const key = prefix ? `${prefix}${input.name}` : own;
    const times = seen.get(key);
    seen.set(key, (times ?? 1) + 1);
    return times === undefined ? key : `${prefix}${times} ${input.name}`;
  });
}

/** The outputs of a group in its order: of every node those that are not linked inside, or to outside, too. */
export function exposedOutputs(
  group: Group,
  classes: ReadonlyArray<NodeClass | null>,
): Array<{ readonly node: UiNode; readonly slot: number }> {
  const all = group.nodes.flatMap((node, index) => {
    return (classes[index]?.outputs ?? []).map((_, slot) => ({ node, slot }));
  });
  return all.filter(({ node, slot }) => {
    const isInside = group.links.some(({ from, fromSlot }) => String(from) === node.id && fromSlot === slot);
    const { visible } = configOf(group, node, 'output', String(slot));
    return typeof visible === 'boolean' ? visible : !isInside || isExternal(group, node, slot);
  });
}
