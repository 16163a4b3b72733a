import type { Graph } from './graph.ts';
import type { GraphNode } from './node.ts';

/** The nodes in an order in which every node comes after its inputs, and the names that lie on or behind a cycle. */
export function executionOrder(graph: Graph): { order: GraphNode[]; cyclic: string[] } {
  const waiting = new Map<string, number>();
  const users = new Map<string, string[]>();
  for (const node of graph.nodes) {
    const sources = new Set([...node.inputs.map((input) => input.node), ...node.controls]);
    const present = [...sources].filter((name) => graph.node(name));
    waiting.set(node.name, present.length);
    for (const name of present) {
      const list = users.get(name);
      if (list) list.push(node.name);
      else users.set(name, [node.name]);
    }
  }
  const ready = [...waiting].filter(([, count]) => count === 0).map(([name]) => name);
  const order: GraphNode[] = [];
  for (let next = 0; next < ready.length; next++) {
    const node = graph.node(ready[next] ?? '');
    if (!node) continue;
    order.push(node);
    for (const user of users.get(node.name) ?? []) {
      const left = (waiting.get(user) ?? 0) - 1;
      waiting.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  const done = new Set(order.map((node) => node.name));
  return { order, cyclic: [...waiting.keys()].filter((name) => !done.has(name)) };
}
