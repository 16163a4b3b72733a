import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseUNetConfig } from '../../converters/unet/config.ts';
import { readJson } from '../support/fixtures.ts';
import { thrown } from './support.ts';

const test = suite('UNet config');

const config = (family: string) => readJson<{ config: Record<string, unknown> }>(`families/${family}.json`).config;

test('what is left out, or null, is what diffusers takes', () => {
  const { in_channels, out_channels, norm_eps, norm_num_groups, mid_block_type, ...sd15 } = config('sd15');
  assert.equal(
    parseUNetConfig({ ...sd15, norm_eps: null, only_cross_attention: null }),
    parseUNetConfig(config('sd15')),
  );
});

test('the sizes of the sample where they are two, and strange fields, change nothing', () => {
  const odd = { ...config('sd15'), sample_size: [64, 64], _diffusers_version: '0.31', constructor: 1 };
  assert.equal(parseUNetConfig(odd), parseUNetConfig(config('sd15')));
});

/** What is changed in a family's config, and what is said. */
const REFUSED: readonly [family: string, change: object, message: RegExp][] = [
  ['sd15', { block_out_channels: undefined }, /^c\.json: block_out_channels must be a list of 1 to 64, got nothing/],
  [
    'sd15',
    { block_out_channels: [320, -1, 2, 3] },
    /block_out_channels\[1\] must be an integer from 1 to 1000000, got -1/,
  ],
  ['sd15', { in_channels: '4' }, /in_channels must be an integer from 1 to 1000000, got "4"; give the config of this/],
  ['sd15', { cross_attention_dim: [768] }, /cross_attention_dim must be an integer from 1.*, got a list/],
  ['sd15', { norm_eps: 0 }, /norm_eps must be a number above 0, got 0/],
  ['sd15', { use_linear_projection: 1 }, /use_linear_projection must be true or false, got 1/],
  ['sd15', { attention_head_dim: [8, 8] }, /attention_head_dim has 2 entries for 4 blocks/],
  ['sd15', { attention_head_dim: 7 }, /attention_head_dim: 7 heads do not divide a width of 320/],
  ['sd15', { norm_num_groups: 33 }, /norm_num_groups: 33 groups do not divide a width of 320/],
  ['sd15', { down_block_types: ['DownBlock2D'] }, /down_block_types has 1 entries for 4 blocks/],
  ['sd15', { up_block_types: ['a', 'b', 'c', 'd'] }, /"a" is not a block of SD1\.5, SDXL or SSD-1B/],
  [
    'sd15',
    { mid_block_type: 'UNetMidBlock3D' },
    /mid_block_type must be one of UNetMidBlock2DCrossAttn, .*"UNetMidBlock3D"/,
  ],
  ['sd15', { addition_embed_type: 'image' }, /addition_embed_type must be "text_time" or absent, got "image"/],
  ['sd15', { transformer_layers_per_block: 0.5 }, /transformer_layers_per_block must be an integer from 0.*, got 0\.5/],
  ['sd15', { transformer_layers_per_block: 0 }, /transformer_layers_per_block ends with 0/],
  ['sdxl', { transformer_layers_per_block: [0, 2, [10, 0]] }, /per_block\[2\]\[1\] must be an integer from 1.*, got 0/],
  ['sdxl', { transformer_layers_per_block: [0, [2], 10] }, /transformer_layers_per_block has 1 entries for 2 blocks/],
  ['sdxl', { addition_time_embed_dim: null }, /addition_time_embed_dim must be there for text_time/],
  ['sdxl', { projection_class_embeddings_input_dim: 9 }, /projection_class_embeddings_input_dim is less than six/],
  [
    'sd15',
    { act_fn: 'gelu' },
    /^c\.json "act_fn": "gelu" is not in the SD1\.5.*; only "silu" or "swish" can be converted/,
  ],
  ['sd15', { _class_name: 'VQModel' }, /^c\.json: describes a "VQModel", not a UNet2DConditionModel/],
];
for (const [family, change, message] of REFUSED) {
  test(`${family}: refuses ${JSON.stringify(change)}`, () => {
    assert.match(thrown(() => parseUNetConfig({ ...config(family), ...change }, 'c.json')).message, message);
  });
}

test('refuses what is not an object', () => {
  assert.match(
    thrown(() => parseUNetConfig(['x'], 'c.json')).message,
    /^c\.json: is not a JSON object; give the config/,
  );
});

test.run();
