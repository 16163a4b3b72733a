import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attentionNodes, surveyGraph } from '../../src/attention/index.ts';
import type { Graph } from '../../src/graph/index.ts';
import { diffPage, diffSiteTable, diffSummary } from '../../src/pages/index.ts';
import { slothful } from '../../src/passes/index.ts';
import { comparableWeights, diffGraphs } from '../../src/reports/index.ts';
import { goldenGraph } from '../support/golden-graph.ts';

const test = suite('diff');

function diff(a: Graph, b: Graph, weights?: Parameters<typeof diffGraphs>[2]) {
  return diffGraphs({ graph: a, model: 'a' }, { graph: b, model: 'b' }, weights);
}

test('a model and itself', () => {
  const report = diff(goldenGraph('ssd1b'), goldenGraph('ssd1b'));
  assert.ok(report.sites.every(({ change }) => change === 'same'));
  assert.equal([report.nodes.added, report.nodes.removed, report.nodes.changed], [[], [], []]);
  assert.equal([report.ops, report.parameters], [[], []]);
  assert.is(report.nodes.same, report.a.nodes);
  assert.match(diffSummary(report), /^attentions: results of 0 of 68 can change; 0 nodes added, 0 removed, 0 changed/);
});

test('a model and its patch', async () => {
  const plain = goldenGraph('sd15');
  const patched = await plain.clone().transform(slothful({ in_strength: 8 }));
  const report = diff(plain, patched);
  assert.is(report.sites.filter(({ change }) => change === 'patched').length, 16);
  assert.ok(report.sites.every(({ kind, change }) => change === (kind === 'self' ? 'patched' : 'same_result')));
  assert.equal(report.counts, { attentions: 32, can_differ: 16, same_result: 16, same: 0 });
  assert.match(diffSummary(report), /^attentions: results of 16 of 32 can change, 16 are made another way and compute/);
  assert.is(report.nodes.same + report.nodes.changed.length + report.nodes.removed.length, plain.size);
  assert.is(report.nodes.same + report.nodes.changed.length + report.nodes.added.length, patched.size);
  assert.equal(report.inputs, { added: ['slothful_control'], removed: [] });
  assert.equal(report.outputs, { added: [], removed: [] });
  const op = (name: string) => report.ops.find((each) => each.op === name);
  assert.equal(op('Softmax'), { op: 'Softmax', a: 32, b: 0 });
  assert.equal(op('SlothfulAttention'), { op: 'SlothfulAttention', a: 0, b: 32 });
  const strength = report.parameters.find(({ name }) => name === 'in_strength');
  assert.equal(strength, { name: 'in_strength', a: null, b: '8' });
  assert.is(report.a.flops, report.b.flops);
  assert.is(report.weights.equal_parameters, report.a.parameters + constantsOf(plain, patched));
  const back = diff(patched, plain);
  assert.equal(back.counts, report.counts);
  assert.is(back.sites.filter(({ change }) => change === 'unpatched').length, 16);
  assert.is(diffSiteTable(back).rows[1]?.[2], 'same result, stock ops');
});

test('a model whose attentions only became nodes computes the same', async () => {
  const plain = goldenGraph('ssd1b');
  const nodes = await plain.clone().transform(attentionNodes());
  const report = diff(plain, nodes);
  assert.equal(report.counts, { attentions: 68, can_differ: 0, same_result: 68, same: 0 });
  assert.ok(diffSiteTable(report).rows.every((row) => row[2] === 'same result, one node'));
  assert.match(diffPage(report), /results of 0 of 68 can change, 68 are made another way/);
  const staged = await nodes.clone().transform(slothful());
  const { counts, sites } = diff(nodes, staged);
  assert.is(counts.can_differ, sites.filter(({ kind }) => kind === 'self').length);
  assert.is(counts.same_result, 0);
});

/** Elements of the constants that both graphs use. */
function constantsOf(a: Graph, b: Graph): number {
  const names = comparableWeights(a, b).filter((name) => a.constant(name));
  return names.reduce((sum, name) => sum + (a.constant(name)?.values.length ?? 0), 0);
}

test('two patches differ in their parameters alone', async () => {
  const patched = (strength: number) => goldenGraph('sd15').transform(slothful({ in_strength: strength }));
  const report = diff(await patched(4), await patched(8));
  assert.ok(report.sites.every(({ change }) => change === 'same'));
  assert.equal(report.parameters, [{ name: 'in_strength', a: '4', b: '8' }]);
  assert.equal(report.nodes.changed, []);
});

test('models of other families: sites added, removed and changed', () => {
  const report = diff(goldenGraph('ssd1b'), goldenGraph('sdxl'));
  const count = (change: string) => report.sites.filter((site) => site.change === change).length;
  assert.is(count('added') + count('same') + count('changed'), 140);
  assert.ok(count('added') >= 72, 'at least what sdxl has more');
  assert.is(report.sites.find(({ id }) => id === 'middle.2.0.0')?.change, 'added');
  assert.ok(report.weights.added.length > 0);
});

test('a changed site says what changed', () => {
  const a = goldenGraph('sd15');
  const b = goldenGraph('sd15');
  b.setMetadata({ ...b.metadata, unet: { sampleSize: 64 } });
  const [first] = diff(a, b).sites;
  assert.is(first?.change, 'same', 'both are looked at in the size of the first');
  const asked = diffGraphs({ graph: a, model: 'a' }, { graph: goldenGraph('sdxl'), model: 'b' });
  const changed = asked.sites.find(({ id }) => id === 'input.1.0.0');
  assert.is(changed?.change, 'changed');
  assert.ok(changed?.details.includes('heads 8 -> 3'));
});

test('weights of other bytes are told from equal ones', () => {
  const [a, b] = [goldenGraph('sd15'), goldenGraph('sd15')];
  const [first = '', ...equal] = comparableWeights(a, b);
  const report = diff(a, b, { weights: { equal, different: [first], shared: 3 } });
  const weight = surveyGraph(a).sites[0]?.query.weight.node ?? '';
  const tuned = diff(a, b, { weights: { equal, different: [weight], shared: 3 } });
  assert.equal([tuned.sites[0]?.change, tuned.sites[0]?.details], ['changed', ['weights: 1 not the same']]);
  assert.is(tuned.counts.can_differ, 1);
  assert.equal([report.weights.compared_by, report.weights.shared], ['bytes', 3]);
  assert.equal(report.weights.different, [first]);
  assert.is(report.weights.equal, equal.length);
  assert.is(diff(a, b).weights.compared_by, 'shapes');
});

test('weights stored as another type are not the same', () => {
  const [a, b] = [goldenGraph('sd15'), goldenGraph('sd15')];
  b.setWeightGroups(
    b.weightGroups.map(({ paths, weights }) => ({
      paths,
      weights: weights.map(({ quantization: _, ...spec }) => spec),
    })),
  );
  const { weights } = diff(a, b);
  assert.is(weights.reshaped.length, diff(a, a).a.parameters > 0 ? weightsOf(a) : 0);
});

/** How many weights are stored as halves. */
function weightsOf(graph: Graph): number {
  return graph.weightGroups.flatMap(({ weights }) => weights).filter(({ quantization }) => quantization).length;
}

test.run();
