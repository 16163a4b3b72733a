import { SlothfulError } from '../errors.ts';
import { classOf, isWidget, type NodeClass, type Socket, socketsOf, type Widget, widgetsOf } from './classes.ts';

/** A node that is to be written. */
export interface Draft {
  readonly classType: string;
  /** Values of widgets, and links to sockets, by name. */
  readonly inputs: Readonly<Record<string, number | bigint | string | boolean | DraftLink>>;
  /** The id that it should have. */
  readonly id?: string | undefined;
}

/** An output of another draft. */
export interface DraftLink {
  readonly from: Draft;
  readonly slot: number;
}

const WIDTH = 320;
const GAP = 60;
const LINE = 24;
/** Nodes with a text of several lines are as high as that many widgets more. */
const TEXT_LINES = 5;

/** A link as files of schema 0.4 have it. */
type ListedLink = [id: number, from: number, fromSlot: number, to: number, toSlot: number, type: string];

/** A draft with its class, its id and its place. */
interface Placed {
  readonly draft: Draft;
  readonly nodeClass: NodeClass;
  readonly id: number;
  /** How many nodes are before it on its longest way. */
  readonly column: number;
  readonly pos: readonly [number, number];
  readonly size: readonly [number, number];
}

/**
 * Drafts as a workflow of schema 0.4: what is computed first stands to the left, and nothing lies over another.
 *
 * @param drafts each behind those that it takes from
 */
export function layOut(drafts: readonly Draft[]): object {
  const placed = place(drafts);
  const links = linksOf(placed);
  return {
    last_node_id: Math.max(0, ...[...placed.values()].map(({ id }) => id)),
    last_link_id: links.length,
    nodes: [...placed.values()].map((node, order) => writeNode(node, order, links)),
    links,
    ...{ groups: [], config: {}, extra: {}, version: 0.4 },
  };
}

function place(drafts: readonly Draft[]): Map<Draft, Placed> {
  const ids = idsOf(drafts);
  const placed = new Map<Draft, Placed>();
  const bottoms = new Map<number, number>();
  for (const [index, draft] of drafts.entries()) {
    const nodeClass = classOf(draft.classType);
    if (!nodeClass) throw new SlothfulError('bug', draft.classType, 'is none of the nodes that are written');
    const before = linksIn(draft).map(({ from }) => placed.get(from)?.column ?? 0);
    const column = before.length ? Math.max(...before) + 1 : 0;
    const top = bottoms.get(column) ?? 0;
    const size = [WIDTH, heightOf(nodeClass)] as const;
    bottoms.set(column, top + size[1] + GAP);
    placed.set(draft, { draft, nodeClass, id: ids[index] ?? 0, column, pos: [column * (WIDTH + GAP), top], size });
  }
  return placed;
}

function linksIn({ inputs }: Draft): DraftLink[] {
  return Object.values(inputs).filter((input): input is DraftLink => typeof input === 'object');
}

function heightOf(nodeClass: NodeClass): number {
  const widgets = widgetsOf(nodeClass).map(({ type, control }) => (type === 'STRING' ? TEXT_LINES : control ? 2 : 1));
  const slots = Math.max(socketsOf(nodeClass).length, nodeClass.outputs.length);
  return LINE * (1 + slots + widgets.reduce((sum, lines) => sum + lines, 0));
}

/** Ids that were asked for where they are numbers and not taken; else the next that is free. */
function idsOf(drafts: readonly Draft[]): number[] {
  const asked = drafts.map(({ id = '' }) => (/^\d{1,9}$/.test(id) ? Number(id) : undefined));
  const taken = new Set(asked);
  const used = new Set<number>();
  let next = 1;
  return asked.map((id) => {
    if (id !== undefined && !used.has(id)) {
      used.add(id);
      return id;
    }
    while (taken.has(next)) next++;
    return next++;
  });
}

/** The sockets, and behind them the widgets that are linked. */
function slotsOf({ inputs }: Draft, nodeClass: NodeClass): Array<Socket | Widget> {
  return [...socketsOf(nodeClass), ...widgetsOf(nodeClass).filter(({ name }) => typeof inputs[name] === 'object')];
}

function linksOf(placed: ReadonlyMap<Draft, Placed>): ListedLink[] {
  const ends = [...placed.values()].flatMap(({ draft, nodeClass, id }) => {
    return slotsOf(draft, nodeClass).flatMap(({ name, type }, slot) => {
      const link = draft.inputs[name];
      const from = typeof link === 'object' ? placed.get(link.from) : undefined;
      return from && typeof link === 'object' ? [[from.id, link.slot, id, slot, type] as const] : [];
    });
  });
  return ends.map((end, index) => [index + 1, ...end]);
}

function writeNode(node: Placed, order: number, links: readonly ListedLink[]): object {
  const { draft, nodeClass, id, pos, size } = node;
  const { classType: type } = draft;
  return {
    ...{ id, type, pos, size, flags: {}, order, mode: 0 },
    inputs: slotsOf(draft, nodeClass).map((input, slot) => {
      const { name, type } = input;
      const link = links.find(([, , , to, toSlot]) => to === id && toSlot === slot)?.[0] ?? null;
      return { name, type, link, ...(isWidget(input) ? { widget: { name } } : {}) };
    }),
    outputs: nodeClass.outputs.map((type, slot) => {
      const own = links.filter(([, from, fromSlot]) => from === id && fromSlot === slot).map(([link]) => link);
      return { name: type, type, links: own.length ? own : null, slot_index: slot };
    }),
    properties: { 'Node name for S&R': type },
    widgets_values: valuesOf(node),
  };
}

/** Behind a seed stands that it stays; behind the name of a picture what uploads one. */
function valuesOf({ draft, nodeClass }: Placed): unknown[] {
  const values = widgetsOf(nodeClass).flatMap((widget) => {
    const given = draft.inputs[widget.name] ?? widget.default;
    const value = typeof given === 'object' ? widget.default : given;
    return widget.control ? [value, 'fixed'] : [value];
  });
  return draft.classType === 'LoadImage' ? [...values, 'image'] : values;
}
