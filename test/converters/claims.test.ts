import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint, convertTextEncoder, convertVae } from '../../converters/index.ts';
import { inferUNetConfig } from '../../converters/unet/index.ts';
import { checkModules, countBlocks } from '../../converters/weights/index.ts';
import { failsWith } from '../support/errors.ts';
import { partConfig, pipelineFolder } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { floats, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('what a checkpoint claims is held against its tensors before anything is built');

const { diffusers, config } = unetGoldens('sd15');
const FILE = 'diffusion_pytorch_model.safetensors';
const out = () => join(temporaryFolder(), 'model');

/** A checkpoint that says something else in its config. */
function claiming(change: object): string {
  const folder = join(temporaryFolder(), 'unet');
  mkdirSync(folder);
  copyFileSync(join(diffusers, FILE), join(folder, FILE));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...Object(config), ...change }));
  return folder;
}

test('a module is there where tensors are named below it, whatever their names are', () => {
  const tensors = new Map(
    ['a.b.c', 'long.names.of.blocks.0.weight', 'x..y', '.hidden', 'plain'].map((name) => [name, 0]),
  );
  const there = [
    'a',
    'a.b',
    'long',
    'long.names',
    'long.names.of',
    'long.names.of.blocks',
    'long.names.of.blocks.0',
    'x',
  ];
  checkModules(there, { tensors }, 'm');
  for (const module of ['a.b.c', 'plain', 'lon', 'long.name', 'long.names.of.blocks.1', 'b', '']) {
    assert.throws(() => checkModules([...there, module], { tensors }, 'm'), /^m: lacks 1 of the 9 blocks/);
  }
});

/** Numbers that would take all memory, and those that stay below every bound and are no truer. */
const CLAIMS: readonly (readonly [change: object, message: RegExp])[] = [
  [{ transformer_layers_per_block: 1_000_000 }, /transformer_layers_per_block must be an integer from 0 to 256/],
  [{ transformer_layers_per_block: [1, 1, 1, [1_000_000, 1]] }, /per_block\[3\]\[0\] must be an integer from 1 to 256/],
  [{ reverse_transformer_layers_per_block: [1, 1, 1, 1e6] }, /reverse_.*\[3\] must be an integer from 0 to 256/],
  [{ layers_per_block: 1_000_000 }, /layers_per_block must be an integer from 1 to 64, got 1000000/],
  [{ layers_per_block: 64, transformer_layers_per_block: 256 }, /makes \d+ transformer blocks in all, more than 1024/],
  [
    { transformer_layers_per_block: 40 },
    /lacks \d+ of the \d+ blocks that its config claims: down_blocks\.0\.attentions\.0\.transformer_blocks\.1, .* more;/,
  ],
  [{ layers_per_block: 64 }, /lacks \d+ of the \d+ blocks that its config claims: down_blocks\.0\.resnets\.2, /],
];
for (const [change, message] of CLAIMS) {
  test(`a UNet's config: ${JSON.stringify(change)}`, async () => {
    const began = performance.now();
    await failsWith('bad-checkpoint', message, () => convertCheckpoint(claiming(change), out()));
    assert.ok(performance.now() - began < 20_000, 'nothing was built');
  });
}

/** The shapes of a checkpoint without a config, and of one tensor more. */
function shapesWith(name: string) {
  const tensors = readTensors(readFileSync(join(diffusers, FILE)));
  return new Map([...tensors, [name, floats([0], [])]]);
}

for (const number of [999_999, 1, 1e21]) {
  test(`an empty tensor of transformer block ${number} makes no block`, async () => {
    const list = 'up_blocks.1.attentions.0.transformer_blocks';
    const shapes = shapesWith(`${list}.${BigInt(number) + 1n}.norm1.weight`);
    const message =
      /has tensors of 2 blocks of "up_blocks\.1\.attentions\.0\.transformer_blocks", the last .* number \d/;
    await failsWith('bad-checkpoint', message, () => inferUNetConfig(shapes, 'unet.safetensors'));
  });
}

test('blocks are counted where their numbers follow each other', async () => {
  assert.is(countBlocks(new Set(), 'a', 'file'), 0);
  assert.is(countBlocks(new Set([2, 0, 1]), 'a', 'file'), 3);
  await failsWith('bad-checkpoint', /^file: has tensors of 1 blocks of "a"/, () =>
    countBlocks(new Set([1]), 'a', 'file'),
  );
});

test('layers of a text encoder and levels of a VAE that are not there', async () => {
  const folder = pipelineFolder('sd15');
  const text = { ...partConfig('sd15', 'text_encoder'), num_hidden_layers: 256 };
  await failsWith('bad-checkpoint', /lacks 25\d of the 256 blocks.*text_model\.encoder\.layers\./, () =>
    convertTextEncoder(folder, out(), { config: text }),
  );
  const vae = { ...partConfig('sd15', 'vae'), layers_per_block: 64 };
  for (const half of ['encoder', 'decoder'] as const) {
    await failsWith('bad-checkpoint', new RegExp(`blocks that its config claims: ${half}\\.`), () =>
      convertVae(folder, out(), half, { config: vae }),
    );
  }
});

test('a file is written where what it claims is true', async () => {
  const path = join(temporaryFolder(), 'unet.safetensors');
  writeTensors(path, readTensors(readFileSync(join(diffusers, FILE))));
  assert.is((await convertCheckpoint(path, out(), { config })).kind, 'unet');
});

test.run();
