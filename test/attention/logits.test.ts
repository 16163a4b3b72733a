import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locate } from '../../src/attention/index.ts';
import { attr, type Endpoint } from '../../src/graph/index.ts';
import { slothful } from '../../src/passes/index.ts';
import { registerSlothfulOps } from '../../src/runtime/index.ts';
import { useBackend } from '../support/backend.ts';
import { largestDifference } from '../support/numbers.ts';
import { runGraph } from './artifacts.ts';
import { type Built, MATRICES, SIZE, SpellingBuilder } from './spelling-builder.ts';
import { withoutValues } from './without-values.ts';

const test = suite('from the logits to the probabilities');

registerSlothfulOps();

const { channels, tokens, heads, headDim, rows, columns } = SIZE;
type Softmax = (b: SpellingBuilder, logits: Endpoint) => Endpoint;

/** An attention of tokens, and what it makes of its logits. */
function attention(softmax: Softmax): Built {
  const b = new SpellingBuilder();
  const x = b.tokens(b.sample());
  const project = (name: 'query' | 'key' | 'value') =>
    b.transpose(`${name}/t`, b.split(`${name}/heads`, b.dense(name, x, MATRICES[name])), [0, 2, 1, 3]);
  const logits = b.product('logits', project('query'), project('key'), 'y');
  const sum = b.product('sum', softmax(b, logits), project('value'));
  return b.finish(b.reshape('merged', b.transpose('turn', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
}

const keep = { keep_dims: attr.bool(true) };
const reduce = (b: SpellingBuilder, name: string, op: string, x: Endpoint, axes = [-1], attributes = keep) =>
  b.op(name, op, [x, b.ints(axes)], attributes);
const shifted =
  (op: string, shape: readonly number[], value: (index: number) => number): Softmax =>
  (b, x) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const constant = b.weight(
      'shift',
      shape,
      Float32Array.from({ length: count }, (_, index) => value(index)),
    );
    return b.softmax('softmax', b.op('shifted', op, [x, constant]));
  };
const logSumExp = (b: SpellingBuilder, x: Endpoint, inner = x) => {
  const max = reduce(b, 'max', 'Max', x);
  const exps = b.op('inner_exp', 'Exp', [b.op('below', 'Sub', [inner, b.op('stop', 'StopGradient', [max])])]);
  return b.op('lse', 'AddV2', [b.op('log', 'Log', [reduce(b, 'total', 'Sum', exps)]), max]);
};
const stable = (b: SpellingBuilder, x: Endpoint) =>
  b.op('exp', 'Exp', [b.op('below', 'Sub', [x, reduce(b, 'max', 'Max', x)])]);

const SAME: Readonly<Record<string, Softmax>> = {
  'one number added': shifted('AddV2', [], () => 1e-9),
  'one number subtracted': shifted('Sub', [1, 1, 1, 1], () => 3),
  'a number for each query': shifted('Add', [tokens, 1], (index) => index),
  'one number, cast': (b, x) => {
    const cast = b.op('cast', 'Cast', [b.float(0.5)], { DstT: attr.type('float32') });
    return b.softmax(
      'softmax',
      b.op('back', 'Cast', [b.op('shifted', 'AddV2', [cast, x])], { DstT: attr.type('float32') }),
    );
  },
  'the maximum subtracted': (b, x) => b.softmax('softmax', b.op('below', 'Sub', [x, reduce(b, 'max', 'Max', x)])),
  'Exp / Sum': (b, x) => {
    const exp = b.op('exp', 'Exp', [x]);
    return b.op('softmax', 'RealDiv', [exp, reduce(b, 'total', 'Sum', exp)]);
  },
  'Exp(x - max) DivNoNan Sum, without kept axes': (b, x) => {
    const exp = stable(b, x);
    const total = b.op('wide', 'ExpandDims', [
      reduce(b, 'total', 'Sum', exp, [3], { keep_dims: attr.bool(false) }),
      b.ints([-1], []),
    ]);
    return b.op('softmax', 'DivNoNan', [exp, total]);
  },
  'Exp * Reciprocal(Sum)': (b, x) => {
    const exp = stable(b, x);
    return b.op('softmax', 'Mul', [b.op('inverse', 'Reciprocal', [reduce(b, 'total', 'Sum', exp)]), exp]);
  },
  'Exp(LogSoftmax)': (b, x) => b.op('softmax', 'Exp', [b.op('log_softmax', 'LogSoftmax', [x])]),
  'Exp(x - LogSumExp)': (b, x) => b.op('softmax', 'Exp', [b.op('normal', 'Sub', [x, logSumExp(b, x)])]),
  'Exp(x - max - log(sum))': (b, x) => {
    const below = b.op('below', 'Sub', [x, reduce(b, 'max', 'Max', x)]);
    const log = b.op('log', 'Log', [reduce(b, 'total', 'Sum', b.op('inner_exp', 'Exp', [below]))]);
    return b.op('softmax', 'Exp', [b.op('normal', 'Sub', [below, log])]);
  },
};

const OTHER: ReadonlyArray<readonly [name: string, softmax: Softmax, reason: RegExp]> = [
  [
    'a number for each key',
    shifted('AddV2', [tokens], (index) => -index),
    /a mask or a bias is added to the logits \(AddV2\)/,
  ],
  [
    'a number for each key, subtracted',
    shifted('Sub', [1, tokens], (index) => index),
    /a mask or a position bias is added to the logits \(Sub\)/,
  ],
  ['a mask', shifted('AddV2', [tokens, tokens], (index) => (index % 16 ? -9 : 0)), /a mask or a bias/],
  [
    'a sum over the queries',
    (b, x) => {
      const exp = b.op('exp', 'Exp', [x]);
      return b.op('softmax', 'RealDiv', [exp, reduce(b, 'total', 'Sum', exp, [-2])]);
    },
    /does not sum over all keys|not over all keys/,
  ],
  [
    'a sum with something added',
    (b, x) => {
      const exp = b.op('exp', 'Exp', [x]);
      return b.op('softmax', 'RealDiv', [exp, b.op('more', 'AddV2', [reduce(b, 'total', 'Sum', exp), b.float(1)])]);
    },
    /the exponentials of the logits are not divided by their sum over the keys/,
  ],
  ['no sum at all', (b, x) => b.op('softmax', 'Exp', [x]), /the exponentials of the logits are not divided/],
  [
    'LogSumExp of other logits',
    (b, x) => {
      const half = b.op('half', 'Mul', [x, b.float(0.5)]);
      return b.op('softmax', 'Exp', [b.op('normal', 'Sub', [x, logSumExp(b, x, half)])]);
    },
    /the exponentials of the logits are not divided/,
  ],
];

for (const [name, softmax] of Object.entries(SAME)) {
  test(`${name}: is an attention, rewritten with the same numbers`, async () => {
    await useBackend('cpu');
    const { graph, weights } = attention(softmax);
    const { sites, rejections } = locate(graph);
    assert.equal(rejections, []);
    assert.equal(
      sites.map((site) => [site.kind, site.heads, site.headDim, site.scale]),
      [['self', heads, headDim, 1]],
    );
    const before = await runGraph(graph, weights);
    await graph.transform(slothful());
    assert.not.ok([...graph.nodes].some(({ op }) => op === 'Softmax' || op === 'Exp'));
    assert.ok(largestDifference(await runGraph(graph, weights), before) < 1e-5);
  });

  test(`${name}: without the values of constants it is located, or not known`, () => {
    const { sites, rejections } = locate(withoutValues(attention(softmax).graph));
    assert.is(sites.length + rejections.length, 1);
    if (rejections[0]) assert.match(rejections[0].reason, /not known without the weights|are not in the document/);
  });
}

for (const [name, softmax, reason] of OTHER) {
  test(`${name}: is refused`, () => {
    const { sites, rejections } = locate(attention(softmax).graph);
    assert.is(sites.length, 0);
    assert.ok(rejections.length > 0);
    assert.match(rejections.at(-1)?.reason ?? '', reason);
  });
}

/** Keras' MultiHeadAttention(attention_axes=(1, 2)): tokens of two axes, and a softmax over both. */
function overTwoAxes(axes: readonly number[]): Built {
  const b = new SpellingBuilder();
  const x = b.sample();
  const project = (name: 'query' | 'key' | 'value') =>
    b.einsum(
      `${name}/einsum`,
      'abcd,def->abcef',
      x,
      b.weight(`${name}/kernel`, [channels, heads, headDim], MATRICES[name]),
    );
  const logits = b.einsum('logits', 'afgde,abcde->adbcfg', project('key'), project('query'));
  const exp = b.op('exp', 'Exp', [b.op('below', 'Sub', [logits, reduce(b, 'max', 'Max', logits, [...axes])])]);
  const softmax = b.op('softmax', 'RealDiv', [exp, reduce(b, 'total', 'Sum', exp, [...axes])]);
  const sum = b.einsum('sum', 'adbcfg,afgde->abcde', softmax, project('value'));
  const kernel = b.weight('out/kernel', [heads, headDim, channels], MATRICES.out);
  b.op('out', 'Identity', [b.einsum('out/einsum', 'abcde,def->abcf', sum, kernel)]);
  return b.built();
}

test('a softmax over two axes of a map', async () => {
  const { graph, weights } = overTwoAxes([-2, -1]);
  const [site] = locate(graph).sites;
  assert.equal([site?.outputForm, site?.heads, site?.grid?.node], ['grid-heads', heads, 'sample']);
  const before = await runGraph(graph, weights);
  await graph.transform(slothful());
  assert.ok(largestDifference(await runGraph(graph, weights), before) < 1e-5);
});

test('a softmax over the columns of a map alone is another thing', () => {
  const { sites, rejections } = locate(overTwoAxes([-1]).graph);
  assert.equal([sites.length, rejections.length], [0, 1]);
  assert.match(rejections[0]?.reason ?? '', /the softmax is not over all keys of one query/);
  assert.ok(rows > 1 && columns > 1);
});

test.run();
