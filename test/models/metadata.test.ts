import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { unetField } from '../../src/models/index.ts';
import { resolveSize } from '../../src/reports/size.ts';
import { goldenGraph } from '../support/golden-graph.ts';

const test = suite("what a model's metadata say of its UNet");

test('conversion writes snake_case keys only', () => {
  const graph = goldenGraph('sdxl');
  const keys: string[] = [];
  // The scheduler's keys are diffusers' own, and are snake_case too.
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === 'object' && value !== null) {
      keys.push(...Object.keys(value));
      Object.values(value).forEach(walk);
    }
  };
  walk(graph.metadata);
  assert.ok(keys.includes('sample_size') && keys.includes('text_embed_dim') && keys.includes('heads'));
  assert.equal(
    keys.filter((key) => /[A-Z]/.test(key)),
    [],
  );
});

test('fields are read in the spelling of today and in that of 0.1', () => {
  for (const unet of [
    { sample_size: 48, context_dim: 24 },
    { sampleSize: 48, contextDim: 24 },
  ]) {
    assert.is(unetField({ unet }, 'sample_size'), 48);
    assert.is(unetField({ unet }, 'context_dim'), 24);
    assert.is(unetField({ unet }, 'norm_groups'), undefined);
    const graph = goldenGraph('sd15');
    graph.setMetadata({ ...graph.metadata, unet });
    assert.is(resolveSize(graph).size.rows, 48);
  }
  for (const metadata of [{}, { unet: null }, { unet: 'sd15' }, { unet: [1] }]) {
    assert.is(unetField(metadata, 'sample_size'), undefined);
  }
});

test.run();
