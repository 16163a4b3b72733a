import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readAttentionRecord } from '../../src/attention/index.ts';
import {
  defaultConfig,
  denoise,
  makeScheduler,
  type PredictOptions,
  parseParameters,
  patchModel,
  readModel,
  type Scheduler,
  sigmaOfTimestep,
  slothful,
  type UNet,
} from '../../src/node.ts';
import { attentionNodes, type PagOptions, pag } from '../../src/passes/index.ts';
import { moduleNames } from '../../src/passes/module-names.ts';
import { namePattern } from '../../src/passes/pag/name-pattern.ts';
import { planGraph } from '../../src/reports/index.ts';
import { failsWith } from '../support/errors.ts';
import { readJson } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { passGoldens } from '../support/pass-goldens.ts';
import { FAMILIES, type FamilyName } from '../support/unet-goldens.ts';

const test = suite('perturbed-attention guidance');

interface PagCase {
  readonly name: string;
  readonly family: FamilyName;
  readonly timestep: number;
  readonly params: {
    readonly pag_applied_layers: readonly string[];
    readonly pag_scale: number;
    readonly pag_adaptive_scale: number;
    readonly guidance_scale: number;
  };
  readonly inputs: Readonly<Record<string, string>>;
  readonly out: string;
  readonly parts: Readonly<Partial<Record<'uncond' | 'cond' | 'perturbed', string>>>;
  readonly perturbed_sites: readonly string[];
  readonly effective_scale: number;
}

const CASES = readJson<PagCase[]>('passes/pag/cases.json');
const { at, backend, convert, tensorOf, withModel } = passGoldens('pag');
const optionsOf = ({ params }: PagCase): PagOptions => ({
  scale: params.pag_scale,
  adaptive_scale: params.pag_adaptive_scale,
  layers: params.pag_applied_layers.join('|'),
});
/** A layer that every family has. */
const LAYERS = 'up_blocks.0|up_blocks.1';

test.before(convert);

/** One row of a fixture's tensor. */
function rowOf(name: string, row: number): { shape: number[]; data: Float32Array } {
  const { shape, data } = tensorOf(name);
  const [count = 1, ...rest] = shape;
  const size = data.length / count;
  return { shape: [1, ...rest], data: Float32Array.from(data.slice(row * size, (row + 1) * size)) };
}

/** A sample with its channels last. */
function sampleOf({ inputs }: PagCase): { shape: number[]; data: Float32Array } {
  return tf.tidy(() => {
    const { shape, data } = rowOf(inputs.sample ?? '', 0);
    const turned = tf.transpose(tf.tensor(data, shape), [0, 2, 3, 1]);
    return { shape: turned.shape, data: Float32Array.from(turned.dataSync()) };
  });
}

function toldOf({ inputs }: PagCase, row: number) {
  const names = Object.entries(inputs).filter(([name]) => name !== 'sample');
  return Object.fromEntries(names.map(([name, tensor]) => [name, rowOf(tensor, row)]));
}

const ROWS = { uncond: 0, cond: 1, perturbed: 1 } as const;

/** The model's answers to the parts of a case, in one batch, NCHW. */
function answers(
  unet: UNet,
  each: PagCase,
  passes: NonNullable<PredictOptions['passes']> = { pag: optionsOf(each) },
): Float32Array[] {
  const parts = (['uncond', 'cond', 'perturbed'] as const).filter((part) => each.parts[part] !== undefined);
  return tf.tidy(() => {
    const { shape, data } = rowOf(each.inputs.sample ?? '', 0);
    const sample = tf.concat(parts.map(() => tf.tensor4d(data, shape as [number, number, number, number])));
    const told = Object.entries(each.inputs).flatMap(([name, tensor]) => {
      if (name === 'sample') return [];
      const rows = parts.map((part) => rowOf(tensor, ROWS[part]));
      return [[name, tf.concat(rows.map((row) => tf.tensor(row.data, row.shape)))] as const];
    });
    const options = { layout: 'nchw', parts, passes } as const;
    const { out_sample } = unet.predict({ ...Object.fromEntries(told), sample, timestep: each.timestep }, options);
    return tf.split(out_sample, parts.length).map((answer) => Float32Array.from(answer.dataSync()));
  });
}

for (const family of FAMILIES) {
  const cases = CASES.filter((each) => each.family === family);

  test(`${family}: goldens of diffusers, every part, on ${backend}`, async () => {
    assert.ok(cases.length);
    await withModel(family, { passes: [attentionNodes(), pag({ layers: LAYERS })] }, (unet) => {
      for (const each of cases) {
        const before = tf.memory().numTensors;
        const given = answers(unet, each);
        assert.is(tf.memory().numTensors, before, 'no tensor is left');
        Object.values(each.parts).forEach((tensor, index) => {
          const difference = largestDifference(given[index] ?? [], tensorOf(tensor).data);
          assert.ok(difference <= 1e-4, `${tensor} differs by ${difference}`);
        });
        assert.ok(
          Math.abs((unet.steeringOf({ passes: { pag: optionsOf(each) } }, each.timestep) ?? 0) - each.effective_scale) <
            1e-9,
        );
      }
    });
  });

  test(`${family}: a step of a run is what diffusers' guidance makes of the parts`, async () => {
    await withModel(family, { passes: [attentionNodes(), pag({ layers: LAYERS })] }, async (unet) => {
      for (const each of cases) {
        const { shape, data } = sampleOf(each);
        const [, height = 0, width = 0] = shape;
        let answered: Float32Array | undefined;
        const scheduler = keeper(each.timestep, (output) => {
          answered = output;
        });
        const run = denoise({
          ...{ unet, scheduler, height, width, noise: { initial: data } },
          ...{ cond: toldOf(each, 1), uncond: toldOf(each, 0), guidanceScale: each.params.guidance_scale },
          passes: { pag: optionsOf(each) },
        });
        for await (const step of run) assert.is(step.index, 0);
        const expected = tf.tidy(() => {
          const { data: values, shape: dims } = tensorOf(each.out);
          return Float32Array.from(tf.transpose(tf.tensor(values, dims), [0, 2, 3, 1]).dataSync());
        });
        const difference = largestDifference(answered ?? [], expected);
        assert.ok(difference <= 1e-3, `${each.out} differs by ${difference}`);
      }
    });
  });
}
/** A schedule of one step that keeps what the model answered, after guidance. */
function keeper(timestep: number, keep: (output: Float32Array) => void): Scheduler {
  return {
    ...makeScheduler(defaultConfig('ddim'), 1),
    ...{ timesteps: [timestep], sigmas: [sigmaOfTimestep(timestep)], initNoiseSigma: 1 },
    needsNoise: () => false,
    scaleInput: (sample) => sample,
    step(_, { modelOutput, sample }) {
      keep(modelOutput);
      return { sample, predictedOriginal: sample };
    },
  };
}

test('off is the plain model: a scale of 0, or a batch that has no perturbed part', async () => {
  const [each] = CASES;
  assert.ok(each);
  const steered = await withModel('sd15', { passes: [attentionNodes(), pag()] }, (unet) => {
    assert.is(unet.steeringOf({ passes: { pag: { scale: 0 } } }, 500), undefined);
    assert.is(unet.steeringOf({ passes: { pag: false } }, 500), undefined);
    assert.is(unet.steeringOf({ slothful: false }, 500), undefined);
    return answers(unet, { ...each, params: { ...each.params, pag_scale: 0 } });
  });
  await withModel('sd15', { passes: [attentionNodes()] }, (unet) => {
    const plain = answers(unet, each, {});
    plain.forEach((answer, part) => {
      assert.ok(largestDifference(answer, steered[part] ?? []) <= 1e-5);
    });
  });
});

test('with Slothful Attention the perturbed part stays as it is without', async () => {
  const [each] = CASES;
  assert.ok(each);
  const passes = { pag: { layers: 'attn1' }, slothful: { in_strength: 12, out_strength: 12, keep_middle: false } };
  const [, , alone] = await withModel('sd15', { passes: [pag()] }, (unet) => answers(unet, each, { pag: passes.pag }));
  await withModel('sd15', { passes: [slothful(), pag()] }, (unet) => {
    const [, pooled, perturbed] = answers(unet, each, passes);
    const [, plain] = answers(unet, each, { ...passes, slothful: { in_strength: 0, out_strength: 0 } });
    assert.ok(largestDifference(perturbed ?? [], alone ?? []) <= 1e-5, 'every self-attention is perturbed');
    assert.ok(largestDifference(pooled ?? [], plain ?? []) > 1e-3, 'the part beside it is pooled');
  });
});

for (const family of FAMILIES) {
  test(`${family}: layers are those that diffusers takes`, async () => {
    const { graph } = await readModel(at(family));
    await graph.transform(attentionNodes());
    const names = [
      ...moduleNames(readAttentionRecord(graph)?.sites.filter(({ kind }) => kind === 'self') ?? []).values(),
    ];
    assert.ok(names.length);
    for (const { perturbed_sites, params } of CASES.filter((each) => each.family === family)) {
      const matches = namePattern(params.pag_applied_layers.join('|'), 'test');
      assert.equal(names.filter(matches).sort(), [...perturbed_sites].sort());
    }
  });
}

test('names follow from ids where an exporter has others', () => {
  const site = { kind: 'self', downscale: 4, heads: 1, headDim: 1, channels: 1, node: 'n', scope: 'model/x' } as const;
  const sites = [
    { ...site, id: 'input.1.0.3', block: 'input', level: 1 },
    { ...site, id: 'middle.2.0.0', block: 'middle', level: 2 },
    { ...site, id: 'output.1.2.0', block: 'output', level: 1 },
  ] as const;
  assert.equal(
    [...moduleNames(sites).values()],
    [
      'down_blocks.1.attentions.0.transformer_blocks.3.attn1',
      'mid_block.attentions.0.transformer_blocks.0.attn1',
      'up_blocks.1.attentions.2.transformer_blocks.0.attn1',
    ],
  );
});

test('patterns are unanchored regular expressions, and match in a time that grows with the name alone', () => {
  const name = 'down_blocks.2.attentions.10.transformer_blocks.1.attn1';
  const table: readonly [pattern: string, matches: boolean][] = [
    ['mid', false],
    ['blocks.1', true],
    ['down_blocks.2', true],
    ['downxblocks.2', false],
    ['mid|attentions.10', true],
    ['attentions\\.1', true],
    ['attentions\\.\\d+\\.t', true],
    ['^down', true],
    ['^blocks', false],
    ['attn1$', true],
    ['attn$', false],
    ['do?w*n.*attn', true],
    ['d.?n_', false],
    ['a+tt', true],
  ];
  for (const [pattern, matches] of table) {
    assert.is(namePattern(pattern, 'test')(name), matches, pattern);
    assert.is(new RegExp(pattern).test(name), matches, `${pattern} as a regular expression`);
  }
  assert.not(namePattern('a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b', 'test')('a'.repeat(2000)));
  for (const pattern of ['', 'a|', '(a)', '[a]', '*a', 'a**', 'a{2}', '\\w', 'a\\', '^', 'a^b']) {
    assert.throws(() => namePattern(pattern, 'test'), /cannot be read/, pattern);
  }
});

test('a layer that the model does not have is refused by name, when applied and when changed', async () => {
  await failsWith('bad-parameter', /no self-attention of this model is named "mid".*up_blocks\.0/s, () =>
    patchModel(at('ssd1b'), at('none'), [pag()]),
  );
  await withModel('ssd1b', { passes: [pag({ layers: 'up' })] }, async (unet) => {
    const [each] = CASES.filter(({ family }) => family === 'ssd1b');
    assert.ok(each);
    await failsWith('bad-parameter', /is named "mid"/, () => answers(unet, each, { pag: { layers: 'mid' } }));
  });
});

test('a plan has the perturbed part, and what it saves of the attentions that it has not', async () => {
  const { graph } = await readModel(at('sd15'));
  await graph.transform(pag({ layers: 'down_blocks.0' }));
  const schedule = { name: 'one', notes: [], steps: [{ timestep: 500, sigma: 2 }] };
  const parameters = parseParameters({ in_strength: 0, out_strength: 0 });
  const parts = ['uncond', 'cond', 'perturbed'] as const;
  const plan = planGraph(graph, { schedule, parameters, parts, size: { batch: 3 } });
  const [first, other] = ['input.0.0.0', 'input.1.0.0'].map((id) => plan.sites.find((site) => site.id === id));
  assert.equal(first?.steps[0]?.passes, { pag: { perturbed: true } });
  assert.ok(Math.abs((first?.steps[0]?.items ?? 1) - 2 / 3) < 1e-12);
  assert.is(other?.steps[0]?.items, undefined);
  // Of the batch of 3 two thirds would be there without, and attend as much: what is perturbed has its projections alone.
  assert.ok(Math.abs((first?.steps[0]?.flops ?? 0) / (first?.plain.flops ?? 1) - 1) < 1e-12);
  assert.ok(Math.abs((other?.steps[0]?.flops ?? 0) / (other?.plain.flops ?? 1) - 1.5) < 1e-12);
  const { flops } = plan.run;
  assert.ok(flops.patched / flops.plain > 1.4 && flops.patched / flops.plain < 1.5);
});

test.run();
