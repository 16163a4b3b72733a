import type { Attributes } from './attributes.ts';
import type { Endpoint } from './endpoint.ts';

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
