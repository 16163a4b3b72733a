import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { layoutOfDiffusers, layoutOfLdm, ldmNames } from '../../converters/unet/ldm-names.ts';
import { readJson } from '../support/fixtures.ts';
import { thrown } from './support.ts';

const test = suite('checkpoint: names');

interface FamilyFile {
  tensors: Record<string, { shape: number[]; ldm: string }>;
}

for (const family of ['sd15', 'sdxl', 'ssd1b']) {
  test(`${family}: every tensor of the real model, both ways`, () => {
    const { tensors } = readJson<FamilyFile>(`families/${family}.json`);
    const diffusers = Object.keys(tensors);
    const ldm = Object.values(tensors).map((tensor) => tensor.ldm);
    const layout = layoutOfLdm(ldm, family);
    assert.equal(layout, layoutOfDiffusers(diffusers, family));
    const { toDiffusers, toLdm } = ldmNames(layout);
    assert.equal(ldm.map(toDiffusers), diffusers);
    assert.equal(diffusers.map(toLdm), ldm);
  });
}

const LAYOUTS = [
  { blocks: 1, layers: 1, upAttention: [true] },
  { blocks: 2, layers: 1, upAttention: [false, true] },
  { blocks: 3, layers: 3, upAttention: [true, false, true] },
  { blocks: 5, layers: 2, upAttention: [false, true, true, false, false] },
];

/** Diffusers names of one tensor a module of a UNet with this layout. */
function someNames({ blocks, layers, upAttention }: (typeof LAYOUTS)[number]): string[] {
  const names = ['conv_in.weight', 'conv_out.bias', 'mid_block.resnets.0.norm1.weight'];
  for (let block = 0; block < blocks; block++) {
    const last = block === blocks - 1;
    for (let layer = 0; layer <= layers; layer++) {
      if (layer < layers) names.push(`down_blocks.${block}.resnets.${layer}.conv2.weight`);
      names.push(`up_blocks.${block}.resnets.${layer}.conv_shortcut.weight`);
      if (upAttention[block]) names.push(`up_blocks.${block}.attentions.${layer}.transformer_blocks.0.norm1.bias`);
    }
    if (!last) names.push(`down_blocks.${block}.downsamplers.0.conv.bias`, `up_blocks.${block}.upsamplers.0.conv.bias`);
  }
  return names;
}

test('other numbers of blocks and layers', () => {
  for (const layout of LAYOUTS) {
    const names = someNames(layout);
    assert.equal(layoutOfDiffusers(names, 'm'), layout);
    const { toDiffusers, toLdm } = ldmNames(layout);
    const ldm = names.map(toLdm).filter((name) => name !== undefined);
    assert.is(new Set(ldm).size, names.length);
    assert.equal(layoutOfLdm(ldm, 'm'), layout);
    assert.equal(ldm.map(toDiffusers), names);
  }
});

test('a name of no module has no other name', () => {
  const { toDiffusers, toLdm } = ldmNames({ blocks: 2, layers: 2, upAttention: [true, true] });
  for (const name of ['', 'weight', 'input_blocks.99.0.in_layers.0.weight', 'input_blocks.1.0.in_layers.9.weight']) {
    assert.is(toDiffusers(name), undefined, name);
  }
  for (const name of ['down_blocks.2.resnets.0.norm1.weight', 'down_blocks.0.resnets.0.norm11.weight', 'conv_in']) {
    assert.is(toLdm(name), undefined, name);
  }
});

test('refuses blocks that are not regular', () => {
  const { tensors } = readJson<FamilyFile>('families/sdxl.json');
  const ldm = Object.values(tensors).map((tensor) => tensor.ldm);
  const without = (start: string) => ldm.filter((name) => !name.startsWith(start));
  const irregular = [
    without('input_blocks.3.0.op'),
    without('input_blocks.8.'),
    without('output_blocks.8.'),
    ['out.0.a'],
  ];
  for (const names of irregular) {
    const { message } = thrown(() => layoutOfLdm(names, 'm.safetensors'));
    assert.match(message, /^m.safetensors: has \d+ input_blocks with downsamplers at .* which is not a regular UNet/);
  }
  assert.match(thrown(() => layoutOfDiffusers(['conv_in.weight'], 'm')).message, /no down_blocks/);
});

test.run();
