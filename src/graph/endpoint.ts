import { SlothfulError } from '../errors.ts';

/** One output of one node: what model.json spells `name` (output 0) or `name:1`. */
export interface Endpoint {
  readonly node: string;
  readonly output: number;
}

/** An entry of a node's input list: data, or a control dependency (`^name`), which carries no value. */
export type InputReference = ({ kind: 'data' } & Endpoint) | { kind: 'control'; node: string };

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
