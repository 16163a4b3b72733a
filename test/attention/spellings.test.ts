import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locate } from '../../src/attention/index.ts';
import { useBackend } from '../support/backend.ts';
import { plainAttention, plainProjection } from '../support/plain-attention.ts';
import { FEEDS, runGraph } from './artifacts.ts';
import { BIASES, CONTEXT, MATRICES, SIZE } from './spelling-builder.ts';
import { SPELLINGS, type Spelling } from './spellings.ts';
import { withoutValues } from './without-values.ts';

const test = suite('spellings of attention');

const { batch, heads, headDim: width, channels, tokens } = SIZE;

/** What a spelling must compute, by the definition. */
function expected({ kind, bias }: Spelling): Float64Array {
  const isCross = kind === 'cross';
  const source = isCross ? FEEDS.context : FEEDS.sample;
  const sourceChannels = isCross ? CONTEXT.channels : channels;
  const [key, value] = isCross ? [MATRICES.contextKey, MATRICES.contextValue] : [MATRICES.key, MATRICES.value];
  const of = (name: 'query' | 'key' | 'value') => (bias ? BIASES[name] : undefined);
  const q = plainProjection(FEEDS.sample, MATRICES.query, channels, of('query'));
  const k = plainProjection(source, key, sourceChannels, of('key'));
  const v = plainProjection(source, value, sourceChannels, of('value'));
  const keys = isCross ? CONTEXT.tokens : tokens;
  const merged = plainAttention(q, k, v, { batch, heads, queries: tokens, keys, width }, width ** -0.5);
  return plainProjection(merged, MATRICES.out, channels);
}

test.before(async () => {
  await useBackend('cpu');
});

test('there are at least eight, with names of their own', () => {
  assert.ok(SPELLINGS.length >= 8);
  assert.is(new Set(SPELLINGS.map(({ name }) => name)).size, SPELLINGS.length);
});

for (const spelling of SPELLINGS) {
  test(`${spelling.name}: is the attention that it claims to be`, async () => {
    const { graph, weights } = spelling.build();
    const values = await runGraph(graph, weights);
    const wanted = expected(spelling);
    assert.is(values.length, wanted.length);
    const worst = Math.max(...values.map((value, index) => Math.abs(value - (wanted[index] ?? NaN))));
    assert.ok(worst < 1e-5, `differs by ${worst}`);
  });

  test(`${spelling.name}: is located`, () => {
    const { graph } = spelling.build();
    const { sites, rejections } = locate(graph);
    assert.equal(rejections, []);
    assert.is(sites.length, 1);
    const [site] = sites;
    assert.is(site?.kind, spelling.kind);
    assert.is(site?.hiddenForm, spelling.hiddenForm);
    assert.is(site?.outputForm, spelling.outputForm);
    assert.is(site?.heads, heads);
    assert.is(site?.headDim, width);
    assert.is(site?.channels, channels);
    assert.is(site?.contextChannels, spelling.kind === 'cross' ? CONTEXT.channels : channels);
    assert.ok(Math.abs((site?.scale ?? NaN) - (spelling.scale ?? width ** -0.5)) < 1e-7, `scale ${site?.scale}`);
    assert.is(site?.unknown, undefined);
    assert.is(site?.query.bias !== undefined, spelling.bias === true);
    assert.is(site?.value.bias !== undefined, spelling.bias === true);
    assert.is(site?.level, 0);
  });

  test(`${spelling.name}: its grid has the pixels of the sample`, () => {
    const { graph } = spelling.build();
    const grid = locate(graph).sites[0]?.grid?.node;
    assert.ok(grid === 'sample' || grid === 'image', `grid ${grid}`);
  });

  test(`${spelling.name}: is located without the values of constants`, () => {
    const graph = withoutValues(spelling.build().graph);
    const { sites, rejections } = locate(graph);
    if (spelling.needsValues) {
      assert.match(rejections[0]?.reason ?? '', spelling.needsValues);
      return;
    }
    assert.equal(rejections, []);
    assert.is(sites[0]?.kind, spelling.kind);
    const isApart = spelling.outputForm === 'heads';
    assert.is(sites[0]?.heads, isApart ? heads : undefined);
    assert.ok(sites[0]?.unknown, 'says what is not known');
    const known = locate(spelling.build().graph).sites[0];
    assert.equal([sites[0]?.query, sites[0]?.key], [known?.query, known?.key], 'queries and keys by their names');
    assert.equal(sites[0]?.grid, spelling.hiddenForm === 'grid' ? sites[0]?.hiddenStates : undefined);
    assert.is(sites[0]?.output.node, locate(spelling.build().graph).sites[0]?.output.node);
    assert.is(sites[0]?.channels, channels);
  });

  test(`${spelling.name}: its near miss runs`, async () => {
    const { graph, weights } = spelling.build('miss');
    const values = await runGraph(graph, weights);
    assert.is(values.length, batch * tokens * channels);
    assert.ok(values.every(Number.isFinite));
  });

  test(`${spelling.name}: its near miss is rejected (${spelling.miss.about})`, () => {
    const { sites, rejections } = locate(spelling.build('miss').graph);
    assert.equal(
      sites.map(({ id }) => id),
      [],
    );
    assert.is(rejections.length, 1);
    assert.match(rejections[0]?.reason ?? '', spelling.miss.reason);
    assert.is(rejections[0]?.node, spelling.miss.node);
    assert.is(rejections[0]?.reached, spelling.miss.reached);
  });
}

test.run();
