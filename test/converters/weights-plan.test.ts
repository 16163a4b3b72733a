import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PlannedWeight } from '../../converters/nn/index.ts';
import {
  checkTensors,
  type NamedTensors,
  storedDtype,
  type TensorSource,
  weightEntries,
} from '../../converters/weights/index.ts';
import { countNonFinite, flawNotes } from '../../converters/weights/non-finite.ts';
import { toFloatBytes } from '../../src/tensors/index.ts';
import { thrown } from './support.ts';

const test = suite('weights: plans, and values that are no numbers');

function sourceOf(name: string, shape: readonly number[], dtype = 'F16'): TensorSource {
  const read = async () => new Uint8Array(0);
  return { name: `file.${name}`, dtype, shape, file: 'm.safetensors', read, readRange: read };
}

function planOf(name: string, sourceShape: readonly number[], layout: PlannedWeight['layout']): PlannedWeight {
  return { name: `graph/${name}`, source: name, shape: sourceShape, sourceShape, layout };
}

function checkpoint(sources: Readonly<Record<string, TensorSource>>, unknown: readonly string[] = []): NamedTensors {
  return { tensors: new Map(Object.entries(sources)), unknown, nameInFile: (name) => `its.${name}` };
}

/** A linear layer may be stored as a 1x1 convolution and the other way round; nothing else may be another shape. */
const SHAPES: ReadonlyArray<
  readonly [layout: PlannedWeight['layout'], planned: readonly number[], stored: readonly number[], fits: boolean]
> = [
  ['matrix', [4, 6], [4, 6], true],
  ['matrix', [4, 6], [4, 6, 1, 1], true],
  ['matrix', [4, 6, 1, 1], [4, 6], true],
  ['matrix', [4, 6], [4, 6, 1, 2], false],
  ['matrix', [4, 6], [4, 6, 2, 1], false],
  ['matrix', [4, 6], [4, 6, 3, 3], false],
  ['matrix', [4, 6], [4, 6, 1], false],
  ['matrix', [4, 6], [6, 4], false],
  ['matrix', [4, 6], [4, 5], false],
  ['conv', [4, 6, 1, 1], [4, 6, 1, 1], true],
  ['conv', [4, 6, 1, 1], [4, 6], false],
  ['conv', [4, 6, 3, 3], [4, 6, 3, 1], false],
  ['as-is', [4], [4], true],
  ['as-is', [4], [5], false],
  ['as-is', [4], [4, 1], false],
  ['as-is', [4, 6], [4, 6, 1, 1], false],
];

for (const [layout, planned, stored, fits] of SHAPES) {
  test(`${layout} [${planned}] of a tensor [${stored}]: ${fits ? 'fits' : 'is refused'}`, () => {
    const check = () => checkTensors([planOf('w', planned, layout)], checkpoint({ w: sourceOf('w', stored) }), 'm');
    if (fits) check();
    else {
      const says = `m: has tensors of the wrong shape: file.w is [${stored.join(', ')}], expected [${planned.join(', ')}]`;
      assert.ok(thrown(check).message.startsWith(says), thrown(check).message);
    }
  });
}

test('what is missing is told by the names of the file, and counted once', () => {
  const plans = [planOf('a', [2], 'as-is'), planOf('b', [2], 'as-is'), planOf('b', [2], 'as-is')];
  const check = () => checkTensors(plans, checkpoint({ a: sourceOf('a', [2]) }), 'm');
  assert.match(thrown(check).message, /^m: lacks 1 of 2 tensors: its\.b; /);
});

test('what is left over is refused, known by its name or not', () => {
  const plans = [planOf('a', [2], 'as-is')];
  const check = (sources: Readonly<Record<string, TensorSource>>, unknown: readonly string[]) => () =>
    checkTensors(plans, checkpoint({ a: sourceOf('a', [2]), ...sources }, unknown), 'm');
  check({}, [])();
  assert.match(thrown(check({ c: sourceOf('c', [1]) }, [])).message, /has 1 tensors that .*: file\.c; only plain/);
  assert.match(thrown(check({}, ['odd'])).message, /has 1 tensors that .*: odd; only plain/);
  assert.match(thrown(check({ c: sourceOf('c', [1]) }, ['odd'])).message, /has 2 tensors .*: file\.c, odd;/);
});

test('the dtype of a weight: as it was asked, or as the tensor has it', () => {
  const dtypes = ['F32', 'F16', 'BF16'].map((dtype) => storedDtype('auto', sourceOf('w', [1], dtype)));
  assert.equal(dtypes, ['float32', 'float16', 'float16']);
  for (const choice of ['float16', 'float32'] as const) {
    for (const dtype of ['F32', 'F16']) assert.is(storedDtype(choice, sourceOf('w', [1], dtype)), choice);
  }
  const plans = [planOf('a', [4, 6], 'matrix'), planOf('b', [3], 'as-is')];
  const given = checkpoint({ a: sourceOf('a', [4, 6], 'F32'), b: sourceOf('b', [3]) });
  assert.equal(
    weightEntries(plans, given, 'm', 'auto').map(({ spec }) => [spec.name, spec.shape, spec.quantization?.dtype]),
    [
      ['graph/a', [6, 4], undefined],
      ['graph/b', [3], 'float16'],
    ],
  );
});

const NONE = Number.NaN;
const FAR = Number.POSITIVE_INFINITY;

/** Places of values that are none, among numbers as large and as small as half floats have. */
const VALUES: readonly (readonly number[])[] = [
  [],
  [1],
  [NONE],
  [NONE, 1],
  [1, NONE],
  [1, -FAR, 1],
  [1, 1, FAR],
  [NONE, FAR, -FAR, 0],
  [65504, -65504, 0, -0, 2 ** -24, 1, -1, 0.5],
  [65504, -65504, NONE, -65504, 65504],
  [-65504, NONE, -65504, -65504, 65504, FAR],
];

for (const dtype of ['F16', 'BF16', 'F32'] as const) {
  test(`${dtype}: NaN and infinities are counted wherever they are`, () => {
    const size = dtype === 'F32' ? 4 : 2;
    for (const values of VALUES) {
      const wanted = values.filter((value) => !Number.isFinite(value)).length;
      const bytes = toFloatBytes(Float32Array.from(values), dtype);
      assert.is(countNonFinite(bytes, dtype), wanted, `${values}`);
      // A value further into its buffer: no longer at a whole word for 16 bits.
      const moved = new Uint8Array(bytes.length + size);
      moved.set(bytes, size);
      assert.is(countNonFinite(moved.subarray(size), dtype), wanted, `${values}, moved`);
    }
  });
}

test('one line about tensors with such values, each counted over its parts', () => {
  const flaw = (place: string, count: number) => ({ place, count });
  assert.equal(flawNotes([flaw('a', 0), flaw('b', 0)]), []);
  assert.match(flawNotes([flaw('a', 0), flaw('b', 3)])[0] ?? '', /^a tensor has values that .*: b \(3\)$/);
  assert.match(flawNotes([flaw('a', 2), flaw('b', 3), flaw('a', 5)])[0] ?? '', /^2 tensors have .*: a \(7\), b \(3\)$/);
});

test.run();
