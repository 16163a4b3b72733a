import { isObject, type JsonObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import type { Attributes } from './attributes.ts';
import type { ConstantValue } from './constant.ts';
import type { WeightSpec } from './weights.ts';

export { isObject, type JsonObject };

/** One output of one node: what model.json spells `name` (output 0) or `name:1`. */
export interface Endpoint {
  readonly node: string;
  readonly output: number;
}

/** An entry of a node's input list: data, or a control dependency (`^name`), which carries no value. */
export type InputReference = ({ kind: 'data' } & Endpoint) | { kind: 'control'; node: string };

/** A node of the graph: an op with data inputs, control inputs and attributes. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Endpoint[];
  readonly controls: readonly string[];
  readonly attributes: Attributes;
  readonly device?: string;
}

/** One place where an endpoint is used: input `slot` of `node`. */
export interface Use {
  readonly node: GraphNode;
  readonly slot: number;
  readonly output: number;
}

/**
 * What can be read of a graph: the side of a `Graph` that orders, checks and shapes are worked out from. A document may
 * change between two reads, so nothing here is kept by those that read it.
 */
export interface GraphView {
  /** All nodes, in the order of the document. */
  readonly nodes: Iterable<GraphNode>;
  node(name: string): GraphNode | undefined;
  /** Every data input that reads an output of the node. */
  consumers(name: string): readonly Use[];
  /** The values of a small Const; undefined where they are not known. */
  constant(name: string): ConstantValue | undefined;
  /** The spec of a weight, stored or added. */
  weight(name: string): WeightSpec | undefined;
  readonly signature: JsonObject | undefined;
  /** `userDefinedMetadata`. */
  readonly metadata: JsonObject;
  /** Top-level fields of the model.json that the document carries through unread. */
  readonly extras: JsonObject;
}

/** Builds the endpoint of a node's output. */
export function endpoint(node: string, output = 0): Endpoint {
  return { node, output };
}

/**
 * Reads an entry of a model.json input list.
 *
 * @throws SlothfulError `bad-graph` when the text is neither `name`, `name:number` nor `^name`
 */
export function parseInput(text: string, place: string): InputReference {
  if (text.startsWith('^')) return { kind: 'control', node: text.slice(1) };
  const parts = text.split(':');
  const [node, index] = parts;
  if (!node || parts.length > 2) throw new SlothfulError('bad-graph', place, `cannot read the input "${text}"`);
  if (index === undefined) return { kind: 'data', node, output: 0 };
  if (!/^\d{1,6}$/.test(index)) throw new SlothfulError('bad-graph', place, `cannot read the input "${text}"`);
  return { kind: 'data', node, output: Number(index) };
}

/** The model.json spelling of an endpoint. */
export function formatEndpoint({ node, output }: Endpoint): string {
  return output === 0 ? node : `${node}:${output}`;
}

/** Whether two endpoints are the same output of the same node. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.node === b.node && a.output === b.output;
}
