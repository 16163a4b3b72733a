import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildTextEncoder } from '../../converters/clip/build.ts';
import { textEncoderConfig } from '../../converters/clip/config.ts';
import { type TextEncoderName, textEncoderKind, textEncoderTensors } from '../../converters/clip/tensors.ts';
import { convertPipeline } from '../../converters/index.ts';
import { buildUNet, inferUNetConfig, UNET, unetTensors } from '../../converters/unet/index.ts';
import { buildVaeDecoder, buildVaeEncoder } from '../../converters/vae/build.ts';
import { vaeConfig } from '../../converters/vae/config.ts';
import { VAE, vaeTensors } from '../../converters/vae/tensors.ts';
import { checkTensors, type TensorSource } from '../../converters/weights/index.ts';
import { FAMILIES } from '../../scripts/checkpoint/family.ts';
import {
  familyPipeline,
  type PipelinePart,
  type PipelinePlan,
  parametersOf,
  secondTextPart,
  textPart,
  vaePart,
} from '../../scripts/checkpoint/pipeline.ts';
import type { RandomTensor } from '../../scripts/checkpoint/random-weights.ts';
import { CLIP_BIG_G, CLIP_L } from '../../scripts/checkpoint/text-encoder.ts';
import { usualVae } from '../../scripts/checkpoint/vae.ts';
import { writePipeline } from '../../scripts/checkpoint/write-pipeline.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('generated pipelines');

const PATH = 'model.safetensors';

const CLIP_L_PARAMETERS = 123_060_480;
const VAE_PARAMETERS = 83_653_863;
const XL_PARAMETERS = CLIP_L_PARAMETERS + 694_659_840 + VAE_PARAMETERS;
const PARAMETERS = {
  sd15: 859_520_964 + CLIP_L_PARAMETERS + VAE_PARAMETERS,
  sdxl: 2_567_463_684 + XL_PARAMETERS,
  ssd1b: 1_331_334_404 + XL_PARAMETERS,
};

interface Kind {
  readonly spelling: (names: readonly string[]) => { layout: 'diffusers' | 'ldm'; prefix: string } | undefined;
}

/** A network of a file, opened as the converters do, but of names and shapes alone. */
function opened(all: readonly RandomTensor[], { spelling }: Kind, config?: unknown) {
  const found = spelling(all.map(({ key }) => key));
  if (!found) throw new Error('is not in the file');
  const read = () => Promise.reject(new Error('is not read'));
  const own = all.filter(({ key }) => key.startsWith(found.prefix));
  const tensors = own.map(({ key, shape }): [string, TensorSource] => [
    key.slice(found.prefix.length),
    { name: key, dtype: 'F16', shape, file: PATH, read, readRange: read },
  ]);
  return { ...found, tensors: new Map(tensors), path: PATH, config };
}

/** Fails where the converter lacks a tensor, knows one not, or wants another shape. */
function checkText(which: TextEncoderName, all: readonly RandomTensor[], json?: unknown): void {
  const checkpoint = opened(all, textEncoderKind(which), json);
  const found = textEncoderTensors(checkpoint);
  const config = textEncoderConfig(found, undefined, checkpoint.config, PATH);
  checkTensors(buildTextEncoder(config, config.vocabulary - 1, 'test').weights, found, PATH);
}

function checkVae(all: readonly RandomTensor[], json?: unknown): void {
  const checkpoint = opened(all, VAE, json);
  const [encoder, decoder] = [vaeTensors(checkpoint, 'encoder'), vaeTensors(checkpoint, 'decoder')];
  const config = vaeConfig(new Map([...encoder.tensors, ...decoder.tensors]), undefined, checkpoint.config, PATH);
  checkTensors(buildVaeEncoder(config, 'test').weights, encoder, PATH);
  checkTensors(buildVaeDecoder(config, 'test').weights, decoder, PATH);
}

function checkUNet(all: readonly RandomTensor[]): void {
  const found = unetTensors(opened(all, UNET));
  checkTensors(buildUNet(inferUNetConfig(found.tensors, PATH), 'test').weights, found, PATH);
}

function check({ folder }: PipelinePart, all: readonly RandomTensor[], json?: unknown): void {
  if (folder === 'unet') checkUNet(all);
  else if (folder === 'vae') checkVae(all, json);
  else checkText(folder, all, json);
}

for (const family of FAMILIES) {
  test(`${family}: as many parameters as the real one, each under one name`, async () => {
    const plan = await familyPipeline(family);
    assert.is(parametersOf(plan), PARAMETERS[family]);
    for (const layout of ['diffusers', 'ldm'] as const) {
      for (const { tensors } of plan.parts) {
        assert.is(new Set(tensors[layout].map(({ key }) => key)).size, tensors[layout].length);
      }
    }
  });

  test(`${family}: each part's file is exactly what the converter takes`, async () => {
    const { parts } = await familyPipeline(family);
    for (const part of parts) check(part, part.tensors.diffusers, part.config);
  });

  test(`${family}: so is the single file, by its tensors alone`, async () => {
    const { parts } = await familyPipeline(family);
    const all = parts.flatMap(({ tensors }) => tensors.ldm);
    assert.is(new Set(all.map(({ key }) => key)).size, all.length);
    for (const part of parts) check(part, all);
  });
}

const TINY = { hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 1 };

/** The networks beside a UNet, small but for the vocabulary, which CLIP's own tokenizer asks for. */
const SMALL: PipelinePlan = {
  parts: [
    textPart({ ...CLIP_L, ...TINY }, 'conditioner.embedders.0.transformer.'),
    secondTextPart({ ...CLIP_BIG_G, ...TINY, projection_dim: 64 }),
    vaePart({ ...usualVae(1024, 0.13025), block_out_channels: [32, 32, 64] }),
  ],
  scheduler: { _class_name: 'EulerDiscreteScheduler' },
  forceZerosForEmptyPrompt: true,
};

for (const layout of ['diffusers', 'ldm'] as const) {
  test(`${layout}: what is written can be converted`, async () => {
    const { path, bytes } = await writePipeline(temporaryFolder(), SMALL, { layout, dtype: 'F16' });
    assert.ok(bytes > 2 * parametersOf(SMALL));
    const out = `${temporaryFolder()}/model`;
    const summary = await convertPipeline(path, out, { only: ['text', 'vae'] });
    assert.is(summary.parameters, parametersOf(SMALL));
    assert.equal(summary.notes, []);
  });
}

test('progress is that of all parts', async () => {
  const told: (readonly [number, number])[] = [];
  const form = { layout: 'diffusers', dtype: 'BF16' } as const;
  await writePipeline(temporaryFolder(), SMALL, form, (done, total) => told.push([done, total]));
  const total = 2 * parametersOf(SMALL);
  assert.ok(told.every(([done, of], index) => of === total && done >= (told[index - 1]?.[0] ?? 0)));
  assert.is(told.at(-1)?.[0], total);
});

test.run();
