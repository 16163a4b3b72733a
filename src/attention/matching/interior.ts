import type { GraphNode } from '../../graph/index.ts';
import type { Context } from './context.ts';
import { type Problem, problem } from './problem.ts';
import { isDataProduct } from './product.ts';
import { stepOf } from './step.ts';

/** Nodes that shape arithmetic around one attention may have; more means that it goes elsewhere. */
const FAR = 64;

/** The nodes of an attention, without the one whose output is replaced. */
export interface Interior {
  readonly inside: ReadonlySet<string>;
  /** Those of them that make the queries: another attention (an image adapter's) may read the same ones. */
  readonly queries: ReadonlySet<string>;
  readonly output: string;
}

/**
 * Whether something outside an attention reads what is inside it. A rewrite would then compute it twice.
 *
 * Shape arithmetic counts as inside where all that it leads to is inside.
 */
export function findEscape(context: Context, interior: Interior): Problem | undefined {
  for (const name of interior.inside) {
    if (context.isOutput(name)) return problem(name, 'is inside the attention and an output of the graph');
    for (const { node } of context.graph.consumers(name)) {
      if (node.name === interior.output || interior.inside.has(node.name)) continue;
      if (interior.queries.has(name) && feedsScores(context, node)) continue;
      if (leadsOutside(context, node, interior)) {
        return problem(name, `is inside the attention and also read by "${node.name}" (${node.op}) outside of it`);
      }
    }
  }
  return undefined;
}

/** Whether a node leads to nothing but the softmaxes of other attentions. */
function feedsScores(context: Context, node: GraphNode, depth = 0): boolean {
  if (node.op === 'Softmax') return true;
  const passes = stepOf(context, node) !== undefined || isDataProduct(context, node);
  const users = context.graph.consumers(node.name);
  if (!passes || depth > 8 || context.isOutput(node.name)) return false;
  return users.length > 0 && users.every((use) => feedsScores(context, use.node, depth + 1));
}

function leadsOutside(context: Context, from: GraphNode, { inside, output }: Interior): boolean {
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
