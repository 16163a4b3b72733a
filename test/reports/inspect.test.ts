import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, Graph } from '../../src/graph/index.ts';
import { inspectSummary } from '../../src/pages/index.ts';
import { slothful } from '../../src/passes/index.ts';
import { type InspectReport, inspectGraph } from '../../src/reports/index.ts';
import { failsWith } from '../support/errors.ts';
import { familyFixture, fullSizeGraph, goldenGraph } from '../support/golden-graph.ts';
import { tinyGraph } from '../support/tiny-model.ts';
import { FAMILIES } from '../support/unet-goldens.ts';

const test = suite('inspect');

const GIGA = 1e9;

/** Self-attentions of the real models: in input, middle and output blocks; shallowest and deepest. */
const COUNTS = {
  sd15: { blocks: [6, 1, 9], top: 1, deep: 8 },
  sdxl: { blocks: [24, 10, 36], top: 2, deep: 4 },
  ssd1b: { blocks: [12, 0, 22], top: 2, deep: 4 },
} as const;

/** The real models at their default sizes: level, channels, heads x dim, tokens. */
const LEVELS = {
  sd15: ['0: 320, 8 x 40, 4096', '1: 640, 8 x 80, 1024', '2: 1280, 8 x 160, 256', '3: 1280, 8 x 160, 64'],
  sdxl: ['1: 640, 10 x 64, 4096', '2: 1280, 20 x 64, 1024'],
  ssd1b: ['1: 640, 10 x 64, 4096', '2: 1280, 20 x 64, 1024'],
} as const;

function selfSites({ sites }: InspectReport) {
  return sites.filter(({ kind }) => kind === 'self');
}

for (const family of FAMILIES) {
  test(`${family}, full size: every attention where it belongs, every parameter`, () => {
    const report = inspectGraph(fullSizeGraph(family));
    const self = selfSites(report);
    const counts = ['input', 'middle', 'output'].map((block) => self.filter((site) => site.block === block).length);
    assert.equal(counts, [...COUNTS[family].blocks]);
    assert.is(report.totals.cross_sites, self.length);
    assert.is(report.rejections.length, 0);
    assert.is(report.weights.parameters, familyFixture(family).parameters);
    assert.equal([report.top, report.deep], [COUNTS[family].top, COUNTS[family].deep]);
    assert.is(report.family.name, family);
    const levels = new Set(self.map((s) => `${s.level}: ${s.channels}, ${s.heads} x ${s.head_dim}, ${s.tokens}`));
    assert.equal([...levels].sort(), [...LEVELS[family]]);
    assert.is(new Set(report.sites.map(({ id }) => id)).size, report.sites.length);
    assert.equal(report.notes, []);
  });

  test(`${family}: the family is told without metadata`, () => {
    const graph = goldenGraph(family);
    graph.setMetadata({});
    const { name, basis } = inspectGraph(graph).family;
    assert.is(name, family);
    assert.match(basis, /self-attentions/);
  });

  test(`${family}: a patched model is inspected too, with the same cost and weights`, async () => {
    const graph = goldenGraph(family);
    const plain = inspectGraph(graph);
    const patched = inspectGraph(await graph.clone().transform(slothful({ in_strength: 8 })));
    assert.equal(patched.patch?.parameters.in_strength, 8);
    assert.ok(patched.sites.every((site) => site.patched));
    assert.ok(patched.sites.every(({ kind, stages }) => stages.join() === (kind === 'self' ? 'slothful' : '')));
    assert.ok(plain.sites.every(({ stages }) => !stages.length));
    assert.equal(
      patched.passes.map(({ name }) => name),
      ['attention', 'slothful'],
    );
    const asPlain = patched.sites.map(({ node: _, patched: __, stages: ___, ...site }) => site);
    assert.equal(
      asPlain,
      plain.sites.map(({ node: _, patched: __, stages: ___, ...site }) => site),
    );
    assert.equal(patched.totals, plain.totals);
    assert.equal([patched.top, patched.deep], [plain.top, plain.deep]);
    assert.is(patched.weights.parameters, plain.weights.parameters);
    assert.ok(patched.weights.unused > 0, 'constants of the old attentions stay in the shards');
  });
}

test('self-attentions alone can be patched: the others are still found', async () => {
  const graph = goldenGraph('sd15');
  const report = inspectGraph(await graph.transform(slothful({}, { crossAttention: false })));
  const patched = report.sites.filter((site) => site.patched);
  assert.is(patched.length, 16);
  assert.ok(patched.every(({ kind }) => kind === 'self'));
  assert.is(report.totals.cross_sites, 16);
  assert.is(report.sites[1]?.id, 'input.0.0.0.cross');
});

test('the attention FLOPs of SD1.5 are those of the reference', () => {
  const graph = fullSizeGraph('sd15');
  const self = (rows: number) => inspectGraph(graph, { size: { rows, columns: rows } }).totals.self.flops;
  assert.is(Math.round(self(64) / GIGA), 174);
  assert.is(Math.round(self(128) / GIGA), 2165);
});

test('sizes: pixels, batch and text are told apart', () => {
  const graph = goldenGraph('sd15');
  const one = inspectGraph(graph, { size: { rows: 45, columns: 80 } });
  const two = inspectGraph(graph, { size: { rows: 45, columns: 80, batch: 2, contextTokens: 154 } });
  assert.equal(one.size.pixels, { width: 640, height: 360 });
  assert.equal(one.sites[0]?.grid, [45, 80]);
  assert.equal(one.sites.find(({ level }) => level === 1)?.grid, [23, 40]);
  assert.equal(two.sites[0]?.tokens, 3600, 'tokens of one sample');
  assert.is(two.totals.self.flops, 2 * one.totals.self.flops);
  assert.is(two.sites[0]?.logits_bytes, 2 * (one.sites[0]?.logits_bytes ?? 0));
  const cross = two.sites.find(({ kind }) => kind === 'cross');
  assert.equal([cross?.kv_tokens, cross?.context_channels], [154, 24]);
});

test('invalid sizes are refused', async () => {
  const graph = goldenGraph('sd15');
  await failsWith('bad-input', /rows.*must be a whole number from 1/, () => inspectGraph(graph, { size: { rows: 0 } }));
  await failsWith('bad-input', /batch.*1\.5/, () => inspectGraph(graph, { size: { batch: 1.5 } }));
});

test('a graph that fixes its size is looked at in that size, and no other can be asked for', async () => {
  const graph = fixedSize(goldenGraph('sd15'));
  assert.equal(inspectGraph(graph).sites[0]?.grid, [16, 24]);
  await failsWith('bad-input', /size: the model takes 16 x 24 only, not 32 x 24; .*--latent 16x24/, () =>
    inspectGraph(graph, { size: { rows: 32 } }),
  );
});

function fixedSize(graph: Graph): Graph {
  const sample = graph.expectNode('sample', 'test');
  const dim = [1, 16, 24, 4].map((size) => ({ size: String(size) }));
  graph.replace({ ...sample, attributes: { ...sample.attributes, shape: { shape: { dim } } } });
  return graph;
}

test('a softmax that is not an attention is listed with the reason', () => {
  const { graph, weights } = tinyGraph();
  graph.add({ name: 'soft', op: 'Softmax', inputs: [{ node: 'with_time', output: 0 }] });
  graph.setWeightGroups([{ paths: ['absent.bin'], weights: weights.map(({ spec }) => spec) }]);
  const report = inspectGraph(graph);
  assert.is(report.sites.length, 0);
  assert.is(report.rejections[0]?.softmax, 'soft');
  assert.ok(report.rejections[0]?.reason);
  assert.equal([report.top, report.family.name], [null, null]);
  assert.match(inspectSummary(report), /0 self- and 0 cross-attentions.*1 softmaxes rejected/);
});

test('norms that TF.js computes wrongly are named, and others are not', () => {
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { dtype: attr.type('float32') } });
  const norm = (name: string, isTraining: boolean, format: string) =>
    graph.add({
      ...{ name, op: 'FusedBatchNormV3', inputs: [x] },
      attributes: { is_training: attr.bool(isTraining), data_format: attr.string(format) },
    });
  norm('fine', false, 'NHWC');
  assert.not(inspectGraph(graph).notes.some((note) => note.includes('cannot run')));
  for (const name of ['a', 'b']) norm(name, true, 'NHWC');
  norm('c', false, 'NCHW');
  const notes = inspectGraph(graph).notes.filter((note) => note.includes('cannot run'));
  assert.match(
    notes[0] ?? '',
    /node "a" is a FusedBatchNormV3 that norms by .* \(is_training = true\).* \(and 1 more\)$/,
  );
  assert.match(notes[1] ?? '', /node "c" is a FusedBatchNormV3 in NCHW/);
});

test('what the document does not tell is null, with the reason', () => {
  const graph = withoutConstants(goldenGraph('sd15'));
  const report = inspectGraph(graph);
  const site = report.sites[0];
  assert.is(report.sites.length, 32, 'structure alone finds them');
  assert.is(site?.heads, null);
  assert.is(site?.logits_bytes, null);
  assert.ok(site?.unknown);
  assert.ok(report.totals.unknown_flops > 0);
  assert.is(report.totals.self.flop_share, null);
  assert.ok(report.notes.some((note) => /FLOPs of \d+ nodes are not known/.test(note)));
});

/** The document as another exporter writes it: constants in the shards only. */
function withoutConstants(graph: Graph): Graph {
  for (const node of [...graph.nodes].filter(({ op }) => op === 'Const')) {
    const { value: _, ...attributes } = node.attributes;
    graph.replace({ ...node, attributes });
  }
  const { modelTopology, weightsManifest } = graph.toJson();
  return Graph.fromJson({ format: 'graph-model', modelTopology, weightsManifest });
}

test('inputs, outputs, ops and bytes', () => {
  const report = inspectGraph(goldenGraph('sdxl'), { model: 'a/b.json', notes: ['a note'] });
  assert.is(report.model, 'a/b.json');
  assert.equal(report.notes, ['a note']);
  assert.equal(
    report.inputs.map(({ name }) => name),
    ['sample', 'timestep', 'encoder_hidden_states', 'text_embeds', 'time_ids'],
  );
  assert.equal(report.outputs, [{ name: 'out_sample', shape: [-1, -1, -1, 4], dtype: 'float32', optional: false }]);
  assert.is(
    Object.values(report.ops).reduce((sum, count) => sum + count, 0),
    report.nodes,
  );
  assert.is(report.ops.Softmax, 140);
  assert.is(report.weights.stored_bytes, 2 * report.weights.parameters);
  assert.is(report.weights.loaded_bytes, 4 * report.weights.parameters);
  assert.equal(report.weights.stored_as, { float16: report.weights.parameters });
});

test.run();
