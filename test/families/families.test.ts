import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseUNetConfig } from '../../converters/unet/index.ts';
import { readFamily } from '../../scripts/checkpoint/family.ts';
import { additionWidth, FAMILIES, FAMILY_NAMES, familyOf, familyOrUsual } from '../../src/families/index.ts';
import { makeScheduler, parseSchedulerConfig } from '../../src/sampling/index.ts';
import { failsWith } from '../support/errors.ts';
import { unetGoldens } from '../support/unet-goldens.ts';

const test = suite('families');

for (const family of FAMILIES) {
  const { name } = family;

  test(`${name}: the config of the real model is told to be of it, and says what it declares`, async () => {
    const { config } = await readFamily(name);
    const unet = parseUNetConfig(config);
    assert.is(unet.family, name);
    assert.is(unet.contextDim, family.contextDim);
    assert.is(unet.linearProjection, family.linearProjection);
    assert.equal(unet.addition, family.addition);
    assert.is(unet.sampleSize, family.sampleSize);
    const attending = unet.down.filter(({ depths }) => depths.some((depth) => depth > 0));
    const { heads } = family;
    assert.equal(
      attending.map((block) => ('count' in heads ? block.heads : block.width / block.heads)),
      attending.map(() => ('count' in heads ? heads.count : heads.width)),
    );
  });

  test(`${name}: its self-attentions are those of the real model`, async () => {
    const { down, mid, up } = parseUNetConfig((await readFamily(name)).config);
    const count = (blocks: typeof down) =>
      blocks.flatMap(({ depths }) => depths).reduce((sum, depth) => sum + depth, 0);
    assert.equal(family.selfAttentions, { input: count(down), middle: mid?.depth ?? 0, output: count(up) });
  });

  test(`${name}: a model of other numbers is of it, by the same marks`, () => {
    assert.is(parseUNetConfig(unetGoldens(name).config).family, name);
  });

  test(`${name}: samplers take the scheduler that it ships with`, () => {
    const { config, notes } = parseSchedulerConfig(family.scheduler, name);
    assert.equal(notes, []);
    assert.is(makeScheduler(config, 20).timesteps.length, 20);
  });

  test(`${name}: its previews have three colours of four channels`, () => {
    const { factors, biases } = family.latentColours;
    assert.equal([factors.length, biases.length], [3, 3]);
    assert.ok(factors.every((row) => row.length === 4 && row.every(Number.isFinite)));
  });
}

test('names, and what graphs are recognised by, are of one family each', () => {
  assert.is(new Set(FAMILY_NAMES).size, FAMILIES.length);
  assert.is(new Set(FAMILIES.map(({ selfAttentions }) => JSON.stringify(selfAttentions))).size, FAMILIES.length);
});

test('what names no family is taken for the usual one', () => {
  assert.equal(
    FAMILY_NAMES.map((name) => familyOrUsual(name).name),
    FAMILY_NAMES,
  );
  for (const other of [undefined, null, 'flux', 'constructor', 5]) assert.is(familyOrUsual(other).name, 'sdxl');
});

test('a UNet that no family describes is refused by name', async () => {
  const traits = { inChannels: 4, contextDim: 768, linearProjection: false, down: [], addition: null };
  assert.is(familyOf({ ...traits, mid: { depth: 1 } }, 'config.json').name, 'sd15');
  const strange = { ...traits, mid: { depth: Number.NaN }, addition: { timeEmbedDim: 256, textEmbedDim: 1280 } };
  await failsWith('unsupported', /is of no known family, which are SD1\.5, SDXL and SSD-1B/, () =>
    familyOf(strange, 'c.json'),
  );
});

test("the width of SDXL's added embedding is that of its text and six sizes", () => {
  assert.is(additionWidth({ timeEmbedDim: 256, textEmbedDim: 1280 }), 2816);
});

test.run();
