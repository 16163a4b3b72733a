import { type Endpoint, endpoint, type GraphNode, sameEndpoint, type Use } from '../../graph/index.ts';
import { type Context, readsShape } from './context.ts';
import { type Problem, problem } from './problem.ts';
import { type Step, stepOf } from './step.ts';

/** The way of a value back to where it was made. */
export interface Walk {
  /** The endpoint at which it was made. */
  readonly source: Endpoint;
  /** What it passed since, in the order of execution. */
  readonly steps: readonly Step[];
}

/** Walks back from an endpoint as long as the nodes are steps. */
export function walkBack(context: Context, from: Endpoint): Walk {
  const steps: Step[] = [];
  let source = from;
  for (let node = context.producer(source); node; node = context.producer(source)) {
    const step = stepOf(context, node);
    const next = step && node.inputs[step.slot];
    if (!next) break;
    steps.unshift(step);
    source = next;
  }
  return { source, steps };
}

/** The users of an endpoint that read its values. */
export function dataUses(context: Context, of: Endpoint): Use[] {
  return context.graph.consumers(of.node).filter((use) => use.output === of.output && !readsShape(use.node));
}

/** The one user of an endpoint, or the reason why there is not one. `what` names the value in messages. */
export function onlyUse(context: Context, of: Endpoint, what: string): Use | Problem {
  const [first, ...others] = dataUses(context, of);
  if (!first) return problem(of.node, `nothing reads ${what}`);
  if (others.length) {
    const users = [first, ...others].map((use) => `"${use.node.name}"`).join(', ');
    return problem(of.node, `${what} are read by ${others.length + 1} nodes: ${users}`);
  }
  if (context.isOutput(of.node)) return problem(of.node, `${what} are an output of the graph`);
  return first;
}

/** The step by which a use passes the value on; undefined where the user makes something else of it. */
export function stepOfUse(context: Context, use: Use): Step | undefined {
  const step = stepOf(context, use.node);
  return step?.slot === use.slot ? step : undefined;
}

/** An endpoint and those that it is a mere reshape of, nearest first. The last dimension stays what it is. */
export function reshapeChain(context: Context, from: Endpoint): Endpoint[] {
  const chain = [from];
  let last = from;
  for (let node = context.producer(last); node; node = context.producer(last)) {
    const next = node.inputs[0];
    const isReshape = /^(Reshape|ExpandDims|Squeeze|Identity|StopGradient|Cast)$/.test(node.op);
    if (!isReshape || !next || !keepsChannels(context, next, last)) break;
    chain.push(next);
    last = next;
  }
  return chain;
}

function keepsChannels(context: Context, before: Endpoint, after: Endpoint): boolean {
  const x = context.shapes.dims(before)?.at(-1);
  const y = context.shapes.dims(after)?.at(-1);
  return x === undefined || y === undefined || x === y;
}

/** The nearest endpoint that all chains share. */
export function nearestCommon(first: readonly Endpoint[], ...others: readonly Endpoint[][]): Endpoint | undefined {
  return first.find((item) => others.every((chain) => chain.some((other) => sameEndpoint(item, other))));
}

/** The first output of a node. */
export function outputOf(node: GraphNode): Endpoint {
  return endpoint(node.name);
}
