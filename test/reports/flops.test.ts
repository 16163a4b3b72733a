import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Attributes, attr, Graph, inferShapes } from '../../src/graph/index.ts';
import { graphFlops, isConvolution, opFlops, restFlops } from '../../src/reports/flops.ts';

const test = suite('FLOPs of stock ops');

type Shape = readonly number[];

/** One op of tensors of these shapes; `undefined` in one of them is a size that nothing tells. */
function graphOf(op: string, shapes: readonly (Shape | undefined)[], attributes: Attributes = {}): Graph {
  const graph = Graph.create();
  const inputs = shapes.map((shape, index) => {
    const known: Attributes = shape ? { shape: attr.shape(shape) } : {};
    return graph.add({
      name: `x${index}`,
      op: 'Placeholder',
      attributes: { dtype: attr.type('float32'), ...known },
    });
  });
  graph.add({ name: 'op', op, inputs, attributes });
  return graph;
}

function flopsOf(graph: Graph): number | undefined {
  const node = graph.node('op');
  return node && opFlops(node, inferShapes(graph, {}));
}

const SAME = { padding: attr.string('SAME'), strides: attr.ints([1, 1, 1, 1]) };
const HALF = { padding: attr.string('SAME'), strides: attr.ints([1, 2, 2, 1]) };

/** The numbers are those of PyTorch's `torch.utils.flop_counter` for the same product of the same tensors. */
const COUNTS: ReadonlyArray<readonly [op: string, shapes: readonly Shape[], flops: number, attributes?: Attributes]> = [
  [
    'MatMul',
    [
      [6, 5],
      [5, 7],
    ],
    420,
  ],
  [
    'MatMul',
    [
      [5, 6],
      [5, 7],
    ],
    420,
    { transpose_a: attr.bool(true) },
  ],
  [
    'MatMul',
    [
      [6, 5],
      [7, 5],
    ],
    420,
    { transpose_b: attr.bool(true) },
  ],
  ['_FusedMatMul', [[5, 6], [5, 7], [7]], 420, { transpose_a: attr.bool(true) }],
  [
    'BatchMatMulV2',
    [
      [2, 3, 6, 5],
      [2, 3, 5, 7],
    ],
    2520,
  ],
  [
    'BatchMatMulV2',
    [
      [2, 3, 5, 6],
      [2, 3, 5, 7],
    ],
    2520,
    { adj_x: attr.bool(true) },
  ],
  [
    'BatchMatMulV2',
    [
      [2, 3, 6, 5],
      [2, 3, 7, 5],
    ],
    2520,
    { adj_y: attr.bool(true) },
  ],
  [
    'Einsum',
    [
      [2, 6, 3, 5],
      [2, 7, 3, 5],
    ],
    2520,
    { equation: attr.string('bqhd,bkhd->bhqk') },
  ],
  [
    'Conv2D',
    [
      [1, 8, 6, 3],
      [3, 5, 3, 4],
    ],
    17280,
    SAME,
  ],
  ['_FusedConv2D', [[1, 8, 6, 3], [3, 5, 3, 4], [4]], 17280, SAME],
  [
    'Conv2D',
    [
      [2, 8, 6, 3],
      [3, 3, 3, 4],
    ],
    5184,
    HALF,
  ],
  [
    'DepthwiseConv2dNative',
    [
      [1, 8, 6, 3],
      [3, 5, 3, 2],
    ],
    8640,
    SAME,
  ],
  ['FusedDepthwiseConv2dNative', [[1, 8, 6, 3], [3, 5, 3, 2], [6]], 8640, SAME],
];

for (const [op, shapes, flops, attributes] of COUNTS) {
  test(`${op} of ${JSON.stringify(shapes)}${attributes ? ` ${Object.keys(attributes)}` : ''}: ${flops}`, () => {
    const graph = graphOf(op, shapes, attributes);
    assert.is(flopsOf(graph), flops);
    const convolves = op.includes('Conv');
    assert.is(isConvolution(op), convolves);
    const { stock, convolutions, byNode, unknown } = graphFlops(graph, inferShapes(graph, {}));
    assert.equal([stock, convolutions], [flops, convolves ? flops : 0]);
    assert.equal([...byNode], [['op', flops]]);
    assert.equal(unknown, []);
  });
}

test('a transposed convolution: every value of its input times the window', () => {
  const graph = Graph.create();
  const size = graph.addConstant('size', { dtype: 'int32', shape: [4], values: [1, 10, 18, 3] });
  const placeholder = (name: string, shape: Shape) =>
    graph.add({ name, op: 'Placeholder', attributes: { dtype: attr.type('float32'), shape: attr.shape(shape) } });
  const inputs = [size, placeholder('filter', [2, 3, 3, 4]), placeholder('x', [1, 5, 6, 4])];
  graph.add({ name: 'op', op: 'Conv2DBackpropInput', inputs });
  assert.is(flopsOf(graph), 4320);
});

test('other ops count for nothing, whatever their names', () => {
  for (const op of ['Softmax', 'Relu', 'toString', 'constructor']) {
    const graph = graphOf(op, [[2, 3]]);
    assert.is(flopsOf(graph), 0);
    const { stock, byNode, unknown } = graphFlops(graph, inferShapes(graph, {}));
    assert.equal([stock, byNode.size, unknown.length], [0, 0, 0]);
  }
});

const UNKNOWN: ReadonlyArray<readonly [what: string, graph: Graph, reason: RegExp]> = [
  ['an input without a shape', graphOf('MatMul', [[6, 5], undefined]), /./],
  [
    'a size that is not known',
    graphOf('MatMul', [
      [-1, 5],
      [5, 7],
    ]),
    /./,
  ],
  [
    'an equation of another kind',
    graphOf(
      'Einsum',
      [
        [2, 3],
        [3, 2],
      ],
      { equation: attr.string('ij,jk') },
    ),
    /./,
  ],
  ['an operand that is not there', graphOf('Einsum', [[2, 3]], { equation: attr.string('ij,jk->ik') }), /./],
];

for (const [what, graph, reason] of UNKNOWN) {
  test(`${what}: not counted, and told`, () => {
    assert.is(flopsOf(graph), undefined);
    const { stock, byNode, unknown } = graphFlops(graph, inferShapes(graph, {}));
    assert.equal([stock, byNode.size], [0, 0]);
    assert.equal(
      unknown.map(({ node }) => node),
      ['op'],
    );
    assert.match(unknown[0]?.reason ?? '', reason);
  });
}

test('a fourth input of unknown shape does not matter: the count is of the first three', () => {
  const graph = graphOf('_FusedMatMul', [[6, 5], [5, 7], [7], undefined]);
  assert.is(flopsOf(graph), 420);
});

test('what is left without the attentions: by formula where they are stock ops, else their output projection', () => {
  const byNode = new Map([['out/MatMul', 300]]);
  const flops = { stock: 5000, convolutions: 0, byNode, unknown: [] };
  type Sites = Parameters<typeof restFlops>[1];
  const site = (patched: boolean, out?: string) => ({ patched, out: out ? { node: out } : undefined });
  const sites = (...list: unknown[]) => list as unknown as Sites;
  assert.is(
    restFlops(flops, sites(site(false, 'out/MatMul')), () => 1000),
    4000,
  );
  assert.is(
    restFlops(flops, sites(site(true, 'out/MatMul')), () => 1000),
    4700,
  );
  assert.is(
    restFlops(flops, sites(site(true), site(false)), () => 1000),
    4000,
  );
});

test.run();
