import { describe, isObject, type JsonObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { idOf } from './flat.ts';

/** An input of a saved node: a socket, or a widget that can be linked. */
export interface UiInput {
  readonly name: string;
  readonly type: string;
  /** Of the link; null where none is. */
  readonly link: string | null;
  readonly isWidget: boolean;
  readonly label?: string | undefined;
}

/** A node as the page saves it. */
export interface UiNode {
  readonly id: string;
  readonly type: string;
  readonly title: string | null;
  readonly mode: unknown;
  readonly inputs: readonly UiInput[];
  readonly outputs: ReadonlyArray<{
    readonly name: string;
    readonly type: string;
    readonly label?: string | undefined;
  }>;
  readonly widgetsValues: unknown;
  readonly properties: JsonObject;
}

/** From which output of which node to which input; in subgraphs from -10 and to -20, which are its edge. */
export interface UiLink {
  readonly id: string;
  readonly from: string;
  readonly fromSlot: number;
  readonly to: string;
  readonly toSlot: number;
}

/** The nodes of one graph by their ids. @throws SlothfulError `bad-input` */
export function readUiNodes(nodes: unknown, place: string): Map<string, UiNode> {
  if (!Array.isArray(nodes)) {
    throw new SlothfulError('bad-input', place, `nodes must be a list, got ${describe(nodes)}`);
  }
  const read = new Map<string, UiNode>();
  for (const [index, value] of nodes.entries()) {
    const node = readUiNode(value, `${place}: nodes[${index}]`);
    if (read.has(node.id)) throw new SlothfulError('bad-input', place, `node ${node.id} is there twice`);
    read.set(node.id, node);
  }
  return read;
}

/** One node; `id` where the file gives it none. @throws SlothfulError `bad-input` */
export function readUiNode(value: unknown, place: string, id?: string): UiNode {
  if (!isObject(value) || typeof value.type !== 'string') {
    throw new SlothfulError('bad-input', place, `must be an object with a type, got ${describe(value)}`);
  }
  return {
    id: id ?? idOf(value.id, place),
    type: value.type,
    title: typeof value.title === 'string' ? value.title : null,
    mode: value.mode,
    inputs: objectsOf(value.inputs).map(readInput),
    outputs: objectsOf(value.outputs).map((output) => {
      return { name: textOf(output.name), type: typeOf(output.type), label: labelOf(output) };
    }),
    widgetsValues: value.widgets_values,
    properties: isObject(value.properties) ? value.properties : {},
  };
}

function readInput(input: JsonObject): UiInput {
  const link = typeof input.link === 'number' || typeof input.link === 'string' ? String(input.link) : null;
  return {
    name: textOf(input.name),
    type: typeOf(input.type),
    link,
    isWidget: isObject(input.widget),
    label: labelOf(input),
  };
}

/** The links of one graph by their ids, as lists (schema 0.4) or objects (schema 1, subgraphs). */
export function readUiLinks(links: unknown, place: string): Map<string, UiLink> {
  const values: unknown[] = Array.isArray(links) ? links : isObject(links) ? Object.values(links) : [];
  // A hole stands where the page has taken a link away.
  const read = values
    .filter((link) => link !== null)
    .map((link, index) => readUiLink(link, `${place}: links[${index}]`));
  return new Map(read.map((link) => [link.id, link]));
}

function readUiLink(link: unknown, place: string): UiLink {
  const fields = Array.isArray(link)
    ? link
    : isObject(link)
      ? [link.id, link.origin_id, link.origin_slot, link.target_id, link.target_slot]
      : [];
  const [id, from, fromSlot, to, toSlot]: unknown[] = fields;
  if (typeof fromSlot !== 'number' || typeof toSlot !== 'number') {
    throw new SlothfulError('bad-input', place, `is no link, got ${describe(link)}`);
  }
  return { id: idOf(id, place), from: idOf(from, place), fromSlot, to: idOf(to, place), toSlot };
}

/** Types of inputs are names, or numbers in very old files (-1 and 0: any). */
function typeOf(type: unknown): string {
  return typeof type === 'string' ? type : '*';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function labelOf({ label }: JsonObject): string | undefined {
  return typeof label === 'string' ? label : undefined;
}

function objectsOf(list: unknown): JsonObject[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}
