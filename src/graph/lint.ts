import { SlothfulError } from '../errors.ts';
import { readString } from './attributes.ts';
import type { Graph } from './graph.ts';
import type { GraphNode } from './node.ts';
import { executionOrder } from './order.ts';

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

/** Ops with more than one output; an input `name:1` of any other op reads nothing. */
const MANY_OUTPUTS: ReadonlySet<string> = new Set([
  'Split',
  'SplitV',
  'Unpack',
  'Unique',
  'UniqueV2',
  'TopKV2',
  'TopK',
  'Switch',
  'Merge',
  'While',
  'StatelessWhile',
  'If',
  'StatelessIf',
  'FusedBatchNorm',
  'FusedBatchNormV2',
  'FusedBatchNormV3',
  'NonMaxSuppressionV4',
  'NonMaxSuppressionV5',
  'SparseFillEmptyRows',
  'SparseReshape',
  'SoftmaxCrossEntropyWithLogits',
  'Bincount',
  'DenseBincount',
  'StringSplit',
  'StringNGrams',
  'Transform',
  'PartitionedCall',
  'StatefulPartitionedCall',
  'TensorListPopBack',
  'LinSpace',
  'IdentityN',
]);

/** Every fault of the graph. Duplicate names and unreadable inputs are refused when the document is read. */
export function lint(graph: Graph): Finding[] {
  const findings: Finding[] = [];
  for (const node of graph.nodes) findings.push(...lintNode(graph, node));
  const { cyclic } = executionOrder(graph);
  const first = cyclic[0];
  if (first !== undefined && !hasControlFlow(graph)) {
    findings.push({ rule: 'cycle', node: first, problem: `lies on or behind a cycle of ${cyclic.length} nodes` });
  }
  return findings;
}

function hasControlFlow(graph: Graph): boolean {
  return [...graph.nodes].some((node) => node.op === 'NextIteration');
}

function lintNode(graph: Graph, node: GraphNode): Finding[] {
  const found: Finding[] = [];
  const say = (rule: Finding['rule'], problem: string) => found.push({ rule, node: node.name, problem });
  if (node.name.includes(':')) say('colon-in-name', 'has a ":" in its name, which TF.js reads as an output number');
  for (const { node: source, output } of node.inputs) {
    const producer = graph.node(source);
    if (!producer) say('dangling-input', `reads "${source}", which is not there`);
    else if (output > 0 && !MANY_OUTPUTS.has(producer.op) && isKnownSingle(producer)) {
      say('missing-output', `reads output ${output} of "${source}", and ${producer.op} has one`);
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

/** Ops of other makers may have any number of outputs; only well-known single-output ops are held to one. */
function isKnownSingle(node: GraphNode): boolean {
  return /^(Const|Identity|Placeholder|PlaceholderWithDefault|Reshape|Transpose|MatMul|BatchMatMul(V2)?|Add(V2)?|Mul|Sub|RealDiv|Softmax|Conv2D|_Fused(Conv2D|MatMul)|BiasAdd|ConcatV2|Shape|Pack|StridedSlice|Slice|Mean|Sum|Max|Sigmoid|Rsqrt|Erf|Cast)$/.test(
    node.op,
  );
}

/** Throws when the graph has a fault. @throws SlothfulError `bad-graph`, naming the first and counting the rest */
export function checkGraph(graph: Graph, when: string): void {
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
