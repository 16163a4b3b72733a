import { type GraphNode, type GraphView, isObject } from './document.ts';

/** The nodes in an order in which every node comes after its inputs, and the names that lie on or behind a cycle. */
export function executionOrder(graph: GraphView): { order: GraphNode[]; cyclic: string[] } {
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

/** The output nodes of a graph: those that the signature lists, else those that nothing reads. */
export function outputNodes(graph: GraphView): string[] {
  const outputs = isObject(graph.signature) ? signatureNodes({ outputs: graph.signature.outputs }) : [];
  const listed = outputs.filter((name) => graph.node(name));
  if (listed.length) return listed;
  return [...graph.nodes]
    .filter((node) => !graph.consumers(node.name).length && node.op !== 'Const' && !node.op.startsWith('Placeholder'))
    .map((node) => node.name);
}

/**
 * The nodes that no output needs: all but the outputs, placeholders, and everything that a signature or an initializer
 * names, with what they read.
 */
export function unneededNodes(graph: GraphView, outputs: readonly string[]): string[] {
  const inputs = [...graph.nodes].filter((node) => node.op.startsWith('Placeholder')).map((node) => node.name);
  const signatures = [...signatureNodes(graph.signature), ...signatureNodes(graph.extras.initializerSignature)];
  const wanted = neededNodes(graph, [...outputs, ...inputs, ...signatures]);
  return [...graph.nodes].map((node) => node.name).filter((name) => !wanted.has(name));
}

/**
 * The nodes that run when outputs are asked for: those outputs with all that they read.
 *
 * @param given nodes whose outputs are fed, so that neither they nor what only they read runs
 */
export function neededNodes(
  graph: GraphView,
  outputs: readonly string[],
  given: ReadonlySet<string> = new Set(),
): Set<string> {
  const needed = new Set<string>();
  const queue = [...outputs];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = graph.node(name);
    if (!node || needed.has(name) || given.has(name)) continue;
    needed.add(name);
    queue.push(...node.inputs.map((input) => input.node), ...node.controls);
  }
  return needed;
}

/** Names of the nodes behind the tensors that a signature or initializer signature lists. */
function signatureNodes(signature: unknown): string[] {
  if (!isObject(signature)) return [];
  return [signature.inputs, signature.outputs]
    .filter(isObject)
    .flatMap((side) =>
      Object.values(side).flatMap((tensor) =>
        isObject(tensor) && typeof tensor.name === 'string' ? [nodeName(tensor.name)] : [],
      ),
    );
}

function nodeName(tensorName: string): string {
  return tensorName.replace(/:\d+$/, '');
}
