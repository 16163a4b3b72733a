import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { layOut } from '../../src/pages/drawings/layers.ts';
import { printDot, printSvg } from '../../src/pages/index.ts';
import { slothful } from '../../src/passes/index.ts';
import { type Drawing, drawSites } from '../../src/reports/index.ts';
import { failsWith } from '../support/errors.ts';
import { goldenGraph } from '../support/golden-graph.ts';
import { tinyGraph } from '../support/tiny-model.ts';

const test = suite('drawings of a site');

async function beforeAndAfter(site: string): Promise<Drawing[]> {
  const plain = goldenGraph('sd15');
  const after = await plain.clone().transform(slothful());
  return drawSites(
    [
      { graph: plain, label: 'before' },
      { graph: after, label: 'after' },
    ],
    site,
  );
}

function ops({ nodes }: Drawing, role: string): string[] {
  return nodes.filter((node) => node.role === role).map(({ op }) => op);
}

test('a self-attention before and after: its own nodes, weights and inputs, no constants', async () => {
  const [before, after] = await beforeAndAfter('input.0.0.0');
  assert.ok(before && after);
  assert.equal([before.title, after.title], ['input.0.0.0 before', 'input.0.0.0 after']);
  const spelled = ops(before, 'inside').sort();
  assert.equal(spelled.filter((op) => op === 'MatMul').length, 3);
  assert.equal(spelled.filter((op) => op === 'BatchMatMulV2').length, 2);
  assert.ok(spelled.includes('Softmax'));
  assert.is(ops(before, 'weight').length, 5, 'q, k, v, out and its bias');
  assert.equal(ops(before, 'input').length, 1, 'the hidden states');
  assert.equal(ops(after, 'inside'), ['SlothfulAttention']);
  assert.equal(ops(after, 'after'), ['_FusedMatMul']);
  assert.ok(after.nodes.some(({ name }) => name === 'slothful_control'));
  const logits = before.nodes.find(({ name }) => name.endsWith('/logits'));
  assert.equal(logits?.shape, [1, 8, 1024, 1024]);
});

test('a cross-attention has two inputs', async () => {
  const [before, after] = await beforeAndAfter('input.0.0.0.cross');
  assert.is(ops(before ?? { title: '', nodes: [], edges: [] }, 'input').length, 2);
  assert.ok(after?.nodes.some(({ op }) => op === 'SlothfulAttention'));
});

/** How users name a site, and which it is. */
const NAMES: readonly (readonly [string, string])[] = [
  ['input.1.0.0', 'input.1.0.0'],
  ['down.0.0', 'input.0.0.0'],
  ['up.2.1', 'output.2.1.0'],
  ['mid.3', 'middle.3.0.0'],
  ['middle', 'middle.3.0.0'],
  ['up_blocks/3/attentions/0/transformer_blocks/0/attn1', 'output.0.0.0'],
];

for (const [text, id] of NAMES) {
  test(`"${text}" is ${id}`, () => {
    const [drawing] = drawSites([{ graph: goldenGraph('sd15'), label: 'x' }], text);
    assert.is(drawing?.title, `${id} x`);
  });
}

test('a site that is not there is refused with the nearest one', async () => {
  const draw = (graph = goldenGraph('sd15'), text = 'input.0.0.9') => drawSites([{ graph, label: 'the model' }], text);
  await failsWith('usage', /"input\.0\.0\.9" is not an attention of the model; did you mean "input\.0\.0\.0"\?/, () =>
    draw(),
  );
  await failsWith('usage', /it has none/, () => draw(tinyGraph().graph));
});

test('DOT: a cluster each, every edge between nodes that are there, names quoted', async () => {
  const drawings = await beforeAndAfter('down.0.0');
  const [first] = drawings;
  assert.ok(first);
  const hostile: Drawing = {
    title: 'a "title"\\',
    nodes: [{ name: 'x"\\y', op: 'Op', role: 'inside', shape: undefined }],
    edges: [],
  };
  const dot = printDot([...drawings, hostile]);
  assert.match(dot, /^digraph slothful \{\n/);
  assert.is(dot.match(/subgraph cluster_\d/g)?.length, 3);
  const declared = new Set([...dot.matchAll(/^ {4}("(?:[^"\\]|\\.)*") \[/gm)].map((match) => match[1]));
  const edges = [...dot.matchAll(/^ {4}("(?:[^"\\]|\\.)*") -> ("(?:[^"\\]|\\.)*");$/gm)];
  assert.is(
    edges.length,
    drawings.reduce((sum, drawing) => sum + drawing.edges.length, 0),
  );
  assert.ok(edges.every(([, from, to]) => declared.has(from) && declared.has(to)));
  assert.ok(dot.includes('label="a \\"title\\"\\\\"'));
});

test('SVG: a box a node, a path an edge, no markup out of names', async () => {
  const drawings = await beforeAndAfter('down.0.0');
  const svg = printSvg(drawings);
  const [nodes, edges] = [drawings.flatMap((each) => each.nodes), drawings.flatMap((each) => each.edges)];
  assert.is(svg.match(/<rect /g)?.length, nodes.length);
  assert.is(svg.match(/<path /g)?.length, edges.length);
  assert.not.match(svg, /NaN|undefined/);
  const hostile = printSvg([
    { title: '<b>', nodes: [{ name: '</svg>', op: '<i>', role: 'inside', shape: [1] }], edges: [] },
  ]);
  assert.not.match(hostile, /<b>|<i>|<\/svg>./);
});

test('layers: readers below what they read, no two in one place, long edges pass every layer', async () => {
  for (const drawing of await beforeAndAfter('down.0.0')) {
    const { nodes, paths } = layOut(drawing);
    const spots = [...nodes.values(), ...paths.flatMap((path) => path.slice(1, -1))];
    const places = new Set(spots.map(({ layer, column }) => `${layer} ${column}`));
    assert.is(places.size, spots.length);
    for (const path of paths) {
      for (const [index, spot] of path.slice(1).entries()) assert.is(spot.layer, (path[index]?.layer ?? 0) + 1);
    }
  }
});

test.run();
