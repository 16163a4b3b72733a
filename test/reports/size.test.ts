import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, Graph } from '../../src/graph/index.ts';
import { assumedSizes, lookSize, type RunSize, resolveSize } from '../../src/reports/size.ts';
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

type Spec = readonly [name: string, shape: number[], dtype?: 'float32' | 'int32'];

function graphWith(...inputs: Spec[]): Graph {
  const made = Graph.create();
  for (const [name, shape, dtype = 'float32'] of inputs) {
    made.add({ name, op: 'Placeholder', attributes: { dtype: attr.type(dtype), shape: attr.shape(shape) } });
  }
  return made;
}

const LATENT: Spec = ['sample', [-1, -1, -1, 4]];
const TEXT: Spec = ['context', [-1, -1, 768]];

const LOOKS: Readonly<Record<string, readonly [inputs: Spec[], asked: Partial<RunSize>, size: object]>> = {
  'latents and text': [[LATENT, TEXT], {}, { rows: 64, columns: 64, context_tokens: 77, pixels: square(512) }],
  'latents alone': [
    [LATENT],
    { rows: 8, columns: 8 },
    { rows: 8, columns: 8, context_tokens: null, pixels: square(64) },
  ],
  'a picture in colours': [
    [['x', [1, 16, 16, 3]]],
    {},
    { rows: 16, columns: 16, context_tokens: null, pixels: square(16) },
  ],
  'a grey picture': [[['x', [1, 28, 28, 1]]], {}, { rows: 28, columns: 28, context_tokens: null, pixels: square(28) }],
  'a picture with its channels first': [
    [['x', [1, 3, 32, 32]]],
    {},
    { rows: 32, columns: 32, context_tokens: null, pixels: square(32) },
  ],
  'latents for inpainting': [
    [['x', [1, 8, 8, 9]]],
    {},
    { rows: 8, columns: 8, context_tokens: null, pixels: square(64) },
  ],
  'ids of a fixed text': [
    [['input_ids', [1, 16], 'int32']],
    {},
    { rows: null, columns: null, context_tokens: null, pixels: null },
  ],
  'ids of any text': [
    [['input_ids', [1, -1], 'int32']],
    { contextTokens: 20 },
    { rows: null, columns: null, context_tokens: 20, pixels: null },
  ],
  'text with a mask of its attentions': [
    [TEXT, ['attention_mask', [-1, 1, 1, -1]]],
    {},
    { rows: null, columns: null, context_tokens: 77, pixels: null },
  ],
};

function square(side: number): object {
  return { width: side, height: side };
}

for (const [what, [inputs, asked, size]] of Object.entries(LOOKS)) {
  test(`the size of ${what}`, () => {
    const made = graphWith(...inputs);
    assert.equal(lookSize(made, resolveSize(made, asked).size), { batch: 1, ...size });
  });
}

test('what nobody said is told as assumed, with the option that says it', () => {
  const open = graphWith(LATENT, TEXT);
  const notes = assumedSizes(open);
  assert.match(
    notes[0] ?? '',
    /^it takes pictures of any size; 64 x 64 is assumed \(--size or --latent gives another\)$/,
  );
  assert.match(
    notes[1] ?? '',
    /^it takes text of any length; 77 tokens are assumed \(--context-tokens gives others\)$/,
  );
  assert.equal(assumedSizes(open, { rows: 8, columns: 8, contextTokens: 5 }), []);
  assert.equal(assumedSizes(graphWith(['x', [1, 16, 16, 3]])), []);
  assert.equal(assumedSizes(goldenGraph('sd15')), [], 'its metadata say');
});

const FIXED = graphWith(['sample', [2, 8, 16, 4]], ['context', [2, 77, 8]]);
const UNFIT: readonly (readonly [asked: Partial<RunSize>, message: RegExp, graph?: Graph])[] = [
  [{ rows: 4, columns: 4 }, /^size: the model takes 8 x 16 only, not 4 x 4; .*ask for --size 128x64 or --latent 8x16$/],
  [{ batch: 1 }, /takes 2 only, not 1; .*ask for --batch 2$/],
  [{ contextTokens: 5 }, /takes 77 only, not 5; .*ask for --context-tokens 77$/],
  [{ rows: 2, columns: 2 }, /takes 16 x 16 only, not 2 x 2; .*ask for --size 16x16$/, graphWith(['x', [1, 16, 16, 3]])],
  [{ rows: 32, columns: 1 }, /takes 64 x 64 only, not 32 x 1; .*--latent 64x64$/, graphWith(['x', [1, 4, 64, 64]])],
];
for (const [asked, message, of = FIXED] of UNFIT) {
  test(`a refusal of ${JSON.stringify(asked)} names the option and what fits`, () =>
    failsWith('bad-input', message, () => resolveSize(of, asked)));
}

test.run();
