import { type Attributes, attr, type ConstantValue, type Endpoint, Graph } from '../../src/graph/index.ts';

/** A graph and its weights, by name. Constants that are part of the graph's logic are in the graph itself. */
export interface Built {
  readonly graph: Graph;
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Sizes that all spellings share. Fixed where a spelling bakes them in. */
export const SIZE = { batch: 2, rows: 3, columns: 5, tokens: 15, channels: 8, heads: 2, headDim: 4 } as const;
export const CONTEXT = { tokens: 7, channels: 6 } as const;

/** Numbers in [-1, 1) that are the same every time. */
export function pseudoRandom(seed: number, count: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const { channels } = SIZE;

/** The weights that every spelling has: [in, out], and a bias each. */
export const MATRICES = {
  query: pseudoRandom(1, channels * channels),
  key: pseudoRandom(2, channels * channels),
  value: pseudoRandom(3, channels * channels),
  out: pseudoRandom(4, channels * channels),
  contextKey: pseudoRandom(5, CONTEXT.channels * channels),
  contextValue: pseudoRandom(6, CONTEXT.channels * channels),
} as const;

export const BIASES = {
  query: pseudoRandom(7, channels),
  key: pseudoRandom(8, channels),
  value: pseudoRandom(9, channels),
} as const;

/** Rows and columns of a matrix exchanged. */
export function transposed(matrix: Float32Array, rows: number): Float32Array {
  const columns = matrix.length / rows;
  return matrix.map((_, index) => matrix[(index % rows) * columns + Math.floor(index / rows)] ?? 0);
}

/** Writes small graphs by hand. Every op is named by the caller, as exporters do. */
export class SpellingBuilder {
  readonly graph = Graph.create({ generatedBy: 'by hand' });
  private readonly weights = new Map<string, Float32Array>();
  private readonly shapes = new Map<string, readonly number[]>();

  /** The image [B, h, w, C] whose pixels are the tokens. */
  sample(): Endpoint {
    return this.placeholder('sample', [-1, SIZE.rows, SIZE.columns, SIZE.channels]);
  }

  placeholder(name: string, shape: readonly number[]): Endpoint {
    const attributes = { dtype: attr.type('float32'), shape: attr.shape(shape) };
    return this.graph.add({ name, op: 'Placeholder', attributes });
  }

  op(name: string, op: string, inputs: readonly Endpoint[], attributes: Attributes = {}): Endpoint {
    return this.graph.add({ name, op, inputs, attributes: { T: attr.type('float32'), ...attributes } });
  }

  weight(name: string, shape: readonly number[], values: Float32Array): Endpoint {
    this.weights.set(name, values);
    this.shapes.set(name, shape);
    return this.graph.add({ name, op: 'Const', attributes: { dtype: attr.type('float32') } });
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): Endpoint {
    return this.constant({ dtype: 'int32', shape, values });
  }

  float(value: number): Endpoint {
    return this.constant({ dtype: 'float32', shape: [], values: [value] });
  }

  private constant(value: ConstantValue): Endpoint {
    return this.graph.addConstant(this.graph.uniqueName('const'), value);
  }

  reshape(name: string, x: Endpoint, shape: readonly number[]): Endpoint {
    return this.op(name, 'Reshape', [x, this.ints(shape)]);
  }

  transpose(name: string, x: Endpoint, order: readonly number[]): Endpoint {
    return this.op(name, 'Transpose', [x, this.ints(order)]);
  }

  /** Batched product; `adjoint` names the transposed operands. */
  product(name: string, x: Endpoint, y: Endpoint, adjoint: '' | 'x' | 'y' | 'xy' = ''): Endpoint {
    const attributes = { adj_x: attr.bool(adjoint.includes('x')), adj_y: attr.bool(adjoint.includes('y')) };
    return this.op(name, 'BatchMatMulV2', [x, y], attributes);
  }

  matmul(name: string, x: Endpoint, y: Endpoint, transposeRight = false): Endpoint {
    return this.op(name, 'MatMul', [x, y], { transpose_a: attr.bool(false), transpose_b: attr.bool(transposeRight) });
  }

  einsum(name: string, equation: string, x: Endpoint, y: Endpoint): Endpoint {
    return this.op(name, 'Einsum', [x, y], { equation: attr.string(equation), N: attr.int(2) });
  }

  softmax(name: string, x: Endpoint): Endpoint {
    return this.op(name, 'Softmax', [x]);
  }

  /** The sample as [B, N, C]. */
  tokens(sample: Endpoint): Endpoint {
    return this.reshape('tokens', sample, [-1, SIZE.tokens, SIZE.channels]);
  }

  /** What Keras' Dense makes of a rank-3 input: reshape, product, reshape. */
  dense(name: string, x: Endpoint, weight: Float32Array, rows: number = SIZE.channels): Endpoint {
    const columns = weight.length / rows;
    const flat = this.reshape(`${name}/Tensordot/Reshape`, x, [-1, rows]);
    const kernel = this.weight(`${name}/kernel`, [rows, columns], weight);
    const made = this.matmul(`${name}/Tensordot/MatMul`, flat, kernel);
    const tokens = rows === CONTEXT.channels ? CONTEXT.tokens : SIZE.tokens;
    return this.reshape(`${name}/Tensordot`, made, [-1, tokens, columns]);
  }

  /** [B, N, C] -> [B, N, heads, dim]. */
  split(name: string, x: Endpoint, tokens: number = SIZE.tokens): Endpoint {
    return this.reshape(name, x, [-1, tokens, SIZE.heads, SIZE.headDim]);
  }

  /** The output projection of [B, N, C], and the graph's end. */
  finish(merged: Endpoint, name = 'out'): Built {
    this.op(name, 'Identity', [this.dense('to_out', merged, MATRICES.out)]);
    return this.built();
  }

  built(): Built {
    const specs = [...this.shapes].map(([name, shape]) => ({ name, shape, dtype: 'float32' as const }));
    this.graph.setWeightGroups([{ paths: ['weights.bin'], weights: specs }]);
    return { graph: this.graph, weights: this.weights };
  }
}
