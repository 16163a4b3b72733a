import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-wasm';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { largestDifference } from '../support/numbers.ts';
import { serveFolder } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { caseInputs, FAMILIES, type FamilyName, unetGoldens } from '../support/unet-goldens.ts';

const test = suite('converted models in stock TF.js');

/** The smaller sizes: the stock attention of the wasm backend is slow, which is no matter here. */
const SIZES: ReadonlySet<string> = new Set(['24x40', '33x47', '7x5']);

/** Loads with TF.js alone, as a page would, and runs every plain case. */
async function runStock(model: string, family: FamilyName, sizes: ReadonlySet<string>): Promise<number> {
  const goldens = unetGoldens(family);
  const server = await serveFolder(model, { range: true });
  const graphModel = await loadGraphModel(`${server.url}/model.json`);
  await server.close();
  const cases = [...goldens.regular, ...goldens.odd].filter((each) => !each.params && sizes.has(each.size.join('x')));
  for (const each of cases) {
    const difference = tf.tidy(() => {
      const { sample, timestep, ...rest } = caseInputs(goldens, each, family);
      const feeds = { ...rest, sample: tf.transpose(sample, [0, 2, 3, 1]), timestep: tf.tensor1d([each.timestep]) };
      const out = graphModel.predict(feeds);
      if (!(out instanceof tf.Tensor)) throw new Error('one output is expected');
      return largestDifference(tf.transpose(out, [0, 3, 1, 2]).dataSync(), goldens.tensor(each.out).data);
    });
    assert.ok(difference <= 1e-4, `${each.out} differs by ${difference}`);
  }
  graphModel.dispose();
  return cases.length;
}

test.before(async () => {
  await tf.setBackend('wasm');
});

for (const family of FAMILIES) {
  test(`${family}: loads with tf.loadGraphModel and predicts as diffusers does`, async () => {
    const model = join(temporaryFolder(), 'model');
    await convertCheckpoint(unetGoldens(family).diffusers, model);
    assert.is(await runStock(model, family, SIZES), 8);
  });

  test(`${family}: the LDM file gives the same model, to the byte`, async () => {
    const folder = temporaryFolder();
    const { diffusers, ldm, config } = unetGoldens(family);
    const summary = await convertCheckpoint(diffusers, join(folder, 'diffusers'));
    await convertCheckpoint(ldm, join(folder, 'ldm'), family === 'sd15' ? {} : { config });
    assert.is(summary.family, family);
    const [a, b] = ['diffusers', 'ldm'].map((layout) => readFileSync(join(folder, layout, 'weights-00001.bin')));
    assert.ok(a && b?.equals(a), 'weights are equal');
    const [left, right] = ['diffusers', 'ldm'].map((layout) =>
      JSON.parse(readFileSync(join(folder, layout, 'model.json'), 'utf8')),
    );
    assert.equal(right.modelTopology, left.modelTopology);
    assert.equal(right.weightsManifest, left.weightsManifest);
  });
}

test('float32 weights give the same numbers', async () => {
  const model = join(temporaryFolder(), 'model');
  await convertCheckpoint(unetGoldens('ssd1b').diffusers, model, { dtype: 'float32' });
  assert.is(await runStock(model, 'ssd1b', new Set(['7x5'])), 2);
});

test.run();
