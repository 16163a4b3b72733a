import { SlothfulError } from '../errors.ts';
import { classOf } from './classes.ts';
import { type FlatGraph, type FlatNode, nameOf } from './flat.ts';
import { literalOf } from './way.ts';

/** A node, and which of its outputs a link begins at. */
export interface Origin {
  readonly node: FlatNode;
  readonly slot: number;
}

/** Whether a node's class has an input of that name; a file may have others. */
export function takes({ classType }: FlatNode, name: string): boolean {
  return classOf(classType)?.inputs.some((input) => input.name === name) === true;
}

/** What is linked to an input. Of a way that was checked it is there. @throws SlothfulError `bug` */
export function originOf(graph: FlatGraph, node: FlatNode, name: string): Origin {
  const input = node.inputs.get(name);
  const from = input?.kind === 'link' ? graph.nodes.get(input.node) : undefined;
  if (!from || input?.kind !== 'link') throw unchecked(graph, node, name);
  return { node: from, slot: input.slot };
}

/** A widget's text or name. */
export function textOf(graph: FlatGraph, node: FlatNode, name: string): string {
  return String(literalIn(graph, node, name));
}

/** A widget's number. */
export function numberOf(graph: FlatGraph, node: FlatNode, name: string): number {
  return Number(literalIn(graph, node, name));
}

/** A widget that is on or off. */
export function flagOf(graph: FlatGraph, node: FlatNode, name: string): boolean {
  return literalIn(graph, node, name) === true;
}

/** A widget's whole number with all its digits. */
export function digitsOf(graph: FlatGraph, node: FlatNode, name: string): bigint {
  const value = literalIn(graph, node, name);
  return typeof value === 'bigint' ? value : BigInt(Number(value));
}

function literalIn(graph: FlatGraph, node: FlatNode, name: string): unknown {
  const found = literalOf(graph, node, name);
  if (!found) throw unchecked(graph, node, name);
  return found.value;
}

function unchecked({ place }: FlatGraph, node: FlatNode, name: string): SlothfulError {
  return new SlothfulError('bug', place, `${name} of ${nameOf(node)} was not checked`);
}
