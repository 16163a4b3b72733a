import { isObject, type JsonObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { classOf, widgetsOf } from './classes.ts';
import { type Definition, INPUT_EDGE, type InstanceValues, OUTPUT_EDGE, widgetKey } from './definition.ts';
import { readUiLinks, readUiNodes, type UiLink, type UiNode } from './ui-nodes.ts';
import { controlOf } from './widget-values.ts';

/** Ids that pages of 2025 have put before the names of widgets in nested subgraphs: `6: 3: text`. */
const PREFIXES = /^(\s*\d+\s*:\s*)+/;

/**
 * The subgraphs of a saved workflow by their ids, which are the types of the nodes that stand for them.
 *
 * @param definitions the workflow's `definitions`
 * @throws SlothfulError `bad-input`
 */
export function readSubgraphs(definitions: unknown, place: string): Map<string, Definition> {
  const subgraphs: unknown[] =
    isObject(definitions) && Array.isArray(definitions.subgraphs) ? definitions.subgraphs : [];
  return new Map(subgraphs.map((value) => readSubgraph(value, place)));
}

function readSubgraph(value: unknown, place: string): [id: string, definition: Definition] {
  if (!isObject(value) || typeof value.id !== 'string') {
    throw new SlothfulError('bad-input', place, 'has a subgraph without an id');
  }
  const name = typeof value.name === 'string' ? value.name : value.id;
  const at = `${place}: subgraph "${name}"`;
  const nodes = readUiNodes(value.nodes, at);
  const links = readUiLinks(value.links, at);
  const inputs = edgeOf(value.inputs);
  const from = (slot: number) => (link: UiLink) => link.from === INPUT_EDGE && link.fromSlot === slot;
  const to = (slot: number) => (link: UiLink) => link.to === OUTPUT_EDGE && link.toSlot === slot;
  const promotions = inputs.map((input, slot) => promotionOf(input.name, linkOf(input, links, from(slot)), nodes));
  return [
    value.id,
    {
      ...{ name, nodes, links, inputs: inputs.map((input) => input.name) },
      outputs: edgeOf(value.outputs).map((output, slot) => linkOf(output, links, to(slot))),
      valuesOf: (instance) => valuesOf(instance, promotions),
    },
  ];
}

/** An input or output of a subgraph, and the ids of its links inside. */
interface EdgeSlot {
  readonly name: string;
  readonly linkIds: readonly unknown[];
}

function edgeOf(list: unknown): EdgeSlot[] {
  const slots: unknown[] = Array.isArray(list) ? list : [];
  return slots.map((slot) => {
    if (!isObject(slot)) return { name: '', linkIds: [] };
    return { name: String(slot.name), linkIds: Array.isArray(slot.linkIds) ? slot.linkIds : [] };
  });
}

/** The first link that the slot names, as the page takes it; else the first that fits. */
function linkOf(
  { linkIds }: EdgeSlot,
  links: ReadonlyMap<string, UiLink>,
  fits: (link: UiLink) => boolean,
): UiLink | undefined {
  return links.get(String(linkIds[0])) ?? [...links.values()].find(fits);
}

/** An input of a subgraph, and the input of a node inside that it is linked to first. */
interface Promotion {
  readonly name: string;
  readonly node?: string | undefined;
  readonly widget?: string | undefined;
  readonly isWidget: boolean;
  readonly hasControl: boolean;
}

function promotionOf(name: string, link: UiLink | undefined, nodes: ReadonlyMap<string, UiNode>): Promotion {
  const node = link && nodes.get(link.to);
  const input = node?.inputs.find((each) => each.link === link?.id);
  const nodeClass = node && classOf(node.type);
  const widget = nodeClass && widgetsOf(nodeClass).find((each) => each.name === input?.name);
  const isWidget = input?.isWidget === true;
  return { name, node: node?.id, widget: input?.name, isWidget, hasControl: widget?.control === true };
}

/**
 * What an instance's `widgets_values` stand for. Pages of 2025 list the promoted inputs in the order of the instance's
 * inputs. Those with `proxyWidgets` list what that property names: `[node inside, widget]`, or `["-1", input]`; inputs that
 * it does not name stand before. A hole (null) leaves what the node inside has.
 *
 * Source: ComfyUI_frontend, proxyWidget.ts, proxyWidgetMigration.ts, SubgraphNode.ts.
 */
function valuesOf(instance: UiNode, promotions: readonly Promotion[]): InstanceValues {
  const { widgetsValues } = instance;
  if (isObject(widgetsValues)) return { promoted: new Map(Object.entries(widgetsValues)), inner: new Map() };
  const values: unknown[] = Array.isArray(widgetsValues) ? widgetsValues : [];
  const proxies = proxiesOf(instance.properties);
  const isNamed = ({ name, node, widget }: Promotion) =>
    proxies.some(([id, of]) => (id === '-1' && of === name) || (id === node && of === widget));
  const first = inOrderOf(instance, promotions).filter((promotion) => !isNamed(promotion));
  const isLonger = values.length > first.length + proxies.length;
  const promoted = new Map<string, unknown>();
  let at = 0;
  for (const { name, hasControl } of first) {
    promoted.set(name, values[at++]);
    if (isLonger && hasControl && typeof values[at] === 'string' && controlOf(values[at])) at++;
  }
  const inner = new Map<string, unknown>();
  for (const [id, name] of proxies) {
    const value = values[at++];
    if (id === '-1') promoted.set(name, value);
    else inner.set(widgetKey(id, name), value);
  }
  return { promoted, inner };
}

function inOrderOf(instance: UiNode, promotions: readonly Promotion[]): Promotion[] {
  const rank = ({ name }: Promotion) => {
    const index = instance.inputs.findIndex((input) => input.name === name);
    return index < 0 ? instance.inputs.length : index;
  };
  const isWidget = (promotion: Promotion) =>
    promotion.isWidget || instance.inputs.some(({ name, isWidget }) => isWidget && name === promotion.name);
  return promotions.filter(isWidget).toSorted((a, b) => rank(a) - rank(b));
}

function proxiesOf({ proxyWidgets }: JsonObject): Array<readonly [node: string, widget: string]> {
  const listed: unknown = typeof proxyWidgets === 'string' ? fromText(proxyWidgets) : proxyWidgets;
  if (!Array.isArray(listed)) return [];
  return listed.map((entry: unknown) => {
    const [node, widget]: unknown[] = Array.isArray(entry) ? entry : [];
    return [String(node), String(widget).replace(PREFIXES, '')];
  });
}

/** The property was text in some pages. */
function fromText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
