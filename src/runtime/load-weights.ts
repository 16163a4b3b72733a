import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { type ConstantValue, constantBytes, type Graph, storedBytes, type WeightSpec } from '../graph/index.ts';
import { decodeWeight, isStoredPlain } from '../io/decode-weight.ts';
import type { ModelFile } from '../io/model-file.ts';

/** Told how far loading is, in bytes of stored weights. */
export type LoadProgress = (done: number, total: number) => void;

/** The weights that a graph's Const nodes use, stored or added; others stay unread. */
export function usedWeights(graph: Graph, place: string): WeightSpec[] {
  return [...graph.nodes]
    .filter((node) => node.op === 'Const')
    .map(({ name }) => {
      const spec = graph.weight(name);
      if (spec) return spec;
      throw new SlothfulError('bad-model', place, `has a Const "${name}" that the weights manifest does not list`);
    });
}

/**
 * Makes a tensor of every weight that the graph uses, one at a time: plain weights are read straight into the memory of
 * their tensor, half floats through one buffer that is used again, so that no weight is ever held twice.
 *
 * @param file the model whose shards have the weights
 * @param graph its document, or one made from it
 * @returns tensors by name, the caller's to dispose; none are left over on an error
 * @throws SlothfulError `io`, `bad-model`, `unsupported`
 */
export async function loadWeights(file: ModelFile, graph: Graph, progress?: LoadProgress): Promise<tf.NamedTensorMap> {
  const stored = usedWeights(graph, file.place).filter(({ name }) => !graph.addedConstants.has(name));
  const tensors: tf.NamedTensorMap = {};
  try {
    for (const [name, constant] of graph.addedConstants) tensors[name] = constantTensor(constant);
    const wanted = new Set(stored.map(({ name }) => name));
    const total = stored.reduce((sum, spec) => sum + (storedBytes(spec) ?? 0), 0);
    let done = 0;
    for await (const { spec, bytes } of file.weights(wanted, scratchAllocator())) {
      tensors[spec.name] = keepOnDevice(weightTensor(spec, bytes, file.place));
      done += bytes.length;
      progress?.(done, total);
    }
    return tensors;
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}

function constantTensor(constant: ConstantValue): tf.Tensor {
  const spec = { name: '', shape: constant.shape, dtype: constant.dtype };
  return weightTensor(spec, constantBytes(constant), 'constant');
}

function weightTensor(spec: WeightSpec, bytes: Uint8Array, place: string): tf.Tensor {
  if (spec.dtype === 'string') return tf.tensor(decodeStrings(bytes), [...spec.shape], 'string');
  return tf.tensor(decodeWeight(spec, bytes, place), [...spec.shape], spec.dtype);
}

/** Strings are stored as four bytes of length and as many bytes of text. */
function decodeStrings(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 4 + view.getUint32(offset, true);
    texts.push(new TextDecoder().decode(bytes.subarray(offset + 4, end)));
    offset = end;
  }
  return texts;
}

/** Plain weights get memory of their own, which becomes the tensor's; the others one buffer that grows. */
function scratchAllocator() {
  let scratch = new Uint8Array();
  return (spec: WeightSpec, length: number): Uint8Array => {
    if (isStoredPlain(spec)) return new Uint8Array(length);
    if (scratch.length < length) scratch = new Uint8Array(length);
    return scratch.subarray(0, length);
  };
}

/**
 * The native backend keeps a tensor's values in JavaScript until its first use and copies them then, which in the first
 * step would hold all weights twice. Reading one element of it makes the copy now, one weight at a time.
 */
function keepOnDevice(tensor: tf.Tensor): tf.Tensor {
  if (tf.getBackend() !== 'tensorflow' || tensor.rank === 0 || tensor.size === 0 || tensor.dtype === 'string') {
    return tensor;
  }
  const begin = tensor.shape.map(() => 0);
  const size = tensor.shape.map(() => 1);
  tf.slice(tensor, begin, size).dispose();
  return tensor;
}
