import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConvertPipelineOptions, convertPipeline, convertTextEncoder } from '../../converters/index.ts';
import { readModel } from '../../src/models/node.ts';
import { KOHYA } from '../support/lora-files.ts';
import { loraFile, SDXL_TERMS, sd15Text, sdxlText, TEXT_SPELLINGS, textTensors } from '../support/lora-text.ts';
import { pipelineFolder, rawTensors } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats } from '../support/write-tensors.ts';

const test = suite('LoRAs in whole pipelines');

async function converted(source: string, options: ConvertPipelineOptions = {}) {
  const folder = join(temporaryFolder(), 'model');
  const { notes } = await convertPipeline(source, folder, options);
  return { folder, notes };
}

const bytesOf = (folder: string, part: string) =>
  readdirSync(join(folder, part))
    .sort()
    .map((file) => readFileSync(join(folder, part, file)).toString('base64'));

const recordsOf = async (folder: string, part: string) => (await readModel(join(folder, part))).graph.metadata.lora;

/** The golden LoRA for SD 1.5's UNet with tensors for its text encoder. */
const both = (text = sd15Text()) => loraFile(new Map([...rawTensors(KOHYA), ...text]), {}, 'both.safetensors');

test('what a file has for the UNet and for the text encoder goes where it belongs, and both record it', async () => {
  const source = pipelineFolder('sd15');
  const alone = await converted(source, { lora: [{ file: KOHYA, scale: 0.5 }] });
  const { folder, notes } = await converted(source, { lora: [{ file: both(), scale: 0.5 }] });
  assert.equal(await recordsOf(folder, 'unet'), [{ file: 'both.safetensors', scale: 0.5, modules: 278, rank: 4 }]);
  assert.equal(await recordsOf(folder, 'text_encoder'), [
    { file: 'both.safetensors', scale: 0.5, modules: 24, rank: 4 },
  ]);
  assert.is(await recordsOf(folder, 'vae_decoder'), undefined);
  assert.equal(notes, [
    'fused both.safetensors into 278 weights at scale 0.5',
    'fused both.safetensors into 24 weights of the text encoder at scale 0.5',
  ]);
  const weights = (model: string) => readFileSync(join(model, 'unet', 'weights-00001.bin'));
  assert.ok(weights(folder).equals(weights(alone.folder)), 'the UNet is that of the LoRA without text');
});

test('a LoRA without text leaves the text encoders alone, and one with text only leaves the UNet alone', async () => {
  const source = pipelineFolder('sd15');
  const plain = await converted(source);
  const unet = await converted(source, { lora: [{ file: KOHYA }] });
  assert.equal(bytesOf(unet.folder, 'text_encoder'), bytesOf(plain.folder, 'text_encoder'));
  const file = loraFile(sd15Text(), {}, 'text.safetensors');
  const text = await converted(source, { lora: [{ file }] });
  assert.equal(bytesOf(text.folder, 'unet'), bytesOf(plain.folder, 'unet'));
  assert.equal(text.notes, ['fused text.safetensors into 24 weights of the text encoder at scale 1']);
  const apart = await converted(source, { lora: [{ file }, { file: KOHYA }] });
  const together = await converted(source, { lora: [{ file: both() }] });
  for (const part of ['unet', 'text_encoder']) {
    const weights = (model: string) => readFileSync(join(model, part, 'weights-00001.bin'));
    assert.ok(weights(apart.folder).equals(weights(together.folder)), part);
  }
  const second = loraFile(
    textTensors(SDXL_TERMS.text_encoder_2, 'text_encoder_2', TEXT_SPELLINGS.PEFT),
    {},
    'second.safetensors',
  );
  const sdxl = await converted(pipelineFolder('sdxl'), { lora: [{ file: second }] });
  assert.is(await recordsOf(sdxl.folder, 'text_encoder'), undefined);
  assert.equal(sdxl.notes, ['fused second.safetensors into 25 weights of the second text encoder at scale 1']);
});

test('what is for a part that is not converted is counted', async () => {
  const source = pipelineFolder('sd15');
  const lora = [{ file: both() }];
  const unet = await converted(source, { only: ['unet'], lora });
  assert.ok(unet.notes.includes('left 72 tensors of both.safetensors that are for text encoders'));
  assert.ok(existsSync(join(unet.folder, 'model.json')));
  const noText = await converted(source, { only: ['unet', 'vae'], lora });
  assert.ok(noText.notes.includes('left 72 tensors of both.safetensors that are for text encoders'));
  const text = await converted(source, { only: ['text'], lora });
  assert.equal(text.notes, [
    'fused both.safetensors into 24 weights of the text encoder at scale 1',
    `left ${rawTensors(KOHYA).size} tensors of both.safetensors that are for the UNet`,
  ]);
  const dora = both(new Map([['lora_te_text_model_encoder_layers_0_mlp_fc1.dora_scale', floats([1], [1])]]));
  const { notes } = await converted(source, { only: ['unet'], lora: [{ file: dora }] });
  assert.ok(notes.includes('left 1 tensors of both.safetensors that are for text encoders'));
  const tokens = both(
    new Map([...sd15Text(), ['bundle_emb.style.string_to_param.*', floats([1, 24], new Float32Array(24))]]),
  );
  const bundle = await converted(source, { lora: [{ file: tokens }] });
  assert.ok(bundle.notes.includes('left 1 tensors of both.safetensors that are for tokens of its own'));
});

test('an encoder that is converted by itself takes what is its own', async () => {
  const folder = join(temporaryFolder(), 'model');
  const file = loraFile(sdxlText(), {}, 'sdxl.safetensors');
  const options = { which: 'text_encoder_2', lora: [{ file }] } as const;
  const { notes } = await convertTextEncoder(pipelineFolder('sdxl'), folder, options);
  assert.equal(notes, [
    'fused sdxl.safetensors into 25 weights of the second text encoder at scale 1',
    'left 54 tensors of sdxl.safetensors that are for the text encoder',
  ]);
  assert.is(Object((await readModel(folder)).graph.metadata.lora)[0].modules, 25);
});

test.run();
