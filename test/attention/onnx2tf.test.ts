import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as tfc from '@tensorflow/tfjs-converter';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locate } from '../../src/attention/index.ts';
import { constantFromBytes, Graph, isSmall, locateWeights } from '../../src/graph/index.ts';
import { CONTROL_INPUT, slothful } from '../../src/passes/index.ts';
import { encodeControl } from '../../src/passes/slothful/index.ts';
import { registerSlothfulOps } from '../../src/runtime/index.ts';
import { useBackend } from '../support/backend.ts';
import { fixturePath, readJson } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';

const test = suite('a UNet by torch.onnx, onnxsim, onnx2tf and tensorflowjs');

registerSlothfulOps();

const bytes = readFileSync(fixturePath('onnx2tf/group1-shard1of1.bin'));

interface Case {
  readonly inputs: Readonly<Record<string, { readonly shape: number[]; readonly values: number[] }>>;
  readonly output: readonly number[];
}
const { inputs, output } = readJson<Case>('onnx2tf/case.json');

/** The graph as a reader of its files has it: small constants known. */
function readGraph(): Graph {
  const graph = Graph.parse(gunzipSync(readFileSync(fixturePath('onnx2tf/model.json.gz'))).toString());
  for (const [name, { spec, offset, bytes: size }] of locateWeights(graph.weightGroups)) {
    const value = isSmall(spec) ? constantFromBytes(spec, bytes.subarray(offset, offset + size)) : undefined;
    if (value) graph.knowConstant(name, value);
  }
  return graph;
}

async function run(graph: Graph): Promise<Float32Array> {
  await useBackend('cpu');
  const added = [...graph.addedConstants].map(([name, { shape, dtype }]) => ({ name, shape: [...shape], dtype }));
  const stored = graph.weightGroups.flatMap(({ weights }) => weights);
  const specs: tf.io.WeightsManifestEntry[] = JSON.parse(JSON.stringify([...stored, ...added]));
  const weightData = tf.io.concatenateArrayBuffers(
    [bytes, ...graph.addedBytes()].map((part) => Uint8Array.from(part).buffer),
  );
  const { modelTopology = {}, signature } = graph.toJson();
  const artifacts = { format: 'graph-model', modelTopology, signature, weightSpecs: specs, weightData };
  const model = await tfc.loadGraphModel(tf.io.fromMemory(artifacts as tf.io.ModelArtifacts));
  const feeds = Object.entries(inputs).map(([name, { shape, values }]) => [name, tf.tensor(values, shape)] as const);
  const result = model.execute(Object.fromEntries(feeds));
  assert.ok(result instanceof tf.Tensor);
  const values = result instanceof tf.Tensor ? Float32Array.from(await result.data()) : new Float32Array();
  tf.dispose([result, ...feeds.map(([, tensor]) => tensor)]);
  model.dispose();
  return values;
}

test('every attention is located: fused queries, keys and values; a context that comes [B, C, T]', () => {
  const { sites, rejections } = locate(readGraph());
  assert.equal(rejections, []);
  assert.equal(
    sites.map(({ id, heads, headDim, contextForm }) => [id, heads, headDim, contextForm]),
    [
      ['input.0.0.0', 2, 4, 'tokens'],
      ['input.0.0.0.cross', 2, 4, 'channels-first'],
      ['middle.1.0.0', 2, 8, 'tokens'],
      ['middle.1.0.0.cross', 2, 8, 'channels-first'],
      ['output.0.0.0', 2, 4, 'tokens'],
      ['output.0.0.0.cross', 2, 4, 'channels-first'],
      ['output.0.1.0', 2, 4, 'tokens'],
      ['output.0.1.0.cross', 2, 4, 'channels-first'],
    ],
  );
  assert.ok(sites.every(({ scope }) => /attentions\.\d\/transformer_blocks\.0\/attn[12]\/Softmax$/.test(scope)));
  assert.ok(
    sites.filter(({ kind }) => kind === 'self').every(({ key: { part } }) => part?.period === 3 * (part?.length ?? 0)),
  );
});

test('it computes what TensorFlow does, plain and rewritten; pooled it differs', async () => {
  const plain = await run(readGraph());
  assert.ok(largestDifference(plain, Float32Array.from(output)) < 0.01, 'weights are in half precision');
  const graph = await readGraph().transform(slothful());
  assert.ok(largestDifference(await run(graph), plain) < 1e-5);
  const fallback = graph.node(CONTROL_INPUT)?.inputs[0]?.node ?? '';
  const sizes = { strideRows: 3, strideColumns: 3, windowRows: 3, windowColumns: 3 };
  const row = { ...sizes, mode: '2D_AVG', kBlend: 0, vBlend: 0 } as const;
  const rows = graph.addedConstants.get(fallback)?.shape[0] ?? 0;
  graph.remove(fallback);
  const values = [...encodeControl(Array.from({ length: rows }, () => row))];
  graph.addConstant(fallback, { dtype: 'float32', shape: [rows, values.length / rows], values });
  assert.ok(largestDifference(await run(graph), plain) > 1e-3);
});

test.run();
