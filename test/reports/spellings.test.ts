import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slothful } from '../../src/passes/index.ts';
import { parseParameters } from '../../src/passes/slothful/index.ts';
import { drawSites, inspectGraph, planGraph } from '../../src/reports/index.ts';
import { SIZE } from '../attention/spelling-builder.ts';
import { SPELLINGS } from '../attention/spellings.ts';
import { withoutValues } from '../attention/without-values.ts';

const test = suite('reports of every spelling of attention');

const { batch, heads, headDim, channels, tokens, rows, columns } = SIZE;
const size = { batch, rows, columns };
const schedule = { name: 'one step', steps: [{ timestep: 999, sigma: 14.6 }], notes: [] };

for (const spelling of SPELLINGS) {
  test(`${spelling.name}: all that it computes and all its weights are the attention, plain and patched`, async () => {
    const { graph } = spelling.build();
    const plain = inspectGraph(graph, { size });
    const [site] = plain.sites;
    assert.equal([plain.sites.length, plain.rejections], [1, []]);
    assert.equal([site?.heads, site?.head_dim, site?.channels, site?.tokens], [heads, headDim, channels, tokens]);
    assert.ok(plain.totals.flops > 0);
    assert.is(site?.flops, plain.totals.flops, 'by the formula and by the ops');
    assert.is(site?.parameters, plain.weights.parameters);
    if (spelling.kind === 'cross') return;
    const patched = inspectGraph(await graph.clone().transform(slothful()), { size });
    const { node: _, patched: isPatched, stages, ...same } = patched.sites[0] ?? {};
    const { node: __, patched: ___, stages: ____, ...before } = site ?? {};
    assert.equal([isPatched, stages], [true, ['slothful']]);
    assert.equal({ ...same, exporter_name: undefined }, { ...before, exporter_name: undefined });
    assert.is(patched.totals.flops, plain.totals.flops);
  });

  test(`${spelling.name}: can be drawn, from its inputs to its output projection`, () => {
    const { graph } = spelling.build();
    const [drawing] = drawSites([{ graph, label: 'x' }], inspectGraph(graph, { size }).sites[0]?.id ?? '', size);
    const roles = new Map(drawing?.nodes.map(({ name, role }) => [name, role]));
    const count = (role: string) => [...roles.values()].filter((each) => each === role).length;
    assert.is(count('after'), 1);
    assert.ok(count('input') >= (spelling.kind === 'cross' ? 2 : 1), 'hidden states, and the context of a cross one');
    assert.ok(count('weight') >= (spelling.weights ?? 4));
    assert.ok([...roles.keys()].some((name) => graph.node(name)?.op === 'Softmax'));
  });

  test(`${spelling.name}: a lone model.json without the values of constants gives numbers or a reason, no guess`, () => {
    const report = inspectGraph(withoutValues(spelling.build().graph), { size });
    for (const { heads: count, tokens: queries, logits_bytes, unknown } of report.sites) {
      assert.ok(unknown !== null || (count === heads && queries === tokens));
      assert.ok(
        logits_bytes === null || logits_bytes === 4 * batch * heads * tokens * (report.sites[0]?.kv_tokens ?? 0),
      );
    }
    assert.is(report.sites.length + report.rejections.length, 1);
  });

  if (spelling.kind === 'self') {
    test(`${spelling.name}: can be planned`, () => {
      const parameters = parseParameters({ keep_middle: false });
      const { sites } = planGraph(spelling.build().graph, { schedule, size, parameters });
      assert.equal([sites.length, sites[0]?.tokens], [1, tokens]);
      assert.ok((sites[0]?.steps[0]?.kv_tokens ?? tokens) < tokens);
    });
  }
}

test.run();
