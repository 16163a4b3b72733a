import type { Graph } from './graph.ts';
import { isObject } from './model-json.ts';

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

/** The output nodes of a graph: those that the signature lists, else those that nothing reads. */
export function outputNodes(graph: Graph): string[] {
  const outputs = isObject(graph.signature) ? signatureNodes({ outputs: graph.signature.outputs }) : [];
  const listed = outputs.filter((name) => graph.node(name));
  if (listed.length) return listed;
  return [...graph.nodes]
    .filter((node) => !graph.consumers(node.name).length && node.op !== 'Const' && !node.op.startsWith('Placeholder'))
    .map((node) => node.name);
}

/**
 * Removes the nodes that no output needs.
 *
 * Kept: the outputs, placeholders, and everything that a signature or an initializer names. The manifest is not changed:
 * the bytes stay in shared shards, and TF.js ignores weights that no node uses.
 *
 * @param outputs names of the output nodes. A pass that leaves dead ends in a graph without a signature must take them
 *   before it begins: after it a dead end looks like an output
 * @returns the removed names
 */
export function prune(graph: Graph, outputs: readonly string[] = outputNodes(graph)): string[] {
  const inputs = [...graph.nodes].filter((node) => node.op.startsWith('Placeholder')).map((node) => node.name);
  const signatures = [...signatureNodes(graph.signature), ...signatureNodes(graph.extras.initializerSignature)];
  const wanted = new Set<string>();
  const queue = [...outputs, ...inputs, ...signatures];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = graph.node(name);
    if (!node || wanted.has(name)) continue;
    wanted.add(name);
    queue.push(...node.inputs.map((input) => input.node), ...node.controls);
  }
  const dead = [...graph.nodes].map((node) => node.name).filter((name) => !wanted.has(name));
  for (const name of dead) graph.remove(name);
  return dead;
}
