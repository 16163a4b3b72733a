import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../../converters/index.ts';
import type { Graph } from '../../../src/graph/index.ts';
import { loadUNet, readModel } from '../../../src/node.ts';
import { slothful } from '../../../src/passes/index.ts';
import { readSlothfulMetadata } from '../../../src/passes/slothful/index.ts';
import type { UNet } from '../../../src/runtime/index.ts';
import { largestDifference } from '../../support/numbers.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { caseInputs, FAMILIES, type FamilyName, unetGoldens } from '../../support/unet-goldens.ts';

const test = suite('rewriting the three families');

const SITES: Readonly<Record<FamilyName, number>> = { sd15: 16, sdxl: 70, ssd1b: 34 };
const folder = temporaryFolder();
const count = (graph: Graph, op: string) => [...graph.nodes].filter((node) => node.op === op).length;

async function converted(family: FamilyName) {
  const model = await readModel(join(folder, family));
  await model.loadConstants();
  return model.graph;
}

test.before(async () => {
  for (const family of FAMILIES) await convertCheckpoint(unetGoldens(family).diffusers, join(folder, family));
});

for (const family of FAMILIES) {
  test(`${family}: every attention becomes one node, and nothing of the old ones stays`, async () => {
    const graph = await converted(family);
    const before = graph.size;
    assert.is(count(graph, 'Softmax'), 2 * SITES[family]);
    await graph.transform(slothful());
    assert.is(count(graph, 'SlothfulAttention'), 2 * SITES[family]);
    assert.is(count(graph, 'Softmax'), 0);
    assert.is(count(graph, 'BatchMatMulV2'), 0);
    assert.ok(graph.size < before - 2 * SITES[family] * 8, `${before} -> ${graph.size} nodes`);
    const named = readSlothfulMetadata(graph.metadata)?.sites.map(({ scope }) => scope.replaceAll('/', '.'));
    const golden = unetGoldens(family).regular.find((each) => each.kv_tokens);
    assert.equal(named, Object.keys(golden?.kv_tokens ?? {}));
  });

  test(`${family}: cross-attentions can be left as they are`, async () => {
    const graph = await converted(family);
    await graph.transform(slothful({}, { crossAttention: false }));
    assert.is(count(graph, 'SlothfulAttention'), SITES[family]);
    assert.is(count(graph, 'Softmax'), SITES[family]);
  });

  test(`${family}: the second time only the parameters change`, async () => {
    const graph = await converted(family);
    await graph.transform(slothful());
    const topology = JSON.stringify(graph.toJson().modelTopology);
    await graph.transform(slothful({ in_strength: 9 }));
    assert.is(JSON.stringify(graph.toJson().modelTopology), topology);
    assert.is(readSlothfulMetadata(graph.metadata)?.parameters.in_strength, 9);
  });

  test(`${family}: not fed, or at strength 0, it is the unpatched model`, async () => {
    const options = { backend: 'wasm' } as const;
    const plain = await loadUNet(join(folder, family), options);
    const expected = run(plain, family);
    plain.dispose();
    const patched = await loadUNet(join(folder, family), { ...options, slothful: { in_strength: 0, out_strength: 0 } });
    assert.ok(largestDifference(run(patched, family), expected) <= 1e-5);
    assert.ok(largestDifference(run(patched, family, false), expected) <= 1e-5);
    patched.dispose();
  });
}

function run(unet: UNet, family: FamilyName, slothful?: false): Float32Array {
  const goldens = unetGoldens(family);
  const each = goldens.regular.find(({ out }) => out === '24x40.t601.plain');
  assert.ok(each);
  const inputs = caseInputs(goldens, each, family);
  const { out_sample } = unet.predict(inputs, { layout: 'nchw', slothful });
  const values = Float32Array.from(out_sample.dataSync());
  tf.dispose([out_sample, ...Object.values(inputs).filter((value) => value instanceof tf.Tensor)]);
  return values;
}

test('a graph whose constants are not known is refused with the reason, and stays as it was', async () => {
  const json = (await readModel(join(folder, 'sd15'))).graph.toJson();
  const text = JSON.stringify(json).replaceAll(/"tensorContent":"[^"]*"/g, '"tensorContent":""');
  const { Graph: Document } = await import('../../../src/graph/index.ts');
  const graph = Document.parse(text);
  let message = '';
  await graph.transform(slothful()).catch((error) => {
    message = String(error);
  });
  assert.match(message, /site "input\.0\.0\.0".*cannot be rewritten: .*constant/);
  assert.is(count(graph, 'SlothfulAttention'), 0);
});

test.run();
