import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertVae } from '../../converters/index.ts';
import { TEST_BACKENDS, useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import {
  changeTensors,
  checkAgainst,
  goldenTensor,
  loadStock,
  type PipelineName,
  partConfig,
  pipelineFile,
  pipelineFolder,
  rawTensors,
} from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, type RawTensor, writeTensors } from '../support/write-tensors.ts';
import { writeZeros } from './support.ts';

const test = suite('VAEs');

const DECODED: Readonly<Record<PipelineName, readonly string[]>> = {
  sd15: ['8x8', '13x9', '1x1', '5x12'],
  sdxl: ['8x8', '13x9'],
};
const ENCODED: Readonly<Record<PipelineName, readonly string[]>> = {
  sd15: ['64x64', '72x104', '50x37'],
  sdxl: ['56x80'],
};
const SCALING: Readonly<Record<PipelineName, number>> = { sd15: 0.18215, sdxl: 0.13025 };

const WEIGHTS = 'diffusion_pytorch_model.safetensors';

/** A folder as diffusers saved it before 0.17, which is how the first checkpoints still are. */
function olderFolder(name: PipelineName): string {
  const names = new Map([
    ['to_q', 'query'],
    ['to_k', 'key'],
    ['to_v', 'value'],
    ['to_out.0', 'proj_attn'],
  ]);
  const folder = pipelineFolder(name);
  changeTensors(join(folder, 'vae', WEIGHTS), (tensors) => {
    for (const [key, tensor] of [...tensors]) {
      tensors.delete(key);
      tensors.set(
        key.replace(/to_(?:q|k|v|out\.0)(?=\.)/, (module) => names.get(module) ?? ''),
        tensor,
      );
    }
  });
  return folder;
}

/** A VAE by itself in LDM's names, as those that are handed around. */
function bareFile(name: PipelineName): string {
  const start = 'first_stage_model.';
  const all = [...rawTensors(fixturePath(`pipeline/${name}.rest.safetensors`))];
  const own = all.flatMap(([key, tensor]) =>
    key.startsWith(start) ? [[key.slice(start.length), tensor] as const] : [],
  );
  const path = join(temporaryFolder(), 'vae.safetensors');
  writeTensors(path, new Map(own));
  return path;
}

interface Source {
  readonly from: string;
  path(name: PipelineName): string;
  readonly hasConfig: boolean;
}

const SOURCES: readonly Source[] = [
  { from: 'a folder', path: pipelineFolder, hasConfig: true },
  { from: 'an older folder', path: olderFolder, hasConfig: true },
  { from: 'a single file', path: (name) => pipelineFile(name), hasConfig: false },
  { from: 'a file of its own', path: bareFile, hasConfig: false },
];

for (const name of ['sd15', 'sdxl'] as const) {
  for (const { from, path, hasConfig } of SOURCES) {
    const config = hasConfig ? {} : { config: partConfig(name, 'vae') };

    test(`${name} decoder of ${from}: what diffusers gives, on every backend, by TF.js alone`, async () => {
      const folder = join(temporaryFolder(), 'model');
      await convertVae(path(name), folder, 'decoder', config);
      const { vae } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')).userDefinedMetadata;
      assert.is(vae.scaling_factor, SCALING[name]);
      assert.is(vae.downscale, 8);
      for (const backend of TEST_BACKENDS) {
        await useBackend(backend);
        const model = await loadStock(folder);
        for (const size of DECODED[name]) {
          tf.tidy(() => {
            const latent = tf.div(goldenTensor('vae', `${name}.decode.${size}.latent`), vae.scaling_factor);
            const image = model.predict({ latent });
            if (!(image instanceof tf.Tensor)) throw new Error('one output is expected');
            checkAgainst(image, 'vae', `${name}.decode.${size}.sample`);
          });
        }
        model.dispose();
      }
    });

    test(`${name} encoder of ${from}: what diffusers gives, on every backend, by TF.js alone`, async () => {
      const folder = join(temporaryFolder(), 'model');
      await convertVae(path(name), folder, 'encoder', config);
      for (const backend of TEST_BACKENDS) {
        await useBackend(backend);
        const model = await loadStock(folder);
        for (const size of ENCODED[name]) {
          tf.tidy(() => {
            const pixels = goldenTensor('vae', `${name}.encode.${size}.image`);
            const image = tf.sub(tf.mul(pixels, 2 / 255), 1);
            const results = model.execute({ image }, ['mean', 'logvar', 'moments']);
            const [mean, logvar, moments] = Array.isArray(results) ? results : [];
            assert.ok(mean && logvar && moments);
            if (!mean || !logvar || !moments) return;
            checkAgainst(mean, 'vae', `${name}.encode.${size}.mean`);
            checkAgainst(logvar, 'vae', `${name}.encode.${size}.logvar`);
            assert.equal(tf.slice(moments, [0, 0, 0, 0], [-1, -1, -1, 4]).dataSync(), mean.dataSync());
          });
        }
        model.dispose();
      }
    });
  }
}

test('the logarithm of the variance is clamped, the moments are not', async () => {
  const folder = join(temporaryFolder(), 'model');
  const source = pipelineFolder('sd15');
  changeTensors(join(source, 'vae', WEIGHTS), (tensors) => {
    tensors.set('quant_conv.bias', floats([8], [0, 0, 0, 0, 100, -100, 0, 0]));
  });
  await convertVae(source, folder, 'encoder');
  await useBackend('wasm');
  const model = await loadStock(folder);
  const results = model.execute({ image: tf.zeros([1, 8, 8, 3]) }, ['logvar', 'moments']);
  const [logvar, moments] = Array.isArray(results) ? results : [];
  const [first, second] = logvar?.dataSync() ?? [];
  assert.equal([first, second], [20, -30]);
  assert.ok((moments?.dataSync()[4] ?? 0) > 50 && (moments?.dataSync()[5] ?? 0) < -50);
  model.dispose();
});

test('all sizes and batches in one model: nothing of a picture is seen by its neighbour', async () => {
  const folder = join(temporaryFolder(), 'model');
  await convertVae(pipelineFolder('sd15'), folder, 'decoder');
  await useBackend('cpu');
  const model = await loadStock(folder);
  const one = tf.randomNormal([1, 3, 5, 4], 0, 1, 'float32', 1);
  const two = tf.randomNormal([1, 3, 5, 4], 0, 1, 'float32', 2);
  const decode = (latent: tf.Tensor) => {
    const image = model.predict({ latent });
    if (!(image instanceof tf.Tensor)) throw new Error('one output is expected');
    return image;
  };
  const both = decode(tf.concat([one, two]));
  assert.equal(both.shape, [2, 24, 40, 3]);
  const apart = tf.concat([decode(one), decode(two)]);
  assert.ok(tf.max(tf.abs(tf.sub(both, apart))).dataSync()[0] === 0);
  model.dispose();
});

for (const half of ['decoder', 'encoder'] as const) {
  test(`${half}: every kind of op is on wasm, and every constant in the manifest`, async () => {
    const folder = join(temporaryFolder(), 'model');
    await convertVae(pipelineFolder('sdxl'), folder, half);
    const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
    const nodes: ReadonlyArray<{ name: string; op: string }> = modelTopology.node;
    const ops = [...new Set(nodes.map(({ op }) => op))].sort();
    const known =
      'AddV2 BatchMatMulV2 ConcatV2 Const Identity Maximum Mean Minimum Mul Placeholder Reshape ResizeNearestNeighbor Rsqrt Shape Sigmoid Slice Softmax SquaredDifference StridedSlice Sub Transpose _FusedConv2D _FusedMatMul';
    assert.equal(
      ops.filter((op) => !known.split(' ').includes(op)),
      [],
    );
    const stored = new Set(
      weightsManifest.flatMap((group: { weights: { name: string }[] }) => group.weights.map((each) => each.name)),
    );
    assert.equal(
      nodes.filter(({ op, name }) => op === 'Const' && !stored.has(name)),
      [],
    );
  });
}

/** A pipeline folder with something wrong in its VAE. */
function broken(change: (tensors: Map<string, RawTensor>) => void, config: Record<string, unknown> = {}): string {
  const folder = pipelineFolder('sd15');
  changeTensors(join(folder, 'vae', WEIGHTS), change);
  writeFileSync(join(folder, 'vae', 'config.json'), JSON.stringify({ ...partConfig('sd15', 'vae'), ...config }));
  return folder;
}

const nothing = () => undefined;

const REFUSED: ReadonlyArray<[what: string, code: 'bad-checkpoint' | 'unsupported', message: RegExp, () => string]> = [
  [
    'a missing tensor',
    'bad-checkpoint',
    /lacks 1 of \d+ tensors: decoder\.up_blocks\.2\.resnets\.0\.conv_shortcut\.bias/,
    () => broken((tensors) => tensors.delete('decoder.up_blocks.2.resnets.0.conv_shortcut.bias')),
  ],
  [
    'other widths',
    'bad-checkpoint',
    /wrong shape: .* is \[/,
    () => broken(nothing, { block_out_channels: [8, 8, 16, 16] }),
  ],
  [
    'groups that do not divide',
    'bad-checkpoint',
    /32 groups, which do not divide a width of/,
    () => pipelineFile('sd15'),
  ],
  [
    'latents of 16 channels',
    'bad-checkpoint',
    /latents with 16 channels, and the UNet's have 4; give the VAE of the same model/,
    () => broken(nothing, { latent_channels: 16 }),
  ],
  [
    'shifted latents',
    'unsupported',
    /"shift_factor": 0\.1159 is not in the VAEs/,
    () => broken(nothing, { shift_factor: 0.1159 }),
  ],
  [
    'a TAESD',
    'unsupported',
    /"AutoencoderTiny", not an AutoencoderKL/,
    () => broken(nothing, { _class_name: 'AutoencoderTiny' }),
  ],
  [
    "a TAESD's folder",
    'bad-checkpoint',
    /holds no VAE among its 134 tensors: it looks like a TAESD/,
    () => fixturePath('pipeline/taesd'),
  ],
  [
    'a tensor too many',
    'unsupported',
    /does not use: extra/,
    () => broken((tensors) => tensors.set('extra', floats([1], [0]))),
  ],
  ['a UNet', 'bad-checkpoint', /holds no VAE among its/, () => fixturePath('unet/sd15/diffusers')],
];

for (const [what, code, message, source] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const out = join(temporaryFolder(), 'model');
    await failsWith(code, message, () => convertVae(source(), out, 'decoder', { latentChannels: 4 }));
    assert.not(existsSync(out));
  });
}

test('without a config the tensors tell: widths, depth, channels; and norms have 32 groups', async () => {
  const folder = temporaryFolder();
  const source = pipelineFolder('sd15');
  const file = join(source, 'vae', WEIGHTS);
  const shapes = [...rawTensors(file)].map(([name, { shape }]) => {
    // 32 times as wide, but for what is of pictures and latents.
    const outside = (size: number) => size === 3 || size === 4 || size === 1;
    const isQuant = /quant_conv|encoder\.conv_out\.bias/.test(name);
    const isEnd = name === 'encoder.conv_out.weight';
    const wide = shape.map((size, axis) =>
      axis > 1 || outside(size) || isQuant || (isEnd && !axis) ? size : 32 * size,
    );
    return [name, wide] as const;
  });
  writeZeros(join(folder, 'vae.safetensors'), new Map(shapes));
  await convertVae(join(folder, 'vae.safetensors'), join(folder, 'decoder'), 'decoder', { scalingFactor: 0.5 });
  await convertVae(join(folder, 'vae.safetensors'), join(folder, 'encoder'), 'encoder');
  const recordOf = (half: string) =>
    JSON.parse(readFileSync(join(folder, half, 'model.json'), 'utf8')).userDefinedMetadata.vae;
  const sizes = { latent_channels: 4, image_channels: 3, downscale: 8, sample_size: null };
  assert.equal(recordOf('decoder'), { scaling_factor: 0.5, ...sizes });
  assert.equal(recordOf('encoder'), { scaling_factor: 0.18215, ...sizes });
});

test('a single file is told what it lacks by its own names', async () => {
  const name = 'first_stage_model.decoder.up.3.block.1.conv2.weight';
  const attention = 'first_stage_model.decoder.mid.attn_1.proj_out.bias';
  const shortcut = 'first_stage_model.decoder.up.1.block.0.nin_shortcut.bias';
  const file = pipelineFile('sd15', (tensors) => {
    for (const each of [name, attention, shortcut]) tensors.delete(each);
  });
  const options = { config: partConfig('sd15', 'vae') };
  for (const each of [name, attention, shortcut]) {
    await failsWith('bad-checkpoint', new RegExp(`lacks 3 of .*${each.replaceAll('.', '\\.')}`), () =>
      convertVae(file, join(temporaryFolder(), 'model'), 'decoder', options),
    );
  }
});

test.run();
