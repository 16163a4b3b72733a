import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openCheckpoint } from '../../converters/checkpoint/index.ts';
import { inferUNetConfig, parseUNetConfig, UNET, type UNetConfig, unetTensors } from '../../converters/unet/index.ts';
import { fixturePath, readJson } from '../support/fixtures.ts';
import { rejection, thrown } from './support.ts';

const test = suite('checkpoint: config from tensors');

interface FamilyFile {
  config: unknown;
  tensors: Record<string, { shape: number[] }>;
}

type Shapes = Map<string, { shape: readonly number[] }>;

function shapesOf(family: string): Shapes {
  return new Map(Object.entries(readJson<FamilyFile>(`families/${family}.json`).tensors));
}

/** Heads of blocks without attention say nothing, and tensors cannot tell them. */
function comparable(config: UNetConfig): unknown {
  const blocks = (list: UNetConfig['down']) =>
    list.map((block) => ({ ...block, heads: block.depths.some((depth) => depth > 0) ? block.heads : 0 }));
  const mid = config.mid && { ...config.mid, heads: config.mid.depth > 0 ? config.mid.heads : 0 };
  return { ...config, down: blocks(config.down), up: blocks(config.up), mid };
}

for (const family of ['sd15', 'sdxl', 'ssd1b']) {
  test(`${family}: the same as its config.json`, () => {
    const { config } = readJson<FamilyFile>(`families/${family}.json`);
    const inferred = inferUNetConfig(shapesOf(family), family);
    assert.equal(comparable(inferred), comparable(parseUNetConfig(config)));
    assert.is(inferred.family, family);
  });
}

test('the golden single file of sd15, and its folder', async () => {
  const { sampleSize, ...wanted } = parseUNetConfig(readJson('unet/sd15/diffusers/config.json'));
  for (const path of ['ldm.safetensors', 'diffusers']) {
    const checkpoint = await openCheckpoint(fixturePath(`unet/sd15/${path}`), UNET);
    const inferred = inferUNetConfig(unetTensors(checkpoint).tensors, path);
    assert.equal(comparable({ ...inferred, sampleSize }), comparable({ ...wanted, sampleSize }));
    await checkpoint.close();
  }
});

test('the golden single files of sdxl and ssd1b need a config for their heads', async () => {
  for (const family of ['sdxl', 'ssd1b']) {
    const checkpoint = await openCheckpoint(fixturePath(`unet/${family}/ldm.safetensors`), UNET);
    const { tensors } = unetTensors(checkpoint);
    const { code, message } = thrown(() => inferUNetConfig(tensors, checkpoint.path));
    assert.is(code, 'unsupported');
    assert.match(message, /--config/);
    await checkpoint.close();
  }
});

/** A change to a family's tensors, and what the message must then say. */
const REFUSED: ReadonlyArray<readonly [what: string, family: string, change: (shapes: Shapes) => void, says: RegExp]> =
  [
    [
      'an odd attention width',
      'sdxl',
      (shapes) => shapes.set('down_blocks.1.resnets.0.conv1.weight', { shape: [672, 320, 3, 3] }),
      /width 672 is not a whole number of 64-wide heads.*--config/,
    ],
    [
      'SD2.x',
      'sd15',
      (shapes) => {
        for (const name of shapes.keys()) if (/attn2\.to_[kv]/.test(name)) shapes.set(name, { shape: [320, 1024] });
      },
      /1024 wide: it is SD2.x.*--config/,
    ],
    [
      'the refiner',
      'sdxl',
      (shapes) => shapes.set('add_embedding.linear_1.weight', { shape: [1280, 2560] }),
      /is the SDXL refiner/,
    ],
    [
      'other text widths',
      'sdxl',
      (shapes) => shapes.set('add_embedding.linear_1.weight', { shape: [1280, 68] }),
      /68 wide, not SDXL's 2816.*--config/,
    ],
    [
      'a class embedding',
      'sd15',
      (shapes) => shapes.set('class_embedding.linear_1.weight', { shape: [1] }),
      /class_embed/,
    ],
    ['a missing input', 'sd15', (shapes) => shapes.delete('conv_in.weight'), /has no tensor "conv_in.weight"/],
    [
      'a flattened tensor',
      'sd15',
      (shapes) => shapes.set('conv_in.weight', { shape: [11520] }),
      /"conv_in.weight" has the shape \[11520\]/,
    ],
    [
      'no attention at all',
      'sd15',
      (shapes) => {
        for (const name of [...shapes.keys()]) if (name.includes('attentions')) shapes.delete(name);
      },
      /has no cross-attention/,
    ],
    [
      'a hole in the attentions of a block',
      'sd15',
      (shapes) => {
        for (const name of [...shapes.keys()]) if (name.startsWith('down_blocks.1.attentions.0')) shapes.delete(name);
      },
      /transformer_layers_per_block/,
    ],
  ];

for (const [what, family, change, says] of REFUSED) {
  test(`refuses ${what}`, () => {
    const shapes = shapesOf(family);
    change(shapes);
    assert.match(thrown(() => inferUNetConfig(shapes, 'm.safetensors')).message, says);
  });
}

test('names a missing tensor as the file would', async () => {
  const checkpoint = await openCheckpoint(fixturePath('unet/sdxl/ldm.safetensors'), UNET);
  const { nameInFile, tensors, unknown } = unetTensors(checkpoint);
  assert.equal(unknown, []);
  assert.is(tensors.size, 1680);
  const wanted = 'model.diffusion_model.output_blocks.2.2.conv.weight';
  assert.is(nameInFile('up_blocks.0.upsamplers.0.conv.weight'), wanted);
  await checkpoint.close();
});

test('refuses what is not there', async () => {
  assert.is((await rejection(openCheckpoint('/no/such/path', UNET))).code, 'io');
});

test.run();
