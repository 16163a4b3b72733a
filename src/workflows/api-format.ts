import { describe, isObject, type JsonObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { expectFew, type FlatGraph, type FlatInput, type FlatNode, LONGEST_WAY } from './flat.ts';

/** Whether it is a workflow as it is sent to a server: `{ id: { class_type, inputs } }`. */
export function isApiFormat(value: unknown): value is JsonObject {
  if (!isObject(value)) return false;
  const nodes = Object.values(value);
  return nodes.length > 0 && nodes.some((node) => isObject(node) && typeof node.class_type === 'string');
}

/**
 * The graph of a workflow in the API format, which is that of the chunk `prompt` of ComfyUI's pictures.
 *
 * @param place the file, for messages
 * @throws SlothfulError `bad-input` where a node is none
 */
export function readApiFormat(workflow: JsonObject, place: string): FlatGraph {
  const entries = Object.entries(workflow);
  expectFew(entries.length, place);
  const nodes = new Map(entries.map(([id, node]) => [id, readNode(id, node, place)]));
  const inputsOf = (node: FlatNode) => {
    return new Map([...node.inputs].map(([name, input]) => [name, behindReroutes(input, nodes)]));
  };
  const kept = [...nodes.values()].filter(({ classType }) => classType !== 'Reroute');
  return { place, format: 'api', nodes: new Map(kept.map((node) => [node.id, { ...node, inputs: inputsOf(node) }])) };
}

function readNode(id: string, node: unknown, place: string): FlatNode {
  if (!isObject(node) || typeof node.class_type !== 'string') {
    const problem = `node ${id} must be an object with a class_type, got ${describe(node)}`;
    throw new SlothfulError('bad-input', place, problem);
  }
  const inputs = isObject(node.inputs) ? node.inputs : {};
  const title = isObject(node._meta) && typeof node._meta.title === 'string' ? node._meta.title : null;
  const read = Object.entries(inputs).map(([name, value]) => [name, readInput(value)] as const);
  return { id, classType: node.class_type, title, inputs: new Map(read) };
}

/** A link is `["id", slot]`; no widget of the classes that are understood holds a list. */
function readInput(value: unknown): FlatInput {
  if (!Array.isArray(value)) {
    // Values that would be taken for links are sent in a box.
    return { kind: 'value', value: isObject(value) && '__value__' in value ? value.__value__ : value };
  }
  const [node, slot]: unknown[] = value;
  if (value.length === 2 && (typeof node === 'string' || typeof node === 'number') && typeof slot === 'number') {
    return { kind: 'link', node: String(node), slot };
  }
  return { kind: 'broken', because: 'is a list that is no link ["id", slot]' };
}

/** Reroutes are of the page and should not be here; where one is, it passes on what it is given. */
function behindReroutes(input: FlatInput, nodes: ReadonlyMap<string, FlatNode>): FlatInput {
  let found = input;
  for (let steps = 0; steps < LONGEST_WAY; steps++) {
    const node = found.kind === 'link' ? nodes.get(found.node) : undefined;
    if (node?.classType !== 'Reroute') return found;
    const [first] = node.inputs.values();
    if (!first) return { kind: 'broken', because: `comes from node ${node.id} (Reroute), which is given nothing` };
    found = first;
  }
  return { kind: 'broken', because: 'comes through reroutes that are linked in a circle' };
}
