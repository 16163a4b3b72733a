import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertControlNet } from '../../converters/index.ts';
import { type Graph, neededNodes, outputNodes, recordedPasses } from '../../src/graph/index.ts';
import { denoise, loadModel, makeSolver, patchModel, RunMemory, readModel, type UNet } from '../../src/node.ts';
import {
  appliedPasses,
  attentionNodes,
  DEEPCACHE,
  type DeepCacheOptions,
  deepCache,
  freeu,
  slothful,
} from '../../src/passes/index.ts';
import { planGraph } from '../../src/reports/index.ts';
import { defaultConfig, withSolver } from '../../src/sampling/index.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath, readJson } from '../support/fixtures.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { passGoldens } from '../support/pass-goldens.ts';
import { FAMILIES, type FamilyName } from '../support/unet-goldens.ts';

const test = suite('DeepCache');

interface DeepCacheCase {
  readonly family: FamilyName;
  readonly params: DeepCacheOptions;
  readonly inputs: Readonly<Record<string, string>>;
  readonly out: string;
  readonly timesteps: readonly number[];
  readonly full_steps: readonly boolean[];
  readonly runs_on_skipped_steps: readonly string[];
}

const CASES = readJson<DeepCacheCase[]>('passes/deepcache/cases.json');
const { at, backend, convert, tensorOf, withModel } = passGoldens('deepcache');

test.before(convert);

/** Row `index` of a tensor, as a batch of one; the only row of what all steps share. */
function rowOf(name: string, index: number): tf.Tensor {
  const { data, shape } = tensorOf(name);
  const row = Math.min(index, (shape[0] ?? 1) - 1);
  const size = data.length / (shape[0] ?? 1);
  return tf.tensor(data.slice(row * size, (row + 1) * size), [1, ...shape.slice(1)]);
}

type Options = NonNullable<Parameters<UNet['predict']>[1]>;

/** What a UNet answers at one step of a case, NCHW. */
function answer(unet: UNet, { inputs, timesteps }: DeepCacheCase, index: number, options: Options) {
  const { sample, ...rest } = Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => [name, rowOf(tensor, index)]),
  );
  if (!sample) throw new Error('a case without a sample');
  const { out_sample, ...facts } = unet.predict(
    { ...rest, sample, timestep: timesteps[index] ?? 0 },
    { layout: 'nchw', ...options },
  );
  const values = Float32Array.from(out_sample.dataSync());
  tf.dispose([sample, out_sample, ...Object.values(rest)]);
  return { ...facts, values };
}

function expectedRow(name: string, index: number): Float32Array {
  const { data, shape } = tensorOf(name);
  const size = data.length / (shape[0] ?? 1);
  return data.slice(index * size, (index + 1) * size);
}

for (const family of FAMILIES) {
  test(`${family}: every step of the original's runs, on ${backend}`, async () => {
    const cases = CASES.filter((each) => each.family === family);
    assert.ok(cases.length >= 2);
    await withModel(family, { passes: [attentionNodes(), deepCache()] }, (unet) => {
      const before = tf.memory().numTensors;
      for (const each of cases) {
        const memory = new RunMemory();
        each.full_steps.forEach((isFull, index) => {
          const { values, reused } = answer(unet, each, index, { memory, passes: { deepcache: { ...each.params } } });
          const difference = largestDifference(values, expectedRow(each.out, index));
          assert.ok(difference <= 1e-4, `${each.out} step ${index} differs by ${difference}`);
          assert.is(reused, !isFull);
        });
        memory.dispose();
      }
      assert.is(tf.memory().numTensors, before, 'no tensor is left');
    });
  });
}

for (const family of FAMILIES) {
  test(`${family}: at the steps between, the original's blocks run and no others`, async () => {
    const { graph } = await readModel(at(family));
    await graph.transform(deepCache());
    for (const { params, runs_on_skipped_steps: expected } of CASES.filter((each) => each.family === family)) {
      const { node } = DEEPCACHE.keeps?.(1, { ...DEFAULTS, ...params }, resultOf(graph)) ?? {};
      const needed = neededNodes(graph, outputNodes(graph), new Set([node ?? '']));
      const parts = /^(?:(?:down|up)_blocks\/\d+\/[a-z]+\/\d+|mid_block|conv_in|conv_out)(?=\/)/;
      const found = [...needed].flatMap((name) => parts.exec(name)?.[0].replaceAll('/', '.') ?? []);
      const blocks = new Set(found.filter((name) => !name.includes('.skips.')));
      assert.equal([...blocks].sort(), [...expected].sort(), JSON.stringify(params));
    }
  });
}

const DEFAULTS = { interval: 3, branch: 0 };

function resultOf(graph: Graph) {
  return recordedPasses(graph).find(({ name }) => name === 'deepcache')?.result ?? {};
}

const [FIRST] = CASES;
assert.ok(FIRST);

test('off is the plain model: an interval of 1, no memory, the pass turned off', async () => {
  const plain = await withModel('sd15', { passes: [attentionNodes()] }, (unet) =>
    [0, 1].map((step) => answer(unet, FIRST, step, {}).values),
  );
  await withModel('sd15', { passes: [attentionNodes(), deepCache()] }, (unet) => {
    const memory = new RunMemory();
    const ways: Options[] = [
      {},
      { memory, passes: { deepcache: { interval: 1 } } },
      { memory, passes: { deepcache: false } },
      { memory, slothful: false },
    ];
    for (const options of ways) {
      for (const step of [0, 1]) {
        const { values, reused } = answer(unet, FIRST, step, options);
        assert.ok(largestDifference(values, plain[step] ?? []) <= 1e-5, JSON.stringify(options.passes));
        assert.not.ok(reused);
      }
    }
    memory.dispose();
  });
});

test('another size, another batch or another branch begins anew, and nothing of a run is left for the next', async () => {
  await withModel('sd15', { passes: [attentionNodes(), deepCache()] }, (unet) => {
    const before = tf.memory().numTensors;
    const memory = new RunMemory();
    const ask = (rows: number, batch: number, options: Options = {}) => {
      const sample = tf.tensor(pseudoRandom(batch * rows * 32), [batch, rows, 8, 4]);
      const states = tf.tensor(pseudoRandom(batch * 5 * 24), [batch, 5, 24]);
      const asked = { sample, encoder_hidden_states: states, timestep: 601 };
      const { out_sample, reused } = unet.predict(asked, { memory, ...options });
      tf.dispose([sample, states, out_sample]);
      return reused;
    };
    assert.equal([ask(8, 1), ask(8, 1), ask(16, 1), ask(16, 1)], [false, true, false, true]);
    assert.equal([ask(16, 2), ask(16, 2)], [false, true]);
    assert.is(ask(16, 2, { passes: { deepcache: { branch: 4 } } }), false, 'what is kept is another state');
    assert.is(ask(16, 2, { passes: { deepcache: { branch: 4 } } }), false, 'the fourth evaluation is a full one');
    assert.is(ask(16, 2, { passes: { deepcache: { branch: 4 } } }), true);
    memory.dispose();
    assert.is(tf.memory().numTensors, before);
  });
});

test('a run: evaluations are counted, a second run is the same, and leaving it early frees what is kept', async () => {
  await withModel('sd15', { passes: [slothful({ in_strength: 8 }), deepCache({ interval: 2 })] }, async (unet) => {
    const before = tf.memory().numTensors;
    const cond = { encoder_hidden_states: { shape: [1, 5, 24], data: pseudoRandom(5 * 24) } };
    const uncond = { encoder_hidden_states: { shape: [1, 5, 24], data: pseudoRandom(5 * 24, 2) } };
    const run = async (stop = Number.POSITIVE_INFINITY) => {
      const scheduler = makeSolver(withSolver(defaultConfig('ddim'), { type: 'heun', sigmas: 'normal' }), { steps: 3 });
      const found: [boolean, number][] = [];
      let latents: Float32Array = new Float32Array();
      for await (const step of denoise({ unet, scheduler, cond, uncond, guidanceScale: 5, height: 8, width: 8 })) {
        for (const { reused = false, sites } of step.calls) found.push([reused, sites.length]);
        latents = step.latents;
        if (step.index === stop) break;
      }
      return { found, latents };
    };
    const first = await run();
    const whole: [boolean, number] = [false, 16];
    const shallow: [boolean, number] = [true, 1];
    assert.equal(first.found, [whole, shallow, whole, shallow, whole], 'heun asks twice a step, but for the last');
    assert.equal((await run()).latents, first.latents);
    await run(0);
    assert.is(tf.memory().numTensors, before, 'no tensor is left');
  });
});

test('with FreeU and Slothful Attention in any order: one answer, and all act', async () => {
  const passes = [
    slothful({ in_strength: 8 }),
    freeu({ b1: 1.5, b2: 1.6, s1: 0.9, s2: 0.2 }),
    deepCache({ branch: 4 }),
  ];
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
  ].map((order) => order.flatMap((index) => passes[index] ?? []));
  const answers: Float32Array[] = [];
  for (const order of orders) {
    await withModel('sd15', { passes: order }, (unet) => {
      const memory = new RunMemory();
      answers.push(...[0, 1].map((step) => answer(unet, FIRST, step, { memory }).values));
      const others = (['freeu', 'slothful', 'deepcache'] as const).map((name) => {
        memory.dispose();
        const [, without] = [0, 1].map(
          (step) => answer(unet, FIRST, step, { memory, passes: { [name]: false } }).values,
        );
        return largestDifference(without ?? [], answers.at(-1) ?? []);
      });
      assert.ok(
        others.every((difference) => difference > 1e-3),
        others.join(),
      );
      memory.dispose();
    });
  }
  const [one = [], two = [], three = [], four = []] = answers;
  assert.ok(largestDifference(one, three) <= 1e-5 && largestDifference(two, four) <= 1e-5);
});

test('on disk: recorded once, changed without touching the graph; a branch that is not there is refused', async () => {
  await patchModel(at('sd15'), at('patched'), [deepCache({ branch: 4 })]);
  const { graph } = await readModel(at('patched'));
  const before = JSON.stringify(graph.toJson().modelTopology);
  await graph.transform(deepCache({ interval: 5 }));
  assert.is(JSON.stringify(graph.toJson().modelTopology), before);
  const [pass] = appliedPasses(graph)?.passes ?? [];
  assert.equal(pass?.parameters, { interval: 5, branch: 0 });
  const plain = await readModel(at('sd15'));
  await failsWith('bad-parameter', /branch: must be 0 to 11 in this model, got 12/, () =>
    plain.graph.transform(deepCache({ branch: 12 })),
  );
  await withModel('patched', {}, (unet) =>
    failsWith('bad-parameter', /branch: must be 0 to 11/, () => {
      answer(unet, FIRST, 0, { memory: new RunMemory(), passes: { deepcache: { branch: 12 } } });
    }),
  );
});

test('a graph without skip connections is refused, and stays as it was', async () => {
  await convertControlNet(fixturePath('companions/controlnet_sd15'), at('half'));
  const { graph } = await readModel(at('half'));
  const before = JSON.stringify(graph.toJson());
  await failsWith('unsupported', /no concatenation that joins a skip connection/, () => graph.transform(deepCache()));
  assert.is(JSON.stringify(graph.toJson()), before);
});

test('plain TF.js: the state is asked for by the name of its node, and fed by it', async () => {
  const model = await loadModel(at('patched'), { backend });
  const [state] = (appliedPasses(model.graph)?.passes[0]?.result.states ?? []) as readonly { readonly node: string }[];
  const feeds = {
    sample: tf.tensor(pseudoRandom(8 * 8 * 4), [1, 8, 8, 4]),
    encoder_hidden_states: tf.tensor(pseudoRandom(5 * 24), [1, 5, 24]),
    timestep: tf.tensor([601]),
  };
  const [output = '', node = ''] = [model.outputs[0]?.tensor, state?.node];
  const [whole, kept] = model.run(feeds, [output, node]);
  assert.ok(whole && kept);
  const [again] = model.run({ ...feeds, [node]: kept }, [output]);
  assert.ok(again);
  assert.ok(largestDifference(again.dataSync(), whole.dataSync()) <= 1e-5);
  tf.dispose([whole, kept, again, ...Object.values(feeds)]);
  model.dispose();
});

test('a plan knows what runs: of the patched model, and of the plain one as a patch would make it', async () => {
  const schedule = { name: 'six', steps: [9, 8, 7, 6, 5, 4].map((t) => ({ timestep: 100 * t, sigma: t })), notes: [] };
  const passes = { deepcache: { interval: 3, branch: 1 } };
  const [plain, patched] = await Promise.all(
    ['sd15', 'patched'].map(async (name) => planGraph((await readModel(at(name))).graph, { schedule, passes })),
  );
  assert.ok(plain && patched);
  for (const report of [plain, patched]) {
    const ran = report.steps.map(
      (_, step) =>
        report.sites.filter(({ kind, steps }) => kind === 'self' && steps[step]?.reason !== 'not_run').length,
    );
    assert.equal(ran, [16, 3, 3, 16, 3, 3]);
    assert.match(report.sites.find(({ kind }) => kind === 'self')?.verdict ?? '', /pooled/);
    assert.match(
      report.sites.find(({ id }) => id === 'middle.3.0.0')?.verdict ?? '',
      /left alone in 4 steps: it does not run/,
    );
    const shares = report.steps.map(({ flops }) => flops.patched / flops.plain);
    assert.ok(shares[1] === shares[2] && (shares[1] ?? 1) < 0.5 && (shares[0] ?? 0) > (shares[1] ?? 1));
  }
  assert.equal(
    patched.steps.map(({ flops }) => flops),
    plain.steps.map(({ flops }) => flops),
  );
});

test.run();
