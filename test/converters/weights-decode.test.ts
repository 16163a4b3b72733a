import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openCheckpoint } from '../../converters/checkpoint/index.ts';
import { openSingle, pickSources } from '../../converters/checkpoint/shards.ts';
import { UNET, unetTensors } from '../../converters/unet/index.ts';
import { Scratch, storedDtype, type TensorSource, weightEntry } from '../../converters/weights/index.ts';
import { decodeStored, float8ToHalves, halfToFloat, toFloat32Array } from '../../src/tensors/index.ts';
import { failsWith } from '../support/errors.ts';
import { fixture } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { floats, type RawTensor, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('weights in eight bits, with scales and without, and in sixty-four');

/** All eight-bit floats but those that are no numbers, which torch has decoded. */
const DECODED = new Uint16Array(
  (
    decodeStored(readFileSync(fixture('adapters/goldens.safetensors'))).get('float8/F8_E4M3')?.bytes ?? new Uint8Array()
  ).slice().buffer,
);
const BITS = Uint8Array.from({ length: 120 }, (_, index) => index);
const VALUES = Float32Array.from(BITS, (bits) => halfToFloat(DECODED[bits] ?? 0));

const narrow = (...shape: number[]): RawTensor => ({ dtype: 'F8_E4M3', shape, bytes: BITS });
const bytes = (dtype: string, shape: readonly number[], values: ArrayLike<number>): RawTensor => {
  return { dtype, shape, bytes: Uint8Array.from(values) };
};

/** The tensors of a file, as a conversion sees them. */
async function sourcesOf(
  tensors: Record<string, RawTensor>,
  look: (sources: ReadonlyMap<string, TensorSource>) => Promise<void>,
): Promise<void> {
  const path = join(temporaryFolder(), 'model.safetensors');
  writeTensors(path, new Map(Object.entries(tensors)));
  const shards = await openSingle(path);
  try {
    await look(pickSources(shards, 'model.').tensors);
  } finally {
    await Promise.all(shards.files.map((file) => file.close()));
  }
}

async function valuesOf(source: TensorSource | undefined): Promise<Float32Array> {
  const read = (await source?.read()) ?? new Uint8Array();
  return toFloat32Array(read.slice(), source?.dtype === 'F32' ? 'F32' : 'F16');
}

test('eight-bit floats are read as halves, whole and in part, into memory that is given and without', async () => {
  await sourcesOf({ 'model.a.weight': narrow(10, 12) }, async (sources) => {
    const source = sources.get('a.weight');
    assert.is(source?.dtype, 'F16');
    assert.equal(await valuesOf(source), VALUES);
    const whole = (await source?.read())?.slice() ?? new Uint8Array();
    for (const [begin, end] of [
      [0, 240],
      [24, 48],
      [5, 9],
    ] as const) {
      assert.equal((await source?.readRange(begin, end))?.slice(), whole.slice(begin, end));
      const into = new Uint8Array(240);
      assert.equal((await source?.readRange(begin, end, into))?.slice(), whole.slice(begin, end));
    }
    const entry = source && weightEntry('w', source, { dtype: 'float32', layout: 'matrix' });
    const turned = new Float32Array((await entry?.produce(new Scratch()))?.slice().buffer ?? new ArrayBuffer(0));
    assert.is(turned[1], VALUES[12], 'transposed');
  });
});

test('float64 is rounded to float32', async () => {
  const raw: RawTensor = { dtype: 'F64', shape: [2], bytes: new Uint8Array(Float64Array.of(0.1, -7).buffer) };
  await sourcesOf({ 'model.a.weight': raw }, async (sources) => {
    assert.equal([...(await valuesOf(sources.get('a.weight')))], [Math.fround(0.1), -7]);
  });
});

const SCALED: ReadonlyArray<
  readonly [what: string, beside: Record<string, RawTensor>, scaleOf: (row: number) => number]
> = [
  ['scale_weight', { scale_weight: floats([], [0.375]), scale_input: floats([1], [3]) }, () => 0.375],
  ['scale_weight of one value', { scale_weight: floats([1], [-0.3]) }, () => Math.fround(-0.3)],
  [
    'weight_scale',
    { weight_scale: floats([], [0.01]), input_scale: floats([], [9]), comfy_quant: bytes('U8', [2], [123, 125]) },
    () => Math.fround(0.01),
  ],
  ['one a row', { weight_scale: floats([10, 1], BITS.slice(1, 11)) }, (row) => row + 1],
  ['one a row, flat', { weight_scale: floats([10], BITS.slice(1, 11)) }, (row) => row + 1],
];

for (const [what, beside, scaleOf] of SCALED) {
  test(`${what}: values are multiplied by it, and what says so is no weight`, async () => {
    const others = Object.entries(beside).map(([name, tensor]) => [`model.a.${name}`, tensor]);
    const marks = { 'model.scaled_fp8': bytes('F8_E4M3', [0], []), 'model.a.bias': floats([1], [2]) };
    await sourcesOf({ ...marks, 'model.a.weight': narrow(10, 12), ...Object.fromEntries(others) }, async (sources) => {
      assert.equal([...sources.keys()].sort(), ['a.bias', 'a.weight']);
      const source = sources.get('a.weight');
      const expected = VALUES.map((value, index) => value * scaleOf(Math.floor(index / 12)));
      assert.equal(await valuesOf(source), expected);
      assert.is(source && storedDtype('auto', source), 'float16', 'no larger than a model in halves');
      const part = await source?.readRange(16, 200, new Uint8Array(184));
      assert.equal(toFloat32Array(part?.slice() ?? new Uint8Array(), 'F32'), expected.slice(4, 50));
    });
  });
}

test('scales of blocks are refused by name, and so are whole numbers with a scale', async () => {
  const blocks = { 'model.a.weight': narrow(10, 12), 'model.a.weight_scale': floats([10, 2], BITS.slice(0, 20)) };
  await failsWith(
    'unsupported',
    /"model.a.weight_scale": is \[10, 2\], which is neither one scale nor one for each row/,
    () => sourcesOf(blocks, async () => undefined),
  );
  const whole = { 'model.a.weight': bytes('I8', [2, 2], [1, 2, 3, 4]), 'model.a.weight_scale': floats([], [2]) };
  await sourcesOf(whole, async (sources) => {
    const source = sources.get('a.weight');
    await failsWith('unsupported', /is I8; weights are read from/, async () => {
      if (source) storedDtype('auto', source);
    });
  });
});

test('a UNet in scaled eight bits, in LDM names, is the same UNet', async () => {
  const file = join(temporaryFolder(), 'scaled.safetensors');
  const scaled = [...readTensors(readFileSync(unetGoldens('sd15').ldm))].flatMap(
    ([name, tensor]): [string, RawTensor][] => {
      if (tensor.shape.length < 2) return [[name, tensor]];
      const narrowed = {
        ...tensor,
        dtype: 'F8_E4M3',
        bytes: Uint8Array.from(
          tensor.bytes.filter((_, i) => i % 2),
          (b) => b % 120,
        ),
      };
      return [
        [name, narrowed],
        [name.replace(/weight$/, 'scale_weight'), floats([], [0.25])],
      ];
    },
  );
  writeTensors(file, new Map([...scaled, ['model.diffusion_model.scaled_fp8', bytes('F8_E4M3', [0], [])]]));
  const checkpoint = await openCheckpoint(file, UNET);
  const { tensors, unknown } = unetTensors(checkpoint);
  assert.equal(unknown, []);
  const source = tensors.get('conv_in.weight');
  const raw = scaled.find(([name]) => name === source?.name)?.[1].bytes ?? new Uint8Array();
  const halves = float8ToHalves(raw, 'F8_E4M3', new Uint16Array(raw.length));
  assert.equal(
    [...(await valuesOf(source))],
    Array.from(halves, (half) => 0.25 * halfToFloat(half)),
  );
  await checkpoint.close();
});

test.run();
