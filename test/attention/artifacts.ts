import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as tfc from '@tensorflow/tfjs-converter';
import type { Graph } from '../../src/graph/index.ts';
import { CONTEXT, pseudoRandom, SIZE } from './spelling-builder.ts';

/** A graph with its weights as TF.js loads it from memory. */
export function artifactsOf(graph: Graph, weights: ReadonlyMap<string, Float32Array>): tf.io.ModelArtifacts {
  const stored = graph.weightGroups.flatMap((group) => group.weights);
  const added = [...graph.addedConstants].map(([name, { shape, dtype }]) => ({ name, shape: [...shape], dtype }));
  const bytes = [...stored.map(({ name }) => bytesOf(weights, name)), ...graph.addedBytes()];
  const { modelTopology } = graph.toJson();
  return {
    format: 'graph-model',
    modelTopology: modelTopology ?? {},
    weightSpecs: [
      ...stored.map(({ name, shape }) => ({ name, shape: [...shape], dtype: 'float32' as const })),
      ...added,
    ],
    weightData: tf.io.concatenateArrayBuffers(bytes.map((part) => Uint8Array.from(part).buffer)),
  };
}

function bytesOf(weights: ReadonlyMap<string, Float32Array>, name: string): Uint8Array {
  const values = weights.get(name);
  if (!values) throw new Error(`no weight "${name}"`);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** What every spelling is fed: an image, and a text for those that read one. */
export const FEEDS = {
  sample: pseudoRandom(20, SIZE.batch * SIZE.tokens * SIZE.channels),
  context: pseudoRandom(21, SIZE.batch * CONTEXT.tokens * CONTEXT.channels),
} as const;

/** Runs a graph on the backend that is set, on `FEEDS`; the values of its output `out`. */
export async function runGraph(graph: Graph, weights: ReadonlyMap<string, Float32Array>): Promise<Float32Array> {
  const model = await tfc.loadGraphModel(tf.io.fromMemory(artifactsOf(graph, weights)));
  const feeds = {
    sample: tf.tensor(FEEDS.sample, [SIZE.batch, SIZE.rows, SIZE.columns, SIZE.channels]),
    ...(graph.node('context')
      ? { context: tf.tensor(FEEDS.context, [SIZE.batch, CONTEXT.tokens, CONTEXT.channels]) }
      : {}),
  };
  const result = model.execute(feeds, 'out');
  const out = Array.isArray(result) ? result[0] : result;
  if (!(out instanceof tf.Tensor)) throw new Error('the graph has no output "out"');
  const values = Float32Array.from(await out.data());
  tf.dispose([out, ...Object.values(feeds)]);
  model.dispose();
  return values;
}
