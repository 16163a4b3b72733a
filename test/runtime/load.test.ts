import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ByteSource } from '../../src/models/node.ts';
import { loadUNet as loadInBrowser } from '../../src/runtime/index.ts';
import { guardMemory } from '../../src/runtime/load-model.ts';
import { loadUNet } from '../../src/runtime/node.ts';
import type { UNet } from '../../src/runtime/unet.ts';
import { useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference } from '../support/numbers.ts';
import { serveFolder } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type TinyNames, tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('loading a UNet');
const root = temporaryFolder();
const tiny = tinyGraph(undefined, { family: 'tiny' });
writeTiny(root, tiny.graph, tiny.weights, 50);

/** What the tiny model computes, in plain words. */
const EXPECTED = [0.5 * 2 + 0.6 + 3 + 1, -2 * 5 + 0.6 + 3 + 1].map(Math.fround);

function predictOne(unet: UNet): number[] {
  return tf.tidy(() => {
    const { out_sample } = unet.predict({
      sample: tf.tensor4d([2, 5], [1, 1, 1, 2]),
      timestep: 600,
      encoder_hidden_states: tf.tensor3d([1, 2, 6], [1, 1, 3]),
    });
    return [...out_sample.dataSync()];
  });
}

function near(actual: readonly number[], expected: readonly number[]): void {
  assert.is(actual.length, expected.length);
  assert.ok(largestDifference(actual, expected) < 1e-6, `${actual} for ${expected}`);
}

for (const backend of ['cpu', 'wasm'] as const) {
  test(`from a folder on ${backend}: only what is used, and all of it is freed`, async () => {
    await useBackend(backend);
    const before = tf.memory().numTensors;
    const progress: [number, number][] = [];
    const lines: string[] = [];
    const unet = await loadUNet(root, {
      backend,
      onProgress: (done, total) => progress.push([done, total]),
      log: (line) => lines.push(line),
    });
    near(predictOne(unet), EXPECTED);
    assert.is(tf.memory().numTensors - before, 5, 'neither the unused weight nor the text');
    assert.equal(progress.at(-1), [36, 36]);
    assert.is(unet.metadata.family, 'tiny');
    assert.is(unet.backend.name, backend);
    assert.equal(lines, [`backend: ${backend} on CPU; it was asked for`]);
    unet.dispose();
    unet.dispose();
    assert.is(tf.memory().numTensors, before);
    await failsWith('bad-input', /was disposed of; load it again/, () => predictOne(unet));
  });
}

for (const range of [true, false]) {
  test(`from a server ${range ? 'with' : 'without'} Range, by the same code in browsers and Node`, async () => {
    const server = await serveFolder(root, { range });
    for (const load of [loadUNet, loadInBrowser]) {
      const unet = await load(`${server.url}/model.json`, { backend: 'cpu' });
      near(predictOne(unet), EXPECTED);
      unet.dispose();
    }
    await server.close();
  });
}

test("from a store of the caller's own", async () => {
  const open = (path: string): ByteSource => {
    const bytes = readFileSync(join(root, path));
    return {
      place: path,
      read: async (offset, target) => bytes.subarray(offset).copy(target),
      size: async () => bytes.length,
      close: async () => undefined,
    };
  };
  const text = async () => readFileSync(join(root, 'model.json'), 'utf8');
  const unet = await loadInBrowser({ place: 'memory', folder: undefined, text, open }, { backend: 'cpu' });
  near(predictOne(unet), EXPECTED);
  unet.dispose();
});

test('a model that breaks off leaves no tensor', async () => {
  const broken = temporaryFolder();
  writeTiny(broken, tiny.graph, tiny.weights);
  truncateSync(join(broken, 'shards/group1-shard1.bin'), 190);
  await useBackend('cpu');
  const before = tf.memory().numTensors;
  await failsWith('bad-model', /is too short: it has 190 bytes/, () => loadUNet(broken, { backend: 'cpu' }));
  assert.is(tf.memory().numTensors, before);
  assert.ok(existsSync(broken));
});

test('a graph that cannot run is refused before its weights are read', async () => {
  const dangling = temporaryFolder();
  const { graph, weights } = tinyGraph();
  const mul = graph.expectNode('scaled', 'test');
  graph.replace({ ...mul, inputs: mul.inputs.slice(0, 1).concat([{ node: 'gone', output: 0 }]) });
  writeTiny(dangling, graph, weights);
  truncateSync(join(dangling, 'shards/group1-shard1.bin'), 0);
  await failsWith('bad-graph', /node "scaled": reads "gone", which is not there/, () => loadUNet(dangling));
  const tables = { ...tiny.graph.toJson(), modelInitializer: { node: [{ name: 'table', op: 'HashTableV2' }] } };
  writeFileSync(join(dangling, 'model.json'), JSON.stringify(tables));
  await failsWith('unsupported', /has an initializer/, () => loadUNet(dangling));
  await failsWith('unsupported', /has no self-attention to patch/, () => loadUNet(root, { slothful: true }));
  await failsWith('bad-parameter', /in_strength/, () => loadUNet(root, { slothful: { in_strength: 99 } }));
});

test('a model of another exporter, with other names and no timestep', async () => {
  const foreign = temporaryFolder();
  const names: TinyNames = { sample: 'latent', context: 'ctx', output: 'Identity' };
  const { graph, weights } = tinyGraph(names);
  graph.setSignature({
    inputs: { x: { name: 'latent:0' }, c: { name: 'ctx:0' } },
    outputs: { eps: { name: 'Identity:0' } },
  });
  writeTiny(foreign, graph, weights);
  for (const inputNames of [undefined, { sample: 'x', encoder_hidden_states: 'ctx' }]) {
    const unet = await loadUNet(foreign, { backend: 'cpu', inputNames });
    near(
      predictOne(unet),
      EXPECTED.map((value) => value - 0.6),
    );
    unet.dispose();
  }
});

test('wasm refuses what it cannot hold, with the bytes', async () => {
  const matrix = { name: 'w', shape: [1280, 1280], dtype: 'float32' } as const;
  const many = (count: number) => Array.from({ length: count }, () => matrix);
  await useBackend('wasm');
  guardMemory(many(300), 'm');
  await failsWith('backend', /m: needs 2\.44 GiB of weights, kept twice on wasm \(4\.88 GiB\).*native/, () =>
    guardMemory(many(400), 'm'),
  );
  await useBackend('cpu');
  guardMemory(many(400), 'm');
});

test.run();
