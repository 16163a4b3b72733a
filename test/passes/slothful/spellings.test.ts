import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../../src/graph/index.ts';
import { CONTROL_INPUT, slothful } from '../../../src/passes/index.ts';
import { encodeControl } from '../../../src/passes/slothful/index.ts';
import { registerSlothfulOps } from '../../../src/runtime/index.ts';
import { runGraph } from '../../attention/artifacts.ts';
import { SIZE } from '../../attention/spelling-builder.ts';
import { SPELLINGS } from '../../attention/spellings.ts';
import { TEST_BACKENDS, useBackend } from '../../support/backend.ts';
import { largestDifference } from '../../support/numbers.ts';

const test = suite('rewriting every spelling');

registerSlothfulOps();

const OPS = (graph: Graph) => [...graph.nodes].map((node) => node.op);
const SELF = SPELLINGS.filter((spelling) => spelling.kind === 'self');

for (const spelling of SELF) {
  test(`${spelling.name}: one node takes its place`, async () => {
    const { graph } = spelling.build();
    const before = graph.size;
    await graph.transform(slothful());
    const ops = OPS(graph);
    assert.is(ops.filter((op) => op === 'SlothfulAttention').length, 1);
    assert.not(ops.includes('Softmax'));
    assert.ok(graph.size < before, `${before} -> ${graph.size} nodes`);
    assert.ok(graph.node(CONTROL_INPUT));
  });

  test(`${spelling.name}: the near miss is refused, and stays as it was`, async () => {
    const { graph } = spelling.build('miss');
    const before = JSON.stringify(graph.toJson());
    let message = '';
    await graph.transform(slothful()).catch((error) => {
      message = String(error);
    });
    assert.match(message, /has no self-attention to patch/);
    assert.match(message, spelling.miss.reason);
    assert.is(JSON.stringify(graph.toJson()), before);
  });
}

for (const backend of TEST_BACKENDS) {
  for (const spelling of SELF.filter(({ name }) => backend === 'cpu' || !/einsum|keras/i.test(name))) {
    test(`${spelling.name} on ${backend}: the same numbers before and after`, async () => {
      await useBackend(backend);
      const { graph, weights } = spelling.build();
      const before = await runGraph(graph, weights);
      await graph.transform(slothful());
      const after = await runGraph(graph, weights);
      assert.ok(largestDifference(after, before) < 1e-5);
    });
  }
}

for (const spelling of SELF) {
  test(`${spelling.name}: pooled, all spellings give the same numbers`, async () => {
    await useBackend('cpu');
    const pooled = await runPooled(spelling);
    const reference = await runPooled({ ...spelling, build: spelling.bias ? spelling.build : referenceBuild });
    assert.ok(largestDifference(pooled, reference) < 1e-5);
    const { graph, weights } = spelling.build();
    assert.ok(largestDifference(pooled, await runGraph(graph, weights)) > 1e-3, 'pooling changes the output');
  });
}

function referenceBuild() {
  const [first] = SELF;
  assert.ok(first);
  return first.build();
}

/** With a default of the control input that pools 2 x 2 windows, half blended. */
async function runPooled({ build }: Pick<(typeof SELF)[number], 'build'>): Promise<Float32Array> {
  const { graph, weights } = build();
  await graph.transform(slothful());
  const fallback = graph.node(CONTROL_INPUT)?.inputs[0];
  assert.ok(fallback);
  const row = {
    strideRows: 2,
    strideColumns: 2,
    windowRows: 2,
    windowColumns: 2,
    mode: '2D_AVG',
    kBlend: 0.5,
    vBlend: 1,
  } as const;
  graph.remove(fallback.node);
  graph.addConstant(fallback.node, { dtype: 'float32', shape: [1, 7], values: [...encodeControl([row])] });
  return runGraph(graph, weights);
}

test('the fixtures are big enough to pool', () => {
  assert.ok(SIZE.rows >= 2 && SIZE.columns >= 2);
});

test.run();
