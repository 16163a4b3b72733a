import type { GraphNode } from '../graph/index.ts';
import type { Context } from './context.ts';
import { type Problem, problem } from './problem.ts';

/** Nodes that shape arithmetic around one attention may have; more means that it goes elsewhere. */
const FAR = 64;

/**
 * Whether something outside an attention reads what is inside it. A rewrite would then compute it twice.
 *
 * Shape arithmetic counts as inside where all that it leads to is inside.
 *
 * @param inside nodes of the attention, without the one whose output is replaced
 */
export function findEscape(context: Context, inside: ReadonlySet<string>, output: string): Problem | undefined {
  for (const name of inside) {
    if (context.isOutput(name)) return problem(name, 'is inside the attention and an output of the graph');
    for (const { node } of context.graph.consumers(name)) {
      if (node.name === output || inside.has(node.name)) continue;
      if (leadsOutside(context, node, inside, output)) {
        return problem(name, `is inside the attention and also read by "${node.name}" (${node.op}) outside of it`);
      }
    }
  }
  return undefined;
}

function leadsOutside(context: Context, from: GraphNode, inside: ReadonlySet<string>, output: string): boolean {
  const seen = new Set([from.name]);
  const queue = [from.name];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (context.isOutput(name) || seen.size > FAR) return true;
    for (const { node } of context.graph.consumers(name)) {
      if (inside.has(node.name) || node.name === output || seen.has(node.name)) continue;
      seen.add(node.name);
      queue.push(node.name);
    }
  }
  return false;
}
