import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertTaesd } from '../../converters/index.ts';
import { TEST_BACKENDS, useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import { checkAgainst, goldenTensor, loadStock, rawTensors } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, type RawTensor, writeTensors } from '../support/write-tensors.ts';

const test = suite('TAESD');

const HALVES = ['decoder', 'encoder'] as const;
const fileOf = (half: string) => fixturePath(`pipeline/taesd/taesd_${half}.safetensors`);

/** diffusers' folder, without the original files that lie beside it in the fixtures. */
async function diffusersFolder(): Promise<string> {
  const folder = temporaryFolder();
  for (const name of ['config.json', 'diffusion_pytorch_model.safetensors']) {
    await copyFile(fixturePath(`pipeline/taesd/${name}`), join(folder, name));
  }
  return folder;
}

/** The original repository's folder: a file a half. */
async function originalFolder(): Promise<string> {
  const folder = temporaryFolder();
  for (const half of HALVES) await copyFile(fileOf(half), join(folder, `taesd_${half}.safetensors`));
  return folder;
}

/** Both halves in one file, as ComfyUI has them. */
function combinedFile(): string {
  const path = join(temporaryFolder(), 'taesd.safetensors');
  const all = HALVES.flatMap((half) =>
    [...rawTensors(fileOf(half))].map(([name, tensor]) => [`taesd_${half}.${name}`, tensor] as const),
  );
  writeTensors(path, new Map(all));
  return path;
}

const SOURCES: Readonly<Record<string, (half: string) => string | Promise<string>>> = {
  "diffusers' folder": diffusersFolder,
  'the original folder': originalFolder,
  'the original file': fileOf,
  'one file of both': combinedFile,
};

for (const [from, source] of Object.entries(SOURCES)) {
  test(`decoder of ${from}: what diffusers gives, on every backend, by TF.js alone`, async () => {
    const folder = join(temporaryFolder(), 'model');
    const summary = await convertTaesd(await source('decoder'), folder, 'decoder');
    assert.is(summary.kind, 'taesd_decoder');
    await eachBackend(folder, (predict) => {
      for (const size of ['8x8', '5x7']) {
        const latent = goldenTensor('taesd', `taesd.decode.${size}.latent`);
        checkAgainst(predict({ latent }), 'taesd', `taesd.decode.${size}.sample`);
      }
    });
  });

  test(`encoder of ${from}: what diffusers gives, on every backend, by TF.js alone`, async () => {
    const folder = join(temporaryFolder(), 'model');
    await convertTaesd(await source('encoder'), folder, 'encoder');
    await eachBackend(folder, (predict) => {
      for (const size of ['64x48', '40x72']) {
        const image = tf.sub(tf.mul(goldenTensor('taesd', `taesd.encode.${size}.image`), 2 / 255), 1);
        checkAgainst(predict({ image }), 'taesd', `taesd.encode.${size}.latents`);
      }
    });
  });
}

async function eachBackend(
  folder: string,
  check: (predict: (feeds: tf.NamedTensorMap) => tf.Tensor) => void,
): Promise<void> {
  for (const backend of TEST_BACKENDS) {
    await useBackend(backend);
    const model = await loadStock(folder);
    tf.tidy(() =>
      check((feeds) => {
        const result = model.predict(feeds);
        if (!(result instanceof tf.Tensor)) throw new Error('one output is expected');
        return result;
      }),
    );
    model.dispose();
  }
}

test('every kind of op is on wasm, and every constant in the manifest', async () => {
  const known =
    'AddV2 Const Conv2D Identity Mul Placeholder Relu ResizeNearestNeighbor Shape StridedSlice Tanh _FusedConv2D';
  for (const half of HALVES) {
    const folder = join(temporaryFolder(), half);
    await convertTaesd(fileOf(half), folder, half);
    const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
    const nodes: ReadonlyArray<{ name: string; op: string }> = modelTopology.node;
    const stored = new Set(
      weightsManifest.flatMap((group: { weights: { name: string }[] }) => group.weights.map((each) => each.name)),
    );
    assert.ok(nodes.length > 50);
    assert.equal(
      nodes.filter(({ op, name }) => !known.split(' ').includes(op) || (op === 'Const' && !stored.has(name))),
      [],
    );
  }
});

function changed(change: (tensors: Map<string, RawTensor>) => void): string {
  const path = join(temporaryFolder(), 'taesd_decoder.safetensors');
  const tensors = rawTensors(fileOf('decoder'));
  change(tensors);
  writeTensors(path, tensors);
  return path;
}

const REFUSED: ReadonlyArray<
  [what: string, code: 'bad-checkpoint' | 'unsupported', message: RegExp, () => string | Promise<string>]
> = [
  ['the other half', 'bad-checkpoint', /holds no TAESD decoder among its 67 tensors/, () => fileOf('encoder')],
  ['a VAE', 'bad-checkpoint', /holds no TAESD decoder.*it looks like a VAE/, () => fixturePath('pipeline/sd15/vae')],
  [
    'a missing tensor, by its name in the file',
    'bad-checkpoint',
    /lacks 1 of 67 tensors: 12\.weight/,
    () => changed((tensors) => tensors.delete('12.weight')),
  ],
  [
    'a missing end',
    'bad-checkpoint',
    /has no layer 18, which is the last/,
    () => changed((tensors) => tensors.delete('19.weight')),
  ],
  [
    'latents of another model',
    'bad-checkpoint',
    /TAESD of latents with 16 channels, and the UNet's have 4/,
    () => changed((tensors) => tensors.set('1.weight', floats([8, 16, 3, 3], new Float32Array(8 * 16 * 9)))),
  ],
  [
    'another block',
    'unsupported',
    /does not use: 3\.pool\.weight/,
    () => changed((tensors) => tensors.set('3.pool.weight', floats([1], [0]))),
  ],
  [
    'an empty folder',
    'bad-checkpoint',
    /holds no weights/,
    () => {
      const folder = join(temporaryFolder(), 'empty');
      mkdirSync(folder);
      return folder;
    },
  ],
];

for (const [what, code, message, source] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const out = join(temporaryFolder(), 'model');
    const path = await source();
    await failsWith(code, message, () => convertTaesd(path, out, 'decoder', { latentChannels: 4 }));
    assert.not(existsSync(out));
  });
}

test.run();
