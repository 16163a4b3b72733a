import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { UpJoint } from '../../src/attention/index.ts';
import { attr, Graph } from '../../src/graph/index.ts';
import { type BackendName, loadModel } from '../../src/node.ts';
import { strengthenBackbone } from '../../src/passes/freeu/backbone.ts';
import { FREEU, FREEU_PARAMETERS, type FreeuOptions } from '../../src/passes/freeu/definition.ts';
import { scopesOf } from '../../src/passes/freeu/scope.ts';
import { scaleSkip, wavesOf } from '../../src/passes/freeu/skip.ts';
import { type JointStages, type Stage, stagedJoints } from '../../src/passes/freeu/stages.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, ints, writeTiny } from '../support/tiny-model.ts';

const test = suite('FreeU, its arithmetic');

const backend = (process.env.SLOTHFUL_BACKEND ?? 'wasm') as BackendName;
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

/** An odd number: its half is rounded down. */
const CHANNELS = 3;
const SIZES = [
  [1, 1],
  [1, 5],
  [2, 1],
  [2, 2],
  [3, 2],
  [6, 7],
] as const;

test('grids of any size, a pixel too: what the sums and the means that define it give', async () => {
  const graph = Graph.create();
  const input = (name: string, shape: readonly number[]) =>
    graph.add({
      name,
      op: 'Placeholder',
      attributes: { dtype: attr.type('float32'), shape: attr.shape(shape) },
    });
  const scope = scopesOf(graph, 'freeu')('0');
  const image = input('image', [-1, -1, -1, CHANNELS]);
  const strength = input('strength', [1, 1]);
  const even = input('even', [1, 1]);
  scope.op('skip', 'Identity', [scaleSkip(scope, image, CHANNELS, wavesOf(scope, image), strength)]);
  scope.op('main', 'Identity', [strengthenBackbone(scope, image, CHANNELS, { strength, even })]);
  writeTiny(at('parts'), graph, constantsOf(graph));
  const model = await loadModel(at('parts'), { backend });
  for (const [rows, columns] of SIZES) {
    for (const [strength, even] of [
      [0.3, 0],
      [1.5, 1],
      [1, 0],
    ] as const) {
      const values = pseudoRandom(2 * rows * columns * CHANNELS, rows + columns);
      const shape: [number, number, number, number] = [2, rows, columns, CHANNELS];
      const feeds = { image: tf.tensor(values, shape), strength: tf.tensor([[strength]]), even: tf.tensor([[even]]) };
      const results = model.execute(feeds, ['freeu/0/skip', 'freeu/0/main']);
      const [skip = [], main = []] = ['freeu/0/skip', 'freeu/0/main'].map((name) => results[name]?.dataSync() ?? []);
      const low = lowFrequencies(values, shape);
      const scaled = values.map((value, index) => value + (strength - 1) * (low[index] ?? 0));
      const what = `${rows} x ${columns}, ${strength}, ${even}`;
      assert.ok(largestDifference(skip, scaled) <= 1e-5, `skip, ${what}`);
      assert.ok(largestDifference(main, strengthened(values, shape, strength, even)) <= 1e-5, `backbone, ${what}`);
      if (strength === 1) assert.equal([...main], [...values], 'exactly as it was');
      tf.dispose([feeds, results]);
    }
  }
  model.dispose();
});

/** `h (1 + (b - 1) M)` for the first half of the channels, as `demo/free_lunch_utils.py` of the authors has it. */
function strengthened(
  values: Float32Array,
  [batch, rows, columns, channels]: readonly [number, number, number, number],
  strength: number,
  even: number,
): Float32Array {
  const area = rows * columns;
  const result = values.slice();
  for (let item = 0; item < batch; item++) {
    const means = Array.from({ length: area }, (_, pixel) => {
      const first = (item * area + pixel) * channels;
      return values.subarray(first, first + channels).reduce((sum, value) => sum + value, 0) / channels;
    });
    const [low, high] = [Math.min(...means), Math.max(...means)];
    means.forEach((mean, pixel) => {
      // Where the mean is the same everywhere the authors divide by 0; a map of nothing is 0 here.
      const map = even ? 1 : high > low ? (mean - low) / (high - low) : 0;
      for (let channel = 0; channel < Math.floor(channels / 2); channel++) {
        const index = (item * area + pixel) * channels + channel;
        result[index] = (values[index] ?? 0) * (1 + (strength - 1) * map);
      }
    });
  }
  return result;
}

/** The part of images that the four lowest frequencies have, by its definition: a sum over all pairs of pixels. */
function lowFrequencies(
  values: Float32Array,
  [batch, rows, columns, channels]: readonly [number, number, number, number],
) {
  const own = (size: number) => [...new Set([0, (size - 1) % size])];
  return values.map((_, index) => {
    const channel = index % channels;
    const pixel = Math.floor(index / channels) % (rows * columns);
    const first = Math.floor(index / (rows * columns * channels)) * rows * columns * channels;
    assert.ok(first < batch * rows * columns * channels);
    let sum = 0;
    for (const fy of own(rows)) {
      for (const fx of own(columns)) {
        for (let other = 0; other < rows * columns; other++) {
          const y = Math.floor(pixel / columns) - Math.floor(other / columns);
          const x = (pixel % columns) - (other % columns);
          const angle = 2 * Math.PI * ((fy * y) / rows + (fx * x) / columns);
          sum += (values[first + other * channels + channel] ?? 0) * Math.cos(angle);
        }
      }
    }
    return sum / (rows * columns);
  });
}

function constantsOf(graph: Graph) {
  return [...graph.addedConstants].map(([name, { dtype, shape, values }]) =>
    (dtype === 'int32' ? ints : floats)(name, [...shape], [...values].map(Number)),
  );
}

/** Joints of these widths in up blocks, by what they join: channels from below and of the skip connection. */
function joints(...blocks: (readonly (readonly [main: number | undefined, skip: number])[])[]): UpJoint[] {
  const at = (node: string) => ({ node, output: 0 });
  return blocks.flatMap((widths, block) =>
    widths.map(([main, skip], index): UpJoint => {
      const name = `up${block}.${index}`;
      return { joint: name, block, main: at(`${name}.main`), skip: at(`${name}.skip`), channels: { main, skip } };
    }),
  );
}

const SD15 = joints(
  [
    [1280, 1280],
    [1280, 1280],
    [1280, 1280],
  ],
  [
    [1280, 1280],
    [1280, 1280],
    [1280, 640],
  ],
  [
    [1280, 640],
    [640, 640],
    [640, 320],
  ],
  [
    [640, 320],
    [320, 320],
    [320, 320],
  ],
);
const SDXL = joints(
  [
    [1280, 1280],
    [1280, 1280],
    [1280, 640],
  ],
  [
    [1280, 640],
    [640, 640],
    [640, 320],
  ],
  [
    [640, 320],
    [320, 320],
    [320, 320],
  ],
);
/** Four widths of its own, none of them 4 times the first. */
const SMALL = joints(
  [
    [48, 48],
    [48, 32],
  ],
  [
    [48, 32],
    [32, 16],
  ],
  [
    [32, 16],
    [16, 16],
  ],
);

const stages = (list: readonly { readonly stages: JointStages }[], rule: keyof JointStages) =>
  list.map((joint) => joint.stages[rule]).join('');

/** By `channels == 1280` and `== 640` of the authors, ComfyUI's 4 and 2 times `model_channels`, diffusers' block index. */
const STAGES: ReadonlyArray<readonly [what: string, UpJoint[], Readonly<Record<keyof JointStages, string>>]> = [
  ['SD1.5', SD15, { original: '1111111222', comfyui: '1111111222', diffusers: '1112220000' }],
  ['SDXL', SDXL, { original: '1111222', comfyui: '1111222', diffusers: '1112220' }],
  ['widths of its own', SMALL, { original: '11122', comfyui: '00022', diffusers: '11220' }],
  [
    'a width that is not known',
    joints([[undefined, 32]], [[32, 16]]),
    { original: '02', comfyui: '02', diffusers: '12' },
  ],
];

for (const [what, all, wanted] of STAGES) {
  test(`${what}: which joints each of the rules acts on`, () => {
    const staged = stagedJoints(all);
    assert.equal(
      staged.map(({ joint }) => joint),
      all.slice(0, staged.length).map(({ joint }) => joint),
    );
    for (const rule of ['original', 'comfyui', 'diffusers'] as const)
      assert.is(stages(staged, rule), wanted[rule], rule);
  });
}

/** One joint of each pair of stages; what it is fed. */
function rowsOf(options: FreeuOptions): number[][] {
  const parameters = Object.fromEntries(Object.entries(FREEU_PARAMETERS).map(([name, each]) => [name, each.default]));
  const of = (original: Stage, comfyui: Stage, diffusers: Stage) => ({ original, comfyui, diffusers });
  const record = [of(1, 2, 0), of(2, 0, 1), of(0, 1, 2)].map((each, index) => {
    return { joint: `j${index}`, main: 'm', skip: 's', stages: each };
  });
  const call = { parameters: { ...parameters, ...options }, sigma: 1, latent: { height: 8, width: 8 } };
  const feeds = FREEU.feeds?.(call as Parameters<NonNullable<typeof FREEU.feeds>>[0], {
    inputs: ['freeu'],
    joints: record,
  });
  const values = Array.from(feeds?.freeu ?? []);
  return [0, 3, 6].map((first) => values.slice(first, first + 3));
}

const OFF = [1, 1, 0];
const GIVEN: FreeuOptions = { b1: 2, b2: 3, s1: 4, s2: 5 };

test('a row a joint: the strengths of its stage by the variant, and whether evenly', () => {
  const one = (even: number) => [2, 4, even];
  const two = (even: number) => [3, 5, even];
  assert.equal(rowsOf({ ...GIVEN, variant: 'original-v2' }), [one(0), two(0), OFF]);
  assert.equal(rowsOf({ ...GIVEN, variant: 'original-v1' }), [one(1), two(1), OFF]);
  assert.equal(rowsOf({ ...GIVEN, variant: 'comfyui-v2' }), [two(0), OFF, one(0)]);
  assert.equal(rowsOf({ ...GIVEN, variant: 'comfyui-v1' }), [two(1), OFF, one(1)]);
  assert.equal(rowsOf({ ...GIVEN, variant: 'diffusers' }), [OFF, one(1), two(1)]);
});

test("the defaults are those of ComfyUI's FreeU_V2", () => {
  assert.equal(rowsOf({}), [[1.3, 0.9, 0], [1.4, 0.2, 0], OFF]);
});

for (const name of ['b1', 'b2', 's1', 's2'] as const) {
  test(`${name} of 0 turns it off, and is a number for ComfyUI's`, () => {
    assert.equal(rowsOf({ ...GIVEN, [name]: 0 }), [OFF, OFF, OFF]);
    assert.equal(rowsOf({ ...GIVEN, [name]: 0, variant: 'diffusers' }), [OFF, OFF, OFF]);
    const asNumber = rowsOf({ ...GIVEN, [name]: 0, variant: 'comfyui-v2' });
    assert.ok(asNumber.flat().slice(0, 2).concat(asNumber.flat().slice(6, 8)).includes(0));
  });
}

test.run();
