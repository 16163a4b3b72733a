import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { attr, Graph, type JsonObject, type WeightSpec } from '../../src/graph/index.ts';

export interface TinyWeight {
  readonly spec: WeightSpec;
  readonly bytes: Uint8Array;
}

/** A float32 weight. */
export function floats(name: string, shape: number[], values: readonly number[]): TinyWeight {
  return { spec: { name, shape, dtype: 'float32' }, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

export function ints(name: string, shape: number[], values: readonly number[]): TinyWeight {
  return { spec: { name, shape, dtype: 'int32' }, bytes: new Uint8Array(Int32Array.from(values).buffer) };
}

/** A float32 weight stored as halves, given by their bits. */
export function halves(name: string, shape: number[], bits: readonly number[]): TinyWeight {
  const quantization = { dtype: 'float16' } as const;
  return {
    spec: { name, shape, dtype: 'float32', quantization },
    bytes: new Uint8Array(Uint16Array.from(bits).buffer),
  };
}

/**
 * Writes weights and the graph's model.json into a folder: one group, cut into files of `shardBytes`, so that weights
 * straddle files as those of TensorFlow's own converter do.
 */
export function writeTiny(folder: string, graph: Graph, weights: readonly TinyWeight[], shardBytes = 1e9): void {
  const bytes = Buffer.concat(weights.map((weight) => weight.bytes));
  const paths: string[] = [];
  for (let start = 0; start < bytes.length; start += shardBytes) {
    const path = `shards/group1-shard${paths.length + 1}.bin`;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes.subarray(start, start + shardBytes));
    paths.push(path);
  }
  graph.setWeightGroups([{ paths, weights: weights.map(({ spec }) => spec) }]);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.json'), JSON.stringify(graph.toJson()));
}

export interface TinyNames {
  readonly sample: string;
  readonly timestep?: string;
  readonly context: string;
  readonly output: string;
}

const USUAL: TinyNames = {
  sample: 'sample',
  timestep: 'timestep',
  context: 'encoder_hidden_states',
  output: 'out_sample',
};

/**
 * A graph with a UNet's inputs and no more than arithmetic:
 * `out = sample * [0.5, -2] + timestep / 1000 + mean of the context + 1`, channels 2, context 3.
 */
export function tinyGraph(
  names: TinyNames = USUAL,
  metadata: JsonObject = {},
): { graph: Graph; weights: TinyWeight[] } {
  const graph = Graph.create({ generatedBy: 'test' });
  const placeholder = (name: string, shape: number[]) =>
    graph.add({ name, op: 'Placeholder', attributes: { dtype: attr.type('float32'), shape: attr.shape(shape) } });
  const constant = (name: string) =>
    graph.add({ name, op: 'Const', attributes: { dtype: attr.type(name.startsWith('i_') ? 'int32' : 'float32') } });
  const op = (name: string, type: string, inputs: ReturnType<typeof constant>[]) =>
    graph.add({ name, op: type, inputs });
  const scaled = op('scaled', 'Mul', [placeholder(names.sample, [-1, -1, -1, 2]), constant('scale')]);
  const context = op('mean', 'Mean', [placeholder(names.context, [-1, -1, 3]), constant('i_axes')]);
  const pixelShape = constant('i_pixel');
  let sum = op('with_context', 'AddV2', [scaled, op('context4', 'Reshape', [context, pixelShape])]);
  if (names.timestep !== undefined) {
    const time = op('time', 'Mul', [placeholder(names.timestep, [-1]), constant('thousandth')]);
    sum = op('with_time', 'AddV2', [sum, op('time4', 'Reshape', [time, pixelShape])]);
  }
  op(names.output, 'AddV2', [sum, constant('one')]);
  graph.setMetadata(metadata);
  return { graph, weights: tinyWeights() };
}

/** Among them one that nothing uses, and one of text. */
function tinyWeights(): TinyWeight[] {
  return [
    halves('scale', [2], [0x3800, 0xc000]),
    { spec: { name: 'note', shape: [2], dtype: 'string' }, bytes: Uint8Array.from([1, 0, 0, 0, 97, 0, 0, 0, 0]) },
    floats('unused', [40], Array(40).fill(7)),
    ints('i_axes', [2], [1, 2]),
    ints('i_pixel', [4], [-1, 1, 1, 1]),
    floats('thousandth', [], [0.001]),
    floats('one', [], [1]),
  ];
}
