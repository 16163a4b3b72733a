import { SlothfulError } from '../errors.ts';
import { readBool, readString } from './attributes.ts';
import type { GraphNode, GraphView } from './document.ts';
import { outputCount } from './ops.ts';
import { executionOrder } from './traverse.ts';

/** A fault of a graph that TF.js does not catch, or catches late and obscurely. */
export interface Finding {
  readonly rule:
    | 'dangling-input'
    | 'missing-output'
    | 'colon-in-name'
    | 'missing-weight'
    | 'nchw'
    | 'cycle'
    | 'default-not-const';
  readonly node: string;
  readonly problem: string;
}

const NCHW_OPS: ReadonlySet<string> = new Set([
  'Conv2D',
  '_FusedConv2D',
  'AvgPool',
  'MaxPool',
  'FusedBatchNorm',
  'FusedBatchNormV3',
  'BiasAdd',
]);

/** Every fault of the graph. Duplicate names and unreadable inputs are refused when the document is read. */
export function lint(graph: GraphView): Finding[] {
  const findings: Finding[] = [];
  for (const node of graph.nodes) findings.push(...lintNode(graph, node));
  const { cyclic } = executionOrder(graph);
  const first = cyclic[0];
  if (first !== undefined && !hasControlFlow(graph)) {
    findings.push({ rule: 'cycle', node: first, problem: `lies on or behind a cycle of ${cyclic.length} nodes` });
  }
  return findings;
}

function hasControlFlow(graph: GraphView): boolean {
  return [...graph.nodes].some((node) => node.op === 'NextIteration');
}

function lintNode(graph: GraphView, node: GraphNode): Finding[] {
  const found: Finding[] = [];
  const say = (rule: Finding['rule'], problem: string) => found.push({ rule, node: node.name, problem });
  if (node.name.includes(':')) say('colon-in-name', 'has a ":" in its name, which TF.js reads as an output number');
  for (const { node: source, output } of node.inputs) {
    const producer = graph.node(source);
    if (!producer) say('dangling-input', `reads "${source}", which is not there`);
    else if (output >= (outputCount(producer.op) ?? Number.POSITIVE_INFINITY)) {
      const count = outputCount(producer.op) === 1 ? 'one' : outputCount(producer.op);
      say('missing-output', `reads output ${output} of "${source}", and ${producer.op} has ${count}`);
    }
  }
  for (const name of node.controls) {
    if (!graph.node(name)) say('dangling-input', `waits for "${name}", which is not there`);
  }
  if (node.op === 'Const' && !graph.weight(node.name))
    say('missing-weight', 'is a Const without an entry in the weights manifest');
  if (NCHW_OPS.has(node.op) && readString(node.attributes, 'data_format').toUpperCase() === 'NCHW') {
    say('nchw', `is a ${node.op} in NCHW; TF.js computes NHWC, or gives wrong numbers`);
  }
  if (node.op === 'PlaceholderWithDefault' && graph.node(node.inputs[0]?.node ?? '')?.op !== 'Const') {
    say('default-not-const', 'has a default that is not a Const');
  }
  return found;
}

/**
 * Norms that TF.js computes otherwise than TensorFlow: it takes the mean and variance that it is given where `is_training` asks
 * for those of the batch, and reads NCHW as NHWC.
 */
export function wrongNorms(graph: GraphView): { readonly node: string; readonly problem: string }[] {
  return [...graph.nodes].flatMap(({ name, op, attributes }) => {
    if (!op.startsWith('FusedBatchNorm')) return [];
    const isFirst = readString(attributes, 'data_format').toUpperCase() === 'NCHW';
    // TensorFlow's default is true; converters write the attribute out.
    const isTraining = readBool(attributes, 'is_training', true);
    const wrong = isTraining ? 'with the statistics of the batch (is_training)' : isFirst ? 'in NCHW' : undefined;
    return wrong ? [{ node: name, problem: `is a ${op} ${wrong}, which TF.js computes wrongly` }] : [];
  });
}

/** Throws when the graph has a fault. @throws SlothfulError `bad-graph`, naming the first and counting the rest */
export function checkGraph(graph: GraphView, when: string): void {
  const findings = lint(graph);
  const first = findings[0];
  if (!first) return;
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  throw new SlothfulError(
    'bad-graph',
    `node "${first.node}"`,
    `${first.problem}${more}, ${when}`,
    'the graph cannot run in TF.js',
  );
}
