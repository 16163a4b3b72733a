import { describe } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';

/** A value that is given. */
export interface FlatValue {
  readonly kind: 'value';
  readonly value: unknown;
  /** What becomes of it after each run, where the file says so. */
  readonly control?: string | undefined;
  /** Whether the page draws a part of it anew for each run. */
  readonly isDrawn?: boolean | undefined;
}

/** What an input of a node is given. */
export type FlatInput =
  | FlatValue
  /** An output of another node; the type where the file says it. */
  | { readonly kind: 'link'; readonly node: string; readonly slot: number; readonly type?: string | undefined }
  /** What a muted node would have given: the node that needs it does not run. */
  | { readonly kind: 'gone'; readonly because: string }
  /** A link that leads nowhere. */
  | { readonly kind: 'broken'; readonly because: string };

/** A node that computes something, with its inputs by name. */
export interface FlatNode {
  readonly id: string;
  readonly classType: string;
  /** As the user has named it; null where they have not. */
  readonly title: string | null;
  readonly inputs: ReadonlyMap<string, FlatInput>;
  /** The values as the file lists them, unnamed; only saved files have them. */
  readonly listed?: readonly unknown[] | undefined;
  /** Why it is not understood, where that is known already. */
  readonly because?: string | undefined;
}

/** A workflow of either format as one graph: no subgraphs, reroutes, primitives of the page, bypassed or muted nodes. */
export interface FlatGraph {
  readonly place: string;
  /** As sent to a server, or as saved by the page. */
  readonly format: 'api' | 'ui';
  readonly nodes: ReadonlyMap<string, FlatNode>;
}

/** Nodes of a workflow, subgraphs counted as often as they are used. */
export const MOST_NODES = 10_000;
/** Reroutes, bypassed nodes and edges of subgraphs that one link leads through. */
export const LONGEST_WAY = 1_000;

/** What can be linked to: an id is a number in some files, a string in others. */
export function idOf(value: unknown, place: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return String(value);
  throw new SlothfulError('bad-input', place, `a node's id must be a number or a string, got ${describe(value)}`);
}

/** A node as messages name it: `node 3 (KSampler)`, with its title where it has one of its own. */
export function nameOf({ id, classType, title }: Pick<FlatNode, 'id' | 'classType' | 'title'>): string {
  const own = title && title !== classType ? ` "${title.replace(/\s+/g, ' ').slice(0, 40)}"` : '';
  return `node ${id} (${classType}${own})`;
}

/** @throws SlothfulError `bad-input` for more nodes than are read */
export function expectFew(count: number, place: string): void {
  if (count <= MOST_NODES) return;
  throw new SlothfulError(
    'bad-input',
    place,
    `has more than ${MOST_NODES} nodes`,
    'take out those that it does not need',
  );
}
