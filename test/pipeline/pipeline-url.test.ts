import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertPipeline } from '../../converters/index.ts';
import { encoderSource, openModel, planRun, resolvePipeline, runPipeline } from '../../src/index.ts';
import { useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { pipelineFolder } from '../support/pipeline-goldens.ts';
import { serveFolder } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('a pipeline behind a URL, as pages have it');

const folder = temporaryFolder();
const SIZE = { width: 64, height: 48 };

test.before(async () => {
  await useBackend('cpu');
  await convertPipeline(pipelineFolder('sdxl'), join(folder, 'sdxl'));
});

test('runs from a prompt to a picture without a file system, and leaves no tensor', async () => {
  const server = await serveFolder(folder, { range: true });
  const model = await openModel(`${server.url}/sdxl/`);
  const text = await encoderSource(model, { negativePrompt: 'blurry' });
  assert.ok(text, 'it has text encoders');
  const asked = { text, prompt: 'a photo of a sloth', steps: 2, size: SIZE, parameters: { in_strength: 12 } };
  const foreseen = planRun(model, resolvePipeline(model, asked));
  const before = tf.memory().numTensors;
  const { drawing, outcome } = await runPipeline(model, { ...asked, backend: 'cpu' });
  assert.is(tf.memory().numTensors, before);
  const [picture] = drawing.drawn[0]?.pictures ?? [];
  assert.equal([picture?.width, picture?.height, drawing.exact], [64, 48, true]);
  assert.equal(
    outcome.steps.map(({ kv_tokens }) => kv_tokens),
    foreseen.steps.map(({ kv_tokens }) => kv_tokens.patched),
  );
  await server.close();
});

test('is found by its folder, its slothful.json and its UNet', async () => {
  const server = await serveFolder(folder, { range: true });
  for (const name of ['sdxl', 'sdxl/', 'sdxl/slothful.json?key=1']) {
    const { place, file } = await openModel(`${server.url}/${name}`);
    assert.match(place, /\/sdxl\/unet\/model\.json/);
    assert.equal(file.store.pipeline?.manifest.parts.vae_decoder, 'vae_decoder');
  }
  const alone = await openModel(`${server.url}/sdxl/unet`);
  assert.is(alone.file.store.pipeline, undefined);
  assert.is(await encoderSource(alone, {}), undefined);
  await failsWith('io', /nothing\/model\.json: the server answered HTTP 404/, () => openModel(`${server.url}/nothing`));
  await server.close();
});

test('a step that fails leaves no tensor and nothing loaded', async () => {
  const server = await serveFolder(folder, { range: true });
  const model = await openModel(`${server.url}/sdxl/`);
  const text = await encoderSource(model, {});
  assert.ok(text);
  const before = tf.memory().numTensors;
  const onStep = () => {
    throw new Error('no more');
  };
  const asked = { text, prompt: 'x', steps: 2, size: SIZE, backend: 'cpu' as const, onStep };
  await runPipeline(model, asked).then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), /no more/),
  );
  assert.is(tf.memory().numTensors, before);
  assert.ok(readdirSync(folder).length === 1);
  await server.close();
});

test.run();
