import type { UiLink, UiNode } from './ui-nodes.ts';

/** Where links of a definition come from and go to that cross its edge. */
export const INPUT_EDGE = '-10';
export const OUTPUT_EDGE = '-20';

/** What an instance says in the place of what its definition says. */
export interface InstanceValues {
  /** By the names of the definition's inputs. */
  readonly promoted: ReadonlyMap<string, unknown>;
  /** By `widgetKey` of widgets inside. */
  readonly inner: ReadonlyMap<string, unknown>;
}

/** Nodes that stand as one node in a graph: a subgraph, or the group node of older pages. */
export interface Definition {
  readonly name: string;
  readonly nodes: ReadonlyMap<string, UiNode>;
  /** By their ids; at its edge they come from -10 and go to -20. */
  readonly links: ReadonlyMap<string, UiLink>;
  /** Names by slots of -10. */
  readonly inputs: readonly string[];
  /** The links to -20 by its slots: files may have old ones beside them. */
  readonly outputs: ReadonlyArray<UiLink | undefined>;
  readonly valuesOf: (instance: UiNode) => InstanceValues;
}

/** The name of a widget of a node inside, as a key. */
export function widgetKey(node: string, widget: string): string {
  return `${node}\n${widget}`;
}
