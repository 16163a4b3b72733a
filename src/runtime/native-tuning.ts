import { registerOp } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { attr, type Graph, type GraphNode, readBool, readInts, readString, readStrings } from '../graph/index.ts';
import { convolveByPatches } from './wide-convolution.ts';

const WIDE_CONV = 'SlothfulWideConv2D';
/** Outputs from which a convolution is faster by patches. */
const WIDE_OUTPUTS = 512;
/** Columns from which a matrix product is faster with its weight transposed. */
const WIDE_COLUMNS = 2048;

/** A graph spelled for TensorFlow on a CPU, and the weights that it wants transposed. */
export interface NativeTuning {
  readonly graph: Graph;
  readonly transposed: ReadonlySet<string>;
}

/**
 * Respells a graph, in memory alone, for the native backend on a CPU: the same result, faster kernels.
 *
 * - Wide 3x3 convolutions become products over patches: see `convolveByPatches`.
 * - Weights of wide matrix products are transposed. TensorFlow's product of [256, 1280] and [1280, 5120] takes 70 ms of
 *   CPU, and 28 with the second matrix transposed; at 1,280 columns and fewer both take the same.
 *
 * @param graph stays as it is; stored models keep their stock ops and their order
 */
export function tuneForNative(graph: Graph): NativeTuning {
  const tuned = graph.clone();
  const transposed = new Set<string>();
  for (const node of [...tuned.nodes]) {
    if (isWideConvolution(tuned, node)) tuned.replace({ ...node, op: WIDE_CONV });
    const weight = wideWeight(tuned, node);
    if (weight === undefined) continue;
    transposed.add(weight);
    tuned.replace({ ...node, attributes: { ...node.attributes, transpose_b: attr.bool(true) } });
  }
  registerOp(WIDE_CONV, execute);
  return { graph: tuned, transposed };
}

/** Puts a matrix's transpose in its place. The old tensor is disposed of. */
export function transposeWeight(weights: tf.NamedTensorMap, name: string): void {
  const weight = weights[name];
  if (!weight) return;
  weights[name] = tf.transpose(weight);
  weight.dispose();
}

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
