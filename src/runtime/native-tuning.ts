import { registerOp } from '@tensorflow/tfjs-converter';
import type * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import {
  attr,
  type Graph,
  type GraphNode,
  type Pass,
  readBool,
  readInts,
  readString,
  readStrings,
  registerGraphOp,
  shapeRuleOf,
} from '../graph/index.ts';
import { convolveByPatches } from './wide-convolution.ts';

const WIDE_CONV = 'SlothfulWideConv2D';
/** Outputs from which a convolution is faster by patches. */
const WIDE_OUTPUTS = 512;
/** Columns from which a matrix product is faster with its weight transposed. */
const WIDE_COLUMNS = 2048;

/**
 * Respells a graph for the native backend on a CPU: the same result, faster kernels.
 *
 * - Wide 3x3 convolutions become products over patches: see `convolveByPatches`.
 * - Weights of wide matrix products are transposed. TensorFlow's product of [256, 1280] and [1280, 5120] takes 70 ms of
 *   CPU, and 28 with the second matrix transposed; at 1,280 columns and fewer both take the same.
 *
 * The loader applies it there, in memory. A document that has been through it holds an op of ours, and weights that are
 * not as the files have them, so it is refused where it would be written.
 */
export function nativeTuning(): Pass {
  return { name: 'native-tuning', version: 1, options: {}, apply: tune };
}

function tune(graph: Graph): void {
  for (const node of [...graph.nodes]) {
    if (isWideConvolution(graph, node)) graph.replace({ ...node, op: WIDE_CONV });
    const weight = wideWeight(graph, node);
    if (weight === undefined) continue;
    graph.editWeight(weight, { transpose: [1, 0] });
    graph.replace({ ...node, attributes: { ...node.attributes, transpose_b: attr.bool(true) } });
  }
}

/** Tells TF.js of the op that the pass writes. */
export function registerNativeOps(): void {
  registerOp(WIDE_CONV, execute);
}

registerGraphOp({ op: WIDE_CONV, shape: shapeRuleOf('Conv2D'), outputs: 1 });

function execute({ inputs }: { readonly inputs: tf.Tensor[] }): tf.Tensor {
  const [x, kernel, bias] = inputs;
  if (x && kernel && isRank4(x) && isRank4(kernel)) return convolveByPatches(x, kernel, bias);
  throw new SlothfulError(
    'bad-model',
    WIDE_CONV,
    `expected maps and a kernel, got ${inputs.map((t) => `[${t.shape}]`)}`,
  );
}

function isRank4(tensor: tf.Tensor): tensor is tf.Tensor4D {
  return tensor.rank === 4;
}

/** 3x3, stride 1, SAME, NHWC, a bias and nothing more fused, many outputs. */
function isWideConvolution(graph: Graph, { op, inputs, attributes }: GraphNode): boolean {
  if (op !== 'Conv2D' && op !== '_FusedConv2D') return false;
  const [height, width, , outputs = 0] = constantShape(graph, inputs[1]?.node);
  const fused = readStrings(attributes, 'fused_ops').join();
  return (
    height === 3 &&
    width === 3 &&
    outputs >= WIDE_OUTPUTS &&
    readString(attributes, 'padding') === 'SAME' &&
    readString(attributes, 'data_format', 'NHWC') === 'NHWC' &&
    [...readInts(attributes, 'strides'), ...readInts(attributes, 'dilations')].every((step) => step === 1) &&
    (op === 'Conv2D' || (fused === 'BiasAdd' && inputs.length === 3))
  );
}

/** The constant weight of a wide matrix product, where nothing else reads it. */
function wideWeight(graph: Graph, { op, inputs, attributes }: GraphNode): string | undefined {
  if ((op !== 'MatMul' && op !== '_FusedMatMul') || readBool(attributes, 'transpose_b')) return undefined;
  const name = inputs[1]?.node;
  const shape = constantShape(graph, name);
  if (name === undefined || shape.length !== 2 || (shape[1] ?? 0) < WIDE_COLUMNS) return undefined;
  return graph.consumers(name).length === 1 ? name : undefined;
}

function constantShape(graph: Graph, name: string | undefined): readonly number[] {
  if (name === undefined || graph.node(name)?.op !== 'Const') return [];
  return graph.weight(name)?.shape ?? [];
}
