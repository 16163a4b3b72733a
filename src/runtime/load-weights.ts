import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS } from '../backends/index.ts';
import { SlothfulError } from '../errors.ts';
import { type ConstantValue, constantBytes, type Graph, storedBytes, type WeightSpec } from '../graph/index.ts';
import { decodeWeight, type ModelFile, placeStored } from '../models/index.ts';

/** Told how far loading is, in bytes of stored weights. */
export type LoadProgress = (done: number, total: number) => void;

/** How far it is, and what stops it between two weights. */
export interface WeightLoading {
  readonly onProgress?: LoadProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

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
 * Makes a tensor of every weight that the graph uses, one at a time: each is read into the memory that becomes its
 * tensor's and widened there, so that no weight is ever held twice.
 *
 * @param file the model whose shards have the weights
 * @param graph its document, or one made from it; edits that it asks for are applied
 * @returns tensors by name, the caller's to dispose; none are left over on an error
 * @throws SlothfulError `io`, `bad-model`, `unsupported`, `aborted`
 */
export async function loadWeights(
  file: ModelFile,
  graph: Graph,
  { onProgress, signal }: WeightLoading = {},
): Promise<tf.NamedTensorMap> {
  const stored = usedWeights(graph, file.place).filter(({ name }) => !graph.addedConstants.has(name));
  const allocate =
    tf.getBackend() === BACKENDS.native.tfjsName ? pageAligned : (bytes: number) => new ArrayBuffer(bytes);
  const tensors: tf.NamedTensorMap = {};
  const add = (name: string, tensor: tf.Tensor) => {
    tensors[name] = tensor;
    keepOnDevice(tensor);
    const edit = graph.weightEdits.get(name);
    if (!edit) return;
    tensors[name] = tf.transpose(tensor, [...edit.transpose]);
    tensor.dispose();
  };
  try {
    for (const [name, constant] of graph.addedConstants) add(name, constantTensor(constant));
    const wanted = new Set(stored.map(({ name }) => name));
    const total = stored.reduce((sum, spec) => sum + (storedBytes(spec) ?? 0), 0);
    let done = 0;
    for await (const { spec, bytes } of file.weights(wanted, (...weight) => placeStored(...weight, allocate))) {
      add(spec.name, weightTensor(spec, bytes, file.place));
      done += bytes.length;
      onProgress?.(done, total);
      if (signal?.aborted) throw new SlothfulError('aborted', file.place, 'loading was stopped');
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
  return tf.tensor(decodeWeight(spec, bytes, place, bytes.buffer), [...spec.shape], spec.dtype);
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

/**
 * Memory from the start of a page on, which JavaScript engines give to buffers that may be resized; this one never is.
 *
 * TensorFlow shares memory with JavaScript from a multiple of 64 bytes on. All other it copies into an arena of its own,
 * whose index takes a 32nd more, and the original waits for the garbage collector. Engines that know no resizable
 * buffers give a plain one: nothing but memory is lost.
 */
export function pageAligned(bytes: number): ArrayBuffer {
  // The library of ES2023 does not know the option.
  return Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: bytes }]);
}

/**
 * The native backend keeps a tensor's values in JavaScript until its first use and takes them over then, which in the
 * first step would hold all weights twice where they are copied (to a GPU). Reading one element of it does so now, one
 * weight at a time.
 */
function keepOnDevice(tensor: tf.Tensor): void {
  if (
    tf.getBackend() !== BACKENDS.native.tfjsName ||
    tensor.rank === 0 ||
    tensor.size === 0 ||
    tensor.dtype === 'string'
  ) {
    return;
  }
  const begin = tensor.shape.map(() => 0);
  const size = tensor.shape.map(() => 1);
  tf.slice(tensor, begin, size).dispose();
}
