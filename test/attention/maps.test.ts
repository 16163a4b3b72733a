import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locate, surveyGraph } from '../../src/attention/index.ts';
import { attr, type Endpoint, recordedPasses } from '../../src/graph/index.ts';
import { slothful } from '../../src/passes/index.ts';
import { registerSlothfulOps } from '../../src/runtime/index.ts';
import { useBackend } from '../support/backend.ts';
import { largestDifference } from '../support/numbers.ts';
import { runGraph } from './artifacts.ts';
import { CONTEXT, pseudoRandom, SIZE, SpellingBuilder } from './spelling-builder.ts';

const test = suite('attentions on maps: windows, rows, reduced keys, shared heads, names');

registerSlothfulOps();

const { channels, rows, columns, tokens } = SIZE;
let seed = 300;
const weight = (b: SpellingBuilder, name: string, shape: readonly number[]) =>
  b.weight(
    name,
    shape,
    pseudoRandom(
      seed++,
      shape.reduce((product, size) => product * size, 1),
    ),
  );

function conv(b: SpellingBuilder, name: string, x: Endpoint, strides = [1, 1]): Endpoint {
  return b.op(name, 'Conv2D', [x, weight(b, `${name}/kernel`, [3, 3, channels, channels])], {
    strides: attr.ints([1, ...strides, 1]),
    dilations: attr.ints([1, 1, 1, 1]),
    padding: attr.string('SAME'),
    data_format: attr.string('NHWC'),
  });
}

/** Queries of some tokens, keys and values of others, all [B, N, C]. */
function attend(
  b: SpellingBuilder,
  name: string,
  x: Endpoint,
  source: Endpoint,
  counts: readonly [number, number],
  keyHeads = 2,
) {
  const project = (part: string, from: Endpoint, count: number, heads: number) => {
    const width = heads * 4;
    const made = b.product(`${name}/${part}/product`, from, weight(b, `${name}/${part}/kernel`, [channels, width]));
    return b.transpose(
      `${name}/${part}/t`,
      b.reshape(`${name}/${part}/heads`, made, [-1, count, heads, 4]),
      [0, 2, 1, 3],
    );
  };
  const shared = (part: string) => {
    const made = project(part, source, counts[1], keyHeads);
    return keyHeads === 2 ? made : b.op(`${name}/${part}/tile`, 'Tile', [made, b.ints([1, 2, 1, 1])]);
  };
  const logits = b.product(`${name}/logits`, project('query', x, counts[0], 2), shared('key'), 'y');
  const sum = b.product(`${name}/sum`, b.softmax(`${name}/softmax`, logits), shared('value'));
  return b.reshape(`${name}/merged`, b.transpose(`${name}/turn`, sum, [0, 2, 1, 3]), [-1, counts[0], channels]);
}

/** One plain self-attention on a map, and after it one over what `cut` makes of the map. */
function withPlain(second: (b: SpellingBuilder, map: Endpoint) => Endpoint) {
  const b = new SpellingBuilder();
  const first = conv(b, 'conv_in', b.sample());
  const plain = attend(
    b,
    'plain',
    b.reshape('flat', first, [-1, tokens, channels]),
    b.reshape('again', first, [-1, tokens, channels]),
    [tokens, tokens],
  );
  const map = conv(b, 'conv_mid', b.reshape('unflat', plain, [-1, rows, columns, channels]));
  const made = second(b, map);
  b.op('out', 'Identity', [b.reshape('back', made, [-1, tokens, channels])]);
  return b.built();
}

const CASES: ReadonlyArray<
  readonly [name: string, build: (b: SpellingBuilder, map: Endpoint) => Endpoint, reason: RegExp]
> = [
  [
    'rows of a map',
    (b, map) => {
      const lines = b.reshape('lines', map, [-1, columns, channels]);
      return attend(b, 'axial', lines, lines, [columns, columns]);
    },
    /6 x 5 tokens attend to each other, of a grid of 2 x 3 x 5: windows or another order of pixels/,
  ],
  [
    'columns of a map',
    (b, map) => {
      const lines = b.reshape('lines', b.transpose('upright', map, [0, 2, 1, 3]), [-1, rows, channels]);
      return attend(b, 'axial', lines, lines, [rows, rows]);
    },
    /10 x 3 tokens attend to each other, of a grid of 2 x 3 x 5/,
  ],
  [
    'keys of a strided convolution',
    (b, map) => {
      const fewer = b.reshape('fewer', conv(b, 'reduce', map, [2, 2]), [-1, 6, channels]);
      return attend(b, 'reduced', b.reshape('whole', map, [-1, tokens, channels]), fewer, [tokens, 6]);
    },
    /keys and values are reduced from the map that the queries are made of, 6 tokens for 15: a reduced self-attention/,
  ],
  [
    'keys of an average',
    (b, map) => {
      const pooled = b.op('pool', 'AvgPool', [map], {
        ksize: attr.ints([1, 3, 1, 1]),
        strides: attr.ints([1, 3, 1, 1]),
        padding: attr.string('VALID'),
        data_format: attr.string('NHWC'),
      });
      return attend(
        b,
        'reduced',
        b.reshape('whole', map, [-1, tokens, channels]),
        b.reshape('fewer', pooled, [-1, 5, channels]),
        [tokens, 5],
      );
    },
    /5 tokens for 15: a reduced self-attention/,
  ],
  [
    'keys and values of one head for two',
    (b, map) => {
      const whole = b.reshape('whole', map, [-1, tokens, channels]);
      return attend(b, 'shared', whole, whole, [tokens, tokens], 1);
    },
    /repeated \(Tile\): several heads share them, as in grouped-query or multi-query attention/,
  ],
];

for (const [name, build, reason] of CASES) {
  test(`${name}: refused with the reason; the plain attention before it is rewritten`, async () => {
    await useBackend('cpu');
    const { graph, weights } = withPlain(build);
    const { sites, rejections } = locate(graph);
    assert.equal([sites.length, rejections.length], [1, 1]);
    assert.match(rejections[0]?.reason ?? '', reason);
    const before = await runGraph(graph, weights);
    await graph.transform(slothful());
    assert.is([...graph.nodes].filter(({ op }) => op === 'SlothfulAttention').length, 1);
    assert.match(JSON.stringify(recordedPasses(graph).find((pass) => pass.name === 'attention')?.result), reason);
    assert.ok(largestDifference(await runGraph(graph, weights), before) < 1e-5);
  });
}

test('a text laid out [B, C, T], turned for keys and values each, is a context', async () => {
  const b = new SpellingBuilder();
  const x = b.tokens(b.sample());
  const text = b.placeholder('context', [-1, CONTEXT.tokens, CONTEXT.channels]);
  const turned = b.transpose('text', text, [0, 2, 1]);
  const project = (part: string, from: Endpoint, width: number, count: number) => {
    const made = b.product(`${part}/product`, from, weight(b, `${part}/kernel`, [width, channels]));
    return b.transpose(`${part}/t`, b.split(`${part}/heads`, made, count), [0, 2, 1, 3]);
  };
  const read = (part: string) =>
    project(part, b.transpose(`${part}/turn`, turned, [0, 2, 1]), CONTEXT.channels, CONTEXT.tokens);
  const logits = b.product('logits', project('query', x, channels, tokens), read('key'), 'y');
  const sum = b.product('sum', b.softmax('softmax', logits), read('value'));
  const { graph } = b.finish(b.reshape('merged', b.transpose('turn', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
  const { sites } = locate(graph);
  assert.equal(
    sites.map(({ kind, contextChannels }) => [kind, contextChannels]),
    [['cross', CONTEXT.channels]],
  );
});

test('attentions that share a scope are called by their softmaxes; a bias behind a reshape counts', () => {
  const b = new SpellingBuilder();
  let map = conv(b, 'm/conv', b.sample());
  for (const name of ['m/a', 'm/b']) {
    const flat = b.reshape(`${name}/flat`, map, [-1, tokens, channels]);
    const merged = attend(b, name, flat, flat, [tokens, tokens]);
    const out = b.product(`${name}/out`, merged, weight(b, `${name}/out/kernel`, [channels, channels]));
    const bias = weight(b, `${name}/out/bias`, [channels]);
    map = b.op(`${name}/biased`, 'BiasAdd', [b.reshape(`${name}/back`, out, [-1, rows, columns, channels]), bias]);
  }
  b.op('out', 'Identity', [map]);
  const { sites } = surveyGraph(b.built().graph);
  assert.equal(
    sites.map(({ exporterName }) => exporterName),
    ['m/a', 'm/b'],
  );
  assert.equal(
    sites.map(({ out }) => out?.bias?.node),
    ['m/a/out/bias', 'm/b/out/bias'],
  );
});

test.run();
