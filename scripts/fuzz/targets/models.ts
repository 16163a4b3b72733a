import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { convertCheckpoint } from '../../../converters/index.ts';
import { SlothfulError } from '../../../src/errors.ts';
import { attr, Graph, lint } from '../../../src/graph/index.ts';
import {
  inspectGraph,
  loadModel,
  type ModelStore,
  openModel,
  patchModel,
  planGraph,
  scheduleOf,
  slothful,
} from '../../../src/node.ts';
import { type Base, type Files, filesOf } from '../plan.ts';
import type { Target } from '../target.ts';
import { bytesOf, textOf } from './parts.ts';
import { smallUNet } from './small-unet.ts';

/** A model that lies in memory. */
function storeOf(files: Files): ModelStore {
  return {
    place: 'model.json',
    folder: undefined,
    text: async () => textOf(files, 'model.json'),
    open(path) {
      const bytes = files.get(path);
      if (!bytes) throw new SlothfulError('io', path, 'is not there');
      return {
        place: path,
        read: async (offset, target) => {
          const part = bytes.subarray(offset, offset + target.length);
          target.set(part);
          return part.length;
        },
        size: async () => bytes.length,
        close: async () => {},
      };
    },
  };
}

/** The weights of the models below: too many to be a part of every input, and nothing of them is changed. */
const shards = new Map<string, Uint8Array>();

async function baseOf(folder: string): Promise<Base> {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.bin')) shards.set(name, await readFile(join(folder, name)));
  }
  return { 'model.json': { kind: 'json', value: JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) } };
}

/** A small UNet converted, plain and patched. */
async function convertedModels(): Promise<Base[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slothful-fuzz-'));
  try {
    const [plain, patched] = [join(folder, 'plain'), join(folder, 'patched')];
    for (const [name, bytes] of filesOf(smallUNet())) await writeFile(join(folder, name), bytes);
    await convertCheckpoint(folder, plain);
    await patchModel(plain, patched, [slothful()]);
    return [await baseOf(plain), await baseOf(patched)];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What `inspect` and `plan` do, but for printing. */
async function looked(files: Files): Promise<void> {
  const { graph } = await openModel(storeOf(new Map([...shards, ...files])));
  lint(graph);
  inspectGraph(graph);
  planGraph(graph, { schedule: scheduleOf(graph, { steps: 4 }) });
}

/** `softmax(conv(x)) w`, in ops of which every UNet is made. */
function smallGraph(): Base {
  const graph = Graph.create();
  const float = { dtype: attr.type('float32') };
  const constant = (name: string, dtype = 'float32' as 'float32' | 'int32') =>
    graph.add({ name, op: 'Const', attributes: { dtype: attr.type(dtype) } });
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { ...float, shape: attr.shape([-1, 4, 4, 2]) } });
  const conv = graph.add({
    name: 'conv',
    op: 'Conv2D',
    inputs: [x, constant('filter')],
    attributes: {
      strides: attr.ints([1, 1, 1, 1]),
      dilations: attr.ints([1, 1, 1, 1]),
      padding: attr.string('SAME'),
      data_format: attr.string('NHWC'),
    },
  });
  const flat = graph.add({ name: 'flat', op: 'Reshape', inputs: [conv, constant('rows', 'int32')] });
  const shares = graph.add({ name: 'shares', op: 'Softmax', inputs: [flat] });
  graph.add({ name: 'y', op: 'MatMul', inputs: [shares, constant('w')] });
  const weights = [
    { name: 'filter', shape: [3, 3, 2, 2], dtype: 'float32' as const },
    { name: 'w', shape: [2, 3], dtype: 'float32' as const },
    { name: 'rows', shape: [2], dtype: 'int32' as const },
  ];
  graph.setWeightGroups([{ paths: ['weights.bin'], weights }]);
  const floats = Float32Array.from({ length: 42 }, (_, index) => Math.sin(index));
  const bytes = Buffer.concat([new Uint8Array(floats.buffer), new Uint8Array(Int32Array.of(-1, 2).buffer)]);
  return { 'model.json': { kind: 'json', value: graph.toJson() }, 'weights.bin': { kind: 'bytes', value: bytes } };
}

async function computed(files: Files): Promise<void> {
  const model = await loadModel(storeOf(files), { backend: 'cpu' });
  try {
    tf.tidy(() => {
      const outputs = model.execute({ x: tf.ones([1, 4, 4, 2]) });
      for (const output of Object.values(outputs)) output.dataSync();
    });
  } finally {
    model.dispose();
  }
}

/** Models as anybody may give them to us: their document, its metadata, and what is computed of it. */
export const MODEL_TARGETS: readonly Target[] = [
  {
    name: 'model',
    describe: "a UNet's model.json, plain and patched: read, checked, inspected and planned",
    bases: convertedModels,
    read: looked,
  },
  {
    name: 'small-model',
    describe: 'a model of a few ops: loaded, and computed on the CPU',
    bases: () => [smallGraph()],
    read: computed,
    count: () => tf.engine().state.numTensors,
  },
  {
    name: 'model-json',
    describe: 'the graph of a model of a few ops: read and checked',
    bases: () => [smallGraph()],
    read: (files) => lint(Graph.parse(new TextDecoder().decode(bytesOf(files, 'model.json')), 'model.json')),
  },
];
