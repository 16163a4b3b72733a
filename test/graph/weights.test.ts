import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ConstantValue,
  constantBytes,
  constantFromBytes,
  constantFromInline,
  inlineConstant,
  isSmall,
} from '../../src/graph/constant.ts';
import { attr, Graph } from '../../src/graph/index.ts';
import { loadedBytes, locateWeights, sizeOf, storedBytes, type WeightSpec } from '../../src/graph/weights.ts';

const test = suite('weights of a graph');

const quantized = (dtype: 'float16' | 'uint8' | 'uint16', scale?: number, min?: number) => {
  return { quantization: { dtype, ...(scale === undefined ? {} : { scale }), ...(min === undefined ? {} : { min }) } };
};

/** As TensorFlow.js's converter stores them: bytes in the shard, and in memory once they are loaded. */
const SIZES: ReadonlyArray<readonly [spec: Omit<WeightSpec, 'name'>, stored: number | undefined, loaded: number]> = [
  [{ dtype: 'float32', shape: [3, 5] }, 60, 60],
  [{ dtype: 'float32', shape: [] }, 4, 4],
  [{ dtype: 'float32', shape: [3, 0] }, 0, 0],
  [{ dtype: 'int32', shape: [7] }, 28, 28],
  [{ dtype: 'bool', shape: [7] }, 7, 7],
  [{ dtype: 'complex64', shape: [7] }, 56, 56],
  [{ dtype: 'string', shape: [7] }, undefined, 7],
  [{ dtype: 'float32', shape: [7], ...quantized('float16') }, 14, 28],
  [{ dtype: 'float32', shape: [7], ...quantized('uint16', 0.5, 1) }, 14, 28],
  [{ dtype: 'float32', shape: [7], ...quantized('uint8', 0.5, 1) }, 7, 28],
];

test('bytes of a weight, stored and loaded', () => {
  for (const [spec, stored, loaded] of SIZES) {
    const named = { name: 'w', ...spec };
    assert.equal([storedBytes(named), loadedBytes(named)], [stored, loaded], JSON.stringify(spec));
  }
  assert.equal([sizeOf([]), sizeOf([2, 3, 4]), sizeOf([2, 0])], [1, 24, 0]);
});

test('weights lie one after the other in their groups, until one whose size nobody knows', () => {
  const spec = (name: string, dtype: WeightSpec['dtype'], shape: number[]): WeightSpec => ({ name, dtype, shape });
  const found = locateWeights([
    { paths: ['a.bin'], weights: [spec('a', 'float32', [3]), spec('b', 'bool', [5]), spec('c', 'int32', [2])] },
    { paths: ['b.bin'], weights: [spec('d', 'bool', [2]), spec('text', 'string', [1]), spec('e', 'bool', [2])] },
    { paths: ['c.bin'], weights: [spec('f', 'int32', [1])] },
  ]);
  assert.equal(
    [...found].map(([name, { group, offset, bytes }]) => [name, group, offset, bytes]),
    [
      ['a', 0, 0, 12],
      ['b', 0, 12, 5],
      ['c', 0, 17, 8],
      ['d', 1, 0, 2],
      ['f', 2, 0, 4],
    ],
  );
});

test('small: 64 values at most, of numbers', () => {
  const small = (dtype: WeightSpec['dtype'], shape: number[]) => isSmall({ name: 'w', dtype, shape });
  assert.ok(small('float32', [8, 8]) && small('bool', []) && small('int32', [64]));
  assert.not.ok(small('float32', [65]) || small('int32', [13, 5]));
  assert.not.ok(small('string', [1]) || small('complex64', [1]));
});

const BYTES = Uint8Array.from([0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0xff]);

/** The same eight bytes as every kind of weight; numpy's `frombuffer` has the same. */
const READ: ReadonlyArray<readonly [spec: Omit<WeightSpec, 'name'>, values: number[] | undefined]> = [
  [{ dtype: 'float32', shape: [4], ...quantized('float16') }, [1, -2, 2 ** -24, Number.NaN]],
  [{ dtype: 'int32', shape: [2] }, [-1073726464, -65535]],
  [{ dtype: 'bool', shape: [8] }, [0, 60, 0, 192, 1, 0, 255, 255]],
  [{ dtype: 'float32', shape: [8], ...quantized('uint8', 0.5, -1) }, [-1, 29, -1, 95, -0.5, -1, 126.5, 126.5]],
  [{ dtype: 'float32', shape: [8], ...quantized('uint8') }, [0, 60, 0, 192, 1, 0, 255, 255]],
  [{ dtype: 'float32', shape: [2, 2], ...quantized('uint16', 2, 3) }, [30723, 98307, 5, 131073]],
  [{ dtype: 'float32', shape: [4], ...quantized('uint16') }, [15360, 49152, 1, 65535]],
  [{ dtype: 'int32', shape: [3] }, undefined],
  [{ dtype: 'int32', shape: [1] }, undefined],
  [{ dtype: 'float32', shape: [8] }, undefined],
  [{ dtype: 'int32', shape: [0] }, []],
  [{ dtype: 'string', shape: [1] }, undefined],
  [{ dtype: 'complex64', shape: [1] }, undefined],
];

test('values of a small weight by its bytes; none where their number is another', () => {
  for (const [spec, values] of READ) {
    const read = constantFromBytes({ name: 'w', ...spec }, BYTES);
    assert.equal(read?.values, values, JSON.stringify(spec));
    if (values) assert.equal([read?.dtype, read?.shape], [spec.dtype, spec.shape]);
  }
  const floats = constantFromBytes({ name: 'w', dtype: 'float32', shape: [2] }, BYTES);
  assert.equal(floats?.values, [...new Float32Array(BYTES.slice().buffer)]);
  const behind = new Uint8Array([9, 9, ...BYTES]).subarray(2);
  assert.equal(constantFromBytes({ name: 'w', dtype: 'int32', shape: [2] }, behind)?.values, [-1073726464, -65535]);
});

const CONSTANTS: readonly ConstantValue[] = [
  { dtype: 'float32', shape: [2, 1], values: [0.5, -3] },
  { dtype: 'int32', shape: [3], values: [-1, 0, 2 ** 30] },
  { dtype: 'bool', shape: [], values: [1] },
];

test('constants go into their nodes and come back, by the names of their types and by their numbers', () => {
  const numbers = { float32: 1, int32: 3, bool: 10 };
  for (const constant of CONSTANTS) {
    const { tensor } = inlineConstant(constant);
    assert.equal(constantFromInline(tensor, 'c'), constant);
    assert.equal(constantFromInline({ ...tensor, dtype: numbers[constant.dtype] }, 'c'), constant);
    assert.is(constantBytes(constant).length, constant.values.length * (constant.dtype === 'bool' ? 1 : 4));
  }
});

test('what is written into a node is left alone where it is of another type, too long or too short', () => {
  const { tensor } = inlineConstant({ dtype: 'int32', shape: [64], values: Array(64).fill(7) });
  assert.is(constantFromInline(tensor, 'c')?.values.length, 64);
  assert.is(constantFromInline(undefined, 'c'), undefined);
  assert.is(constantFromInline({ ...tensor, tensorContent: '' }, 'c'), undefined);
  for (const dtype of ['DT_INT64', 'DT_HALF', 'DT_STRING', 'DT_COMPLEX64', 7, 9]) {
    assert.is(constantFromInline({ ...tensor, dtype }, 'c'), undefined, String(dtype));
  }
  const long = inlineConstant({ dtype: 'int32', shape: [65], values: Array(65).fill(7) }).tensor;
  assert.is(constantFromInline(long, 'c'), undefined);
  const short = { ...tensor, tensorShape: { dim: [{ size: '63' }] } };
  assert.is(constantFromInline(short, 'c'), undefined);
});

test('names: the first that is free', () => {
  const graph = Graph.create();
  const add = (name: string) => graph.add({ name, op: 'NoOp' }).node;
  assert.is(graph.uniqueName('a'), 'a');
  assert.equal([add(graph.uniqueName('a')), add(graph.uniqueName('a')), graph.uniqueName('a')], ['a', 'a_1', 'a_2']);
});

test('weights are known by the manifest, added ones by their values, and both as they were edited', () => {
  const graph = Graph.create();
  graph.add({ name: 'w', op: 'Const', attributes: { dtype: attr.type('float32') } });
  const spec: WeightSpec = { name: 'w', dtype: 'float32', shape: [2, 3, 4] };
  graph.setWeightGroups([{ paths: ['a.bin'], weights: [spec] }]);
  graph.addConstant('c', { dtype: 'int32', shape: [2, 3], values: [1, 2, 3, 4, 5, 6] });
  assert.is(graph.weight('none'), undefined);
  assert.equal(graph.weight('w'), spec);
  graph.editWeight('w', { transpose: [2, 0, 1] });
  assert.equal(graph.weight('w')?.shape, [4, 2, 3]);
  graph.editWeight('w', { transpose: [1, 2, 0] });
  assert.equal([graph.weight('w'), graph.weightEdits.size], [spec, 0], 'two that undo each other');
  graph.editWeight('c', { transpose: [1, 0] });
  assert.equal(graph.weight('c'), { name: 'c', dtype: 'int32', shape: [3, 2] });
  assert.equal(graph.constant('c')?.values, [1, 4, 2, 5, 3, 6]);
  assert.equal(
    graph.addedBytes().map((bytes) => [...new Int32Array(bytes.buffer)]),
    [[1, 4, 2, 5, 3, 6]],
  );
  assert.throws(() => graph.editWeight('none', { transpose: [] }), /weight "none": is not there/);
  for (const transpose of [
    [0, 1],
    [0, 1, 1],
    [0, 1, 3],
    [0, 1, 2, 3],
  ]) {
    assert.throws(() => graph.editWeight('w', { transpose }), /weight "w": has the shape \[2,3,4\]/);
  }
});

test.run();
