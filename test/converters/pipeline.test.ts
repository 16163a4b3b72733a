import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ConvertPipelineOptions,
  convertCheckpoint,
  convertPipeline,
  convertTextEncoder,
  convertVae,
} from '../../converters/index.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { patchModel } from '../../src/jobs/node.ts';
import { readModel, readPipelineManifest } from '../../src/models/node.ts';
import { readSlothfulMetadata, slothful } from '../../src/passes/index.ts';
import { companion } from '../support/companion-goldens.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import {
  changeTensors,
  type PipelineName,
  partConfig,
  pipelineFile,
  pipelineFolder,
} from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { floats } from '../support/write-tensors.ts';

const test = suite('whole pipelines');

const PARTS: Readonly<Record<PipelineName, readonly string[]>> = {
  sd15: ['text_encoder', 'tokenizer', 'unet', 'vae_decoder', 'vae_encoder'],
  sdxl: ['text_encoder', 'text_encoder_2', 'tokenizer', 'tokenizer_2', 'unet', 'vae_decoder', 'vae_encoder'],
};

const out = () => join(temporaryFolder(), 'model');

async function converted(source: string, options: ConvertPipelineOptions = {}): Promise<string> {
  const folder = out();
  await convertPipeline(source, folder, options);
  return folder;
}

for (const name of ['sd15', 'sdxl'] as const) {
  test(`${name}: a folder and a single file give the same models, tokenizers and manifest`, async () => {
    const source = pipelineFolder(name);
    const ofFolder = await converted(source);
    const ofFile = await converted(pipelineFile(name), { configFolder: source });
    const manifest = await readPipelineManifest(ofFolder);
    assert.equal(manifest, {
      schema: 'slothful-pipeline/1',
      family: name,
      parts: Object.fromEntries(PARTS[name].map((part) => [part, part])),
      force_zeros_for_empty_prompt: name === 'sdxl',
    });
    for (const folder of [ofFolder, ofFile]) {
      assert.equal(readdirSync(folder).sort(), ['slothful.json', ...PARTS[name]].sort());
    }
    assert.equal(await readPipelineManifest(ofFile), manifest);
    for (const part of PARTS[name]) {
      const files = readdirSync(join(ofFolder, part)).sort();
      assert.equal(readdirSync(join(ofFile, part)).sort(), files);
      // The UNet's document names the scheduler, which a single file has none of.
      const same = files.filter((file) => part !== 'unet' || file !== 'model.json');
      for (const file of same) {
        const [one, other] = [ofFolder, ofFile].map((folder) => readFileSync(join(folder, part, file)));
        assert.ok(one && other?.equals(one), `${part}/${file}`);
      }
    }
  });
}

test('each part is what its own conversion gives', async () => {
  const source = pipelineFolder('sdxl');
  const folder = await converted(source, { taesd: fixturePath('pipeline/taesd') });
  const alone = temporaryFolder();
  await convertCheckpoint(source, join(alone, 'unet'));
  await convertTextEncoder(source, join(alone, 'text_encoder_2'), { which: 'text_encoder_2' });
  await convertVae(source, join(alone, 'vae_encoder'), 'encoder');
  for (const part of readdirSync(alone)) {
    for (const file of readdirSync(join(alone, part))) {
      assert.ok(
        readFileSync(join(alone, part, file)).equals(readFileSync(join(folder, part, file))),
        `${part}/${file}`,
      );
    }
  }
  const manifest = await readPipelineManifest(folder);
  assert.is(manifest?.parts.taesd_decoder, 'taesd_decoder');
  assert.is(manifest?.parts.taesd_encoder, 'taesd_encoder');
});

test('a UNet alone, and only the UNet of a pipeline, are a model by themselves', async () => {
  const source = pipelineFolder('sd15');
  const expected = out();
  await convertCheckpoint(source, expected);
  const unet = join(temporaryFolder(), 'unet');
  cpSync(unetGoldens('sd15').diffusers, unet, { recursive: true });
  const summary = await convertPipeline(unet, out());
  assert.is(summary.kind, 'unet');
  const only = await converted(source, { only: ['unet'] });
  assert.equal(readdirSync(only).sort(), readdirSync(expected).sort());
  for (const file of readdirSync(expected)) {
    assert.ok(readFileSync(join(only, file)).equals(readFileSync(join(expected, file))), file);
  }
});

test('a folder whose other parts are no safetensors is still a UNet, and the note says so', async () => {
  const source = pipelineFolder('sd15');
  for (const part of ['text_encoder/model', 'vae/diffusion_pytorch_model']) {
    rmSync(join(source, `${part}.safetensors`));
    writeFileSync(join(source, `${part}.bin`), 'x');
  }
  const summary = await convertPipeline(source, out());
  assert.is(summary.kind, 'unet');
  assert.ok(summary.notes.includes('left vae/ out, which holds no .safetensors'));
  assert.ok(summary.notes.includes('left text_encoder/ out, which holds no .safetensors'));
});

test('parts can be chosen, and the VAE can be another', async () => {
  const source = pipelineFolder('sd15');
  const text = await converted(source, { only: ['text'] });
  assert.equal(readdirSync(text).sort(), ['slothful.json', 'text_encoder', 'tokenizer']);
  await failsWith('bad-input', /is a pipeline without a UNet/, () => readModel(text));
  const other = pipelineFolder('sdxl');
  const folder = await converted(source, { vae: join(other, 'vae') });
  const { graph } = await readModel(join(folder, 'vae_decoder'));
  assert.is(Object(graph.metadata.vae).scaling_factor, 0.13025);
  const beside = await converted(unetGoldens('sd15').diffusers, { vae: join(other, 'vae') });
  assert.equal(readdirSync(beside).sort(), ['slothful.json', 'unet', 'vae_decoder', 'vae_encoder']);
});

test('a single file says nothing of the scaling: it is that of the family', async () => {
  const scalingOf = async (name: PipelineName) => {
    const configs = pipelineFolder(name);
    const { scaling_factor: _, ...config } = partConfig(name, 'vae');
    writeFileSync(join(configs, 'vae', 'config.json'), JSON.stringify(config));
    const folder = await converted(pipelineFile(name), { configFolder: configs });
    return Object((await readModel(join(folder, 'vae_decoder'))).graph.metadata.vae).scaling_factor;
  };
  assert.is(await scalingOf('sd15'), 0.18215);
  assert.is(await scalingOf('sdxl'), 0.13025);
});

test('a LoRA is fused into the UNet of a pipeline, and says what it leaves', async () => {
  const lora = [{ file: companion('lora_sd15_kohya.safetensors'), scale: 0.5 }];
  const folder = out();
  const summary = await convertPipeline(pipelineFolder('sd15'), folder, { lora });
  assert.ok(summary.notes.some((note) => /^fused lora_sd15_kohya\.safetensors/.test(note)));
  const { graph } = await readModel(folder);
  assert.is(Object(graph.metadata.lora)[0].scale, 0.5);
});

test('the folder of a pipeline is opened as its UNet, and patched with all of its parts, which are shared', async () => {
  const folder = await converted(pipelineFolder('sd15'));
  const { graph, place } = await readModel(folder);
  assert.is(place, join(folder, 'unet', 'model.json'));
  assert.is(graph.metadata.kind, 'unet');
  const patched = join(temporaryFolder(), 'patched');
  const result = await patchModel(folder, patched, [slothful({ in_strength: 8 })]);
  assert.is(result.sites.length, 16);
  assert.is(result.folder, patched);
  assert.equal(await readPipelineManifest(patched), await readPipelineManifest(folder));
  for (const file of ['unet/weights-00001.bin', 'vae_decoder/weights-00001.bin', 'tokenizer/vocab.json']) {
    assert.is(statSync(join(patched, file)).ino, statSync(join(folder, file)).ino, file);
  }
  assert.is(readSlothfulMetadata((await readModel(patched)).graph.metadata)?.parameters.in_strength, 8);
  assert.is(readSlothfulMetadata((await readModel(folder)).graph.metadata), undefined);
  await failsWith('exists', /is there already/, () => patchModel(folder, patched, [slothful({})]));
  await patchModel(folder, patched, [slothful({})], { force: true });
  await failsWith('exists', /holds the model that is read/, () =>
    patchModel(folder, folder, [slothful({})], { force: true }),
  );
  assert.equal(readdirSync(folder).sort(), ['slothful.json', ...PARTS.sd15].sort());
  const alone = join(temporaryFolder(), 'alone');
  await patchModel(join(folder, 'unet'), alone, [slothful({})]);
  assert.ok(existsSync(join(alone, 'model.json')));
});

test('a pipeline is replaced by --force, as models are, and other folders are not', async () => {
  const folder = await converted(pipelineFolder('sd15'));
  const source = pipelineFolder('sd15');
  await failsWith('exists', /is there already/, () => convertPipeline(source, folder));
  await convertPipeline(source, folder, { force: true, only: ['vae'] });
  assert.equal(readdirSync(folder).sort(), ['slothful.json', 'vae_decoder', 'vae_encoder']);
});

const MANIFESTS: ReadonlyArray<[what: string, text: string, message: RegExp]> = [
  ['no JSON', '{', /slothful\.json: is not JSON/],
  ['another version', '{"schema":"slothful-pipeline/9","parts":{}}', /schema must be "slothful-pipeline\/1", got/],
  [
    'a part outside',
    '{"schema":"slothful-pipeline/1","parts":{"unet":"../unet"},"force_zeros_for_empty_prompt":false}',
    /parts\.unet must be a folder beside it, got "\.\.\/unet"/,
  ],
  [
    'a part that is not known',
    '{"schema":"slothful-pipeline/1","parts":{"unets":"unet"},"force_zeros_for_empty_prompt":false}',
    /unknown field "unets" in parts; did you mean "unet"\?/,
  ],
];

for (const [what, text, message] of MANIFESTS) {
  test(`a manifest with ${what} is refused in one line`, async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'slothful.json'), text);
    await failsWith('bad-model', message, () => readModel(folder));
  });
}

/** A pipeline folder with something wrong. */
function broken(change: (folder: string) => void): string {
  const folder = pipelineFolder('sd15');
  change(folder);
  return folder;
}

const replaceText = (folder: string, which: string) => {
  rmSync(join(folder, 'text_encoder'), { recursive: true });
  cpSync(fixturePath(`pipeline/sdxl/${which}`), join(folder, 'text_encoder'), { recursive: true });
};

const REFUSED: ReadonlyArray<
  [what: string, code: ErrorCode, message: RegExp, source: () => string, options?: ConvertPipelineOptions]
> = [
  [
    'a text encoder of another width',
    'bad-checkpoint',
    /has text encoders of width 16, and the UNet takes 24/,
    () => broken((folder) => replaceText(folder, 'text_encoder_2')),
  ],
  [
    'SDXL without its second text encoder',
    'bad-checkpoint',
    /has text encoders of width 8, and the UNet takes 24/,
    () => {
      const folder = pipelineFolder('sdxl');
      rmSync(join(folder, 'text_encoder_2'), { recursive: true });
      return folder;
    },
  ],
  [
    'a text encoder without its projection',
    'bad-checkpoint',
    /projects to nothing, and the UNet takes 20/,
    () => {
      const folder = pipelineFolder('sdxl');
      changeTensors(join(folder, 'text_encoder_2', 'model.safetensors'), (tensors) =>
        tensors.delete('text_projection.weight'),
      );
      return folder;
    },
  ],
  [
    'a missing tokenizer',
    'bad-checkpoint',
    /has a text_encoder of 674 tokens and no tokenizer, and CLIP's own vocabulary has 49408; give .*--config/,
    () => broken((folder) => rmSync(join(folder, 'tokenizer'), { recursive: true })),
  ],
  [
    'a tokenizer without its merges',
    'bad-checkpoint',
    /is a tokenizer without merges\.txt/,
    () => broken((folder) => rmSync(join(folder, 'tokenizer', 'merges.txt'))),
  ],
  [
    'a tokenizer whose last token is not in its vocabulary',
    'bad-checkpoint',
    /vocab\.json: has no token "<\|endoftext\|>", which ends prompts/,
    () => broken((folder) => writeFileSync(join(folder, 'tokenizer', 'vocab.json'), '{}')),
  ],
  [
    'a VAE of another model',
    'bad-checkpoint',
    /latents with 16 channels, and the UNet's have 4/,
    () =>
      broken((folder) => {
        const config = { ...partConfig('sd15', 'vae'), latent_channels: 16 };
        writeFileSync(join(folder, 'vae', 'config.json'), JSON.stringify(config));
      }),
  ],
  [
    'a part that is incomplete',
    'bad-checkpoint',
    /lacks 1 of/,
    () =>
      broken((folder) =>
        changeTensors(join(folder, 'vae', 'diffusion_pytorch_model.safetensors'), (tensors) =>
          tensors.delete('encoder.conv_in.bias'),
        ),
      ),
  ],
  [
    'a TAESD of another model',
    'bad-checkpoint',
    /TAESD of latents with 16 channels/,
    () => pipelineFolder('sd15'),
    { taesd: '16' },
  ],
  ['a single file that tells no heads', 'bad-checkpoint', /give .*--config/, () => pipelineFile('sd15')],
  [
    'a VAE that is not asked for',
    'usage',
    /--vae: is not among the parts of --only unet/,
    () => pipelineFolder('sd15'),
    { only: ['unet'], vae: 'x' },
  ],
  [
    'a LoRA without a UNet',
    'usage',
    /--lora: is for the UNet/,
    () => pipelineFolder('sd15'),
    { only: ['vae'], lora: [{ file: 'x' }] },
  ],
  [
    'configs that are none',
    'bad-input',
    /holds no config\.json of a part/,
    () => pipelineFile('sd15'),
    { configFolder: temporaryFolder() },
  ],
  [
    'text that is not there',
    'bad-checkpoint',
    /holds no CLIP text encoder/,
    () => unetGoldens('sd15').ldm,
    { only: ['text'] },
  ],
];

for (const [what, code, message, source, options = {}] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const parent = temporaryFolder();
    const path = source();
    const taesd = options.taesd === undefined ? {} : { taesd: wideTaesd() };
    await failsWith(code, message, () => convertPipeline(path, join(parent, 'model'), { ...options, ...taesd }));
    assert.equal(readdirSync(parent), []);
  });
}

/** A TAESD decoder for latents of 16 channels. */
function wideTaesd(): string {
  const path = join(temporaryFolder(), 'taesd_decoder.safetensors');
  cpSync(fixturePath('pipeline/taesd/taesd_decoder.safetensors'), path);
  changeTensors(path, (tensors) => tensors.set('1.weight', floats([8, 16, 3, 3], new Float32Array(8 * 16 * 9))));
  return path;
}

test.run();
