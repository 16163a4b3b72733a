import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, Graph } from '../../src/graph/index.ts';
import { type RunSize, resolveSize } from '../../src/reports/size.ts';
import { failsWith } from '../support/errors.ts';
import { goldenGraph } from '../support/golden-graph.ts';

const test = suite('sizes at which a model is looked at');

const graph = goldenGraph('sd15');

const REFUSED: readonly (readonly [asked: Partial<RunSize>, message: RegExp])[] = [
  [{ batch: 0 }, /size \(batch\): must be a whole number from 1 to 65536, got 0/],
  [{ rows: 0.5 }, /size \(rows\): must be a whole number/],
  [{ contextTokens: Number.NaN }, /size \(contextTokens\): must be a whole number .* got NaN/],
  [
    { rows: 8192, columns: 8192 },
    /^size: a sample of 8192 x 8192 has 67108864 pixels, at most 16777216 can be; ask for/,
  ],
];
for (const [asked, message] of REFUSED) {
  test(`refuses ${JSON.stringify(asked)}`, () => failsWith('bad-input', message, () => resolveSize(graph, asked)));
}

test('takes what is large and can be', () => {
  assert.is(resolveSize(graph, { rows: 4096, columns: 4096 }).size.rows, 4096);
});

test('what a graph or its metadata fix is a size too', async () => {
  const fixed = Graph.create();
  const attributes = { dtype: attr.type('float32'), shape: attr.shape([0, 8, 8, 4]) };
  fixed.add({ name: 'sample', op: 'Placeholder', attributes });
  await failsWith('bad-input', /size \(batch\): must be .* got 0/, () => resolveSize(fixed));
  const claimed = goldenGraph('sd15');
  claimed.setMetadata({ unet: { sample_size: 1e9 } });
  await failsWith('bad-input', /size \(rows\): must be .* got 1000000000/, () => resolveSize(claimed));
});

test.run();
