import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type SurveyedSite, surveyGraph } from '../../src/attention/index.ts';
import { inferShapes } from '../../src/graph/index.ts';
import { attentionNodes } from '../../src/passes/index.ts';
import { attentionFlops, logitsBytes, siteTokens, siteWeights, siteWidths } from '../../src/reports/site-cost.ts';
import { SIZE } from '../attention/spelling-builder.ts';
import { SPELLINGS } from '../attention/spellings.ts';

const test = suite('what an attention costs');

const { batch, rows, columns, tokens, channels } = SIZE;
const SAMPLE = { sample: [batch, rows, columns, channels] };
const INPUTS = { self: SAMPLE, cross: { ...SAMPLE, context: [batch, 7, 6] } };

/** PyTorch's `torch.utils.flop_counter` of four projections and two batched products, a batch of 2. */
const FLOPS = { self: 29_760, cross: 17_088 } as const;

function only(sites: readonly SurveyedSite[]): SurveyedSite {
  const [site, ...others] = sites;
  if (!site || others.length) throw new Error(`${sites.length} attentions in a spelling of one`);
  return site;
}

for (const spelling of SPELLINGS) {
  // A cross-attention is made a node only beside a self-attention.
  for (const as of spelling.kind === 'self' ? ['as it is spelled', 'as a node'] : ['as it is spelled']) {
    test(`${spelling.name}, ${as}: tokens, widths, FLOPs and weights`, async () => {
      const { graph } = spelling.build();
      if (as === 'as a node') await graph.transform(attentionNodes());
      const site = only(surveyGraph(graph).sites);
      const { kind } = spelling;
      const contextTokens = kind === 'self' ? tokens : 7;
      const of = siteTokens(site, inferShapes(graph, INPUTS[kind]), batch);
      assert.equal([of.tokens, of.contextTokens, of.reason], [tokens, contextTokens, undefined]);
      assert.equal(of.grid, [rows, columns]);
      const byShape = siteTokens({ ...site, grid: undefined }, inferShapes(graph, INPUTS[kind]), batch);
      assert.equal([byShape.grid, byShape.tokens, byShape.contextTokens], [undefined, tokens, contextTokens]);
      const widths = siteWidths(graph, site);
      const context = kind === 'self' ? channels : 6;
      assert.equal(widths, { hidden: channels, context, query: channels, value: channels, out: channels });
      assert.is(attentionFlops(widths, tokens, contextTokens, batch), FLOPS[kind]);
      // A bias each for queries, keys and values where the spelling has them, and a weight for these and the output.
      assert.is(siteWeights(site).length, spelling.bias ? 7 : 4);
      // Projections that are cut from one product share theirs.
      const isFused = spelling.weights !== undefined;
      assert.is(new Set(siteWeights(site)).size < siteWeights(site).length, isFused);
      for (const name of siteWeights(site)) assert.is(graph.node(name)?.op, 'Const', name);
    });
  }
}

test('a site without an output projection has no width and no weights for it', () => {
  const { graph } = SPELLINGS[0]?.build() ?? {};
  if (!graph) throw new Error('no spelling');
  const site = { ...only(surveyGraph(graph).sites), out: undefined };
  assert.is(siteWidths(graph, site).out, 0);
  assert.is(siteWeights(site).length, 3);
});

test('tokens that the shapes do not tell: none, and why', () => {
  const { graph } = SPELLINGS.find(({ kind }) => kind === 'cross')?.build() ?? {};
  if (!graph) throw new Error('no spelling');
  const site = only(surveyGraph(graph).sites);
  const unknown = { node: 'nowhere', output: 0 };
  const shapes = inferShapes(graph, INPUTS.cross);
  const without = siteTokens({ ...site, context: unknown }, shapes, batch);
  assert.equal([without.tokens, without.contextTokens], [tokens, undefined]);
  assert.is(without.reason, shapes.reason(unknown));
  const neither = siteTokens({ ...site, hiddenStates: unknown, grid: undefined }, shapes, batch);
  assert.equal([neither.grid, neither.tokens, neither.contextTokens], [undefined, undefined, 7]);
  assert.is(neither.reason, shapes.reason(unknown));
  const ungrounded = { from: 'tensor', endpoint: unknown } as const;
  assert.is(siteTokens({ ...site, grid: ungrounded }, shapes, batch).grid, undefined);
  // A matrix has rows where a grid has its second size, and no columns.
  const matrix = { from: 'tensor', endpoint: site.query.weight } as const;
  assert.is(siteTokens({ ...site, grid: matrix }, shapes, batch).grid, undefined);
});

test('FLOPs of widths that all differ, with an output projection and without', () => {
  const widths = { hidden: 3, context: 5, query: 7, value: 11, out: 13 };
  assert.is(attentionFlops(widths, 17, 19, 2), 41_248);
  assert.is(attentionFlops({ ...widths, out: 0 }, 17, 19, 2), 31_524);
  assert.is(attentionFlops(widths, 17, 19, 6), 3 * 41_248);
});

test('logits: a float32 for every head, query and key of the batch', () => {
  assert.is(logitsBytes(8, 4096, 4096, 2), 2 ** 30);
  assert.is(logitsBytes(3, 5, 7, 2), 840);
});

test.run();
