import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertControlNet } from '../../converters/index.ts';
import { patchModel, readModel, slothful, type UNet } from '../../src/node.ts';
import {
  appliedPasses,
  attentionNodes,
  controlNetInputs,
  FREEU,
  type FreeuOptions,
  feedsOfPasses,
  freeu,
  makePass,
  parsePassOption,
  passesInForce,
  passesOf,
  simpleParameters,
} from '../../src/passes/index.ts';
import { diffGraphs, inspectGraph, planGraph } from '../../src/reports/index.ts';
import { parseAxis } from '../../src/sweeps/axis.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath, readJson } from '../support/fixtures.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { passGoldens } from '../support/pass-goldens.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { FAMILIES, type FamilyName } from '../support/unet-goldens.ts';

const test = suite('FreeU');

interface FreeuCase {
  readonly family: FamilyName;
  readonly timestep: number;
  readonly params: FreeuOptions;
  readonly variant: 'original-v1' | 'original-v2' | 'diffusers';
  readonly inputs: Readonly<Record<string, string>>;
  readonly out: string;
  readonly stages: Readonly<Record<string, 0 | 1 | 2>>;
}

const CASES = readJson<FreeuCase[]>('passes/freeu/cases.json');
const { at, backend, convert, tensorOf, withModel } = passGoldens('freeu');
// As runs do: on wasm these are several times faster than the attentions that they replace.
const nodes = () => attentionNodes();
const STRONG: FreeuOptions = { b1: 1.5, b2: 1.6, s1: 0.9, s2: 0.2 };

test.before(convert);

/** What a UNet answers to the inputs of a case. */
function answer(
  unet: UNet,
  { inputs, timestep }: FreeuCase,
  options: Parameters<UNet['predict']>[1] = {},
): Float32Array {
  const before = tf.memory().numTensors;
  const values = tf.tidy(() => {
    const { sample, ...rest } = Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, tf.tensor(tensorOf(tensor).data, tensorOf(tensor).shape)]),
    );
    if (!sample) throw new Error('a case without a sample');
    const { out_sample } = unet.predict({ ...rest, sample, timestep }, { layout: 'nchw', ...options });
    return Float32Array.from(out_sample.dataSync());
  });
  assert.is(tf.memory().numTensors, before, 'no tensor is left');
  return values;
}

for (const family of FAMILIES) {
  test(`${family}: goldens of diffusers and of the authors, on ${backend}`, async () => {
    const cases = CASES.filter((each) => each.family === family);
    assert.ok(cases.length >= 6);
    await withModel(family, { passes: [nodes(), freeu()] }, (unet) => {
      for (const each of cases) {
        const given = answer(unet, each, { passes: { freeu: { ...each.params, variant: each.variant } } });
        const difference = largestDifference(given, tensorOf(each.out).data);
        assert.ok(difference <= 1e-4, `${each.out} differs by ${difference}`);
      }
    });
  });

  test(`${family}: off is the plain model, however it is turned off`, async () => {
    const sizes = new Map(CASES.filter((each) => each.family === family).map((each) => [each.inputs.sample, each]));
    const plain = await withModel(family, { passes: [nodes()] }, (unet) =>
      [...sizes.values()].map((each) => answer(unet, each)),
    );
    await withModel(family, { passes: [nodes(), freeu()] }, (unet) => {
      for (const [index, each] of [...sizes.values()].entries()) {
        const ones = { b1: 1, b2: 1, s1: 1, s2: 1 };
        for (const off of [{ passes: { freeu: false } }, { slothful: false }, { passes: { freeu: ones } }] as const) {
          const difference = largestDifference(answer(unet, each, off), plain[index] ?? []);
          assert.ok(difference <= 1e-5, `${each.inputs.sample} ${JSON.stringify(off)} differs by ${difference}`);
        }
      }
    });
  });

  test(`${family}: acts at the resnets and by the strengths that the originals do`, async () => {
    const { graph } = await readModel(at(family));
    await graph.transform(freeu());
    const rows = (options: FreeuOptions) => rowsByResnet(graph, options);
    for (const { stages, variant } of CASES.filter((each) => each.family === family)) {
      const found = rows({ b1: 2, b2: 3, s1: 4, s2: 5, variant });
      for (const [name, stage] of Object.entries(stages)) {
        const even = variant === 'original-v2' ? 0 : 1;
        const expected = [undefined, [2, 4, even], [3, 5, even]][stage];
        assert.equal(found[name] ?? [1, 1, 0], expected ?? [1, 1, 0], `${variant} ${name}`);
      }
    }
  });
}

/** What the joints are fed, by the names that diffusers gives their resnets. */
function rowsByResnet(graph: Awaited<ReturnType<typeof readModel>>['graph'], options: FreeuOptions) {
  const state = appliedPasses(graph);
  const [pass] = state?.passes ?? [];
  assert.ok(state && pass);
  const changed = { ...state, passes: [{ ...pass, parameters: { ...pass.parameters, ...options } }] };
  const fed = feedsOfPasses(changed, { sigma: 1, latent: { height: 8, width: 8 } });
  const [values] = [...fed.values()];
  const joints = pass.result.joints as readonly { readonly joint: string }[];
  return Object.fromEntries(
    joints.map(({ joint }, row) => {
      const resnet = joint.split('/').slice(0, 4).join('.').replace('skips', 'resnets');
      return [resnet, [...(values ?? [])].slice(3 * row, 3 * row + 3)];
    }),
  );
}

test("ComfyUI's variants go by 4 and 2 times the first convolution's channels, and take 0 as a number", async () => {
  const { graph } = await readModel(at('sd15'));
  await graph.transform(freeu());
  const acting = (options: FreeuOptions) =>
    Object.entries(rowsByResnet(graph, options)).filter(([, row]) => row.join() !== '1,1,0');
  // The small model is 16, 32, 48, 48 wide: nothing is 64.
  assert.equal(acting({ variant: 'comfyui-v2', b2: 2, s2: 0.5 }), [
    ['up_blocks.2.resnets.1', [2, 0.5, 0]],
    ['up_blocks.2.resnets.2', [2, 0.5, 0]],
    ['up_blocks.3.resnets.0', [2, 0.5, 0]],
  ]);
  assert.equal(acting({ variant: 'comfyui-v1', b2: 2, s2: 0 })[0], ['up_blocks.2.resnets.1', [2, 0, 1]]);
  for (const variant of ['original-v2', 'original-v1', 'diffusers'] as const) {
    assert.equal(acting({ variant, s1: 0 }), [], `${variant} is off where a strength is 0`);
  }
});

test('on disk: parameters are recorded, in force and changed, and the graph does not depend on them', async () => {
  const done = await patchModel(at('sd15'), at('patched'), [freeu({ b1: 1.5 })], { force: true });
  assert.equal(done.passes, ['freeu']);
  assert.equal(done.peers.freeu, { b1: 1.5, b2: 1.4, s1: 0.9, s2: 0.2, variant: 'original-v2' });
  const { graph } = await readModel(at('patched'));
  const before = JSON.stringify(graph.toJson().modelTopology);
  await graph.transform(freeu({ s1: 0.5 }));
  assert.is(JSON.stringify(graph.toJson().modelTopology), before);
  assert.is(appliedPasses(graph)?.passes[0]?.parameters.s1, 0.5);
  assert.is(passesInForce(graph.metadata, { freeu: { b2: 2 } }).freeu?.b2, 2);
  const [first] = CASES;
  assert.ok(first);
  const given = await withModel('sd15', { passes: [freeu({ ...STRONG, variant: 'diffusers' })] }, (unet) => {
    assert.equal(Object.keys(unet.passes), ['freeu']);
    assert.not.ok(
      unet.inputs.some(({ name }) => name === 'freeu'),
      'its input is not the caller’s business',
    );
    return answer(unet, first);
  });
  assert.ok(largestDifference(given, tensorOf(first.out).data) <= 1e-4, 'recorded parameters act without being named');
  await withModel('patched', {}, async (unet) => {
    unet.setPasses({ freeu: { ...STRONG, variant: 'diffusers' } });
    assert.ok(largestDifference(answer(unet, first), given) <= 1e-5);
    await failsWith('bad-parameter', /b1 must be a number from 0 to 10, got 11/, () =>
      unet.setPasses({ freeu: { b1: 11 } }),
    );
  });
});

test('reports of a model that has FreeU and no control of attentions know it', async () => {
  const [plain, patched] = await Promise.all(['sd15', 'patched'].map((name) => readModel(at(name))));
  assert.ok(plain && patched);
  const report = inspectGraph(patched.graph);
  assert.equal(
    report.passes.map(({ name }) => name),
    ['freeu'],
  );
  assert.is(report.totals.unknown_flops, 0);
  assert.ok(report.totals.flops < 1.01 * inspectGraph(plain.graph).totals.flops, 'it adds next to nothing');
  const diff = diffGraphs({ graph: plain.graph, model: 'a' }, { graph: patched.graph, model: 'b' });
  assert.equal(diff.inputs, { added: ['freeu'], removed: [] });
  assert.equal(diff.parameters[0], { name: 'freeu.b1', a: null, b: '1.5' });
  const schedule = { name: 'one', steps: [{ timestep: 601, sigma: 2.3 }], notes: [] };
  assert.is(planGraph(patched.graph, { schedule }).passes.freeu?.b1, 1.5);
  const [value] = parseAxis('freeu_b1=1,1.5', '--x').values;
  assert.equal(value?.change, { passes: { freeu: { b1: 1 } } });
  assert.equal(parsePassOption('freeu,b1=1.3,variant=diffusers', '--pass'), [
    'freeu',
    { b1: 1.3, variant: 'diffusers' },
  ]);
});

test('a plain user of TF.js, who feeds nothing, gets the unpatched result', async () => {
  const { graph } = await readModel(at('patched'));
  const input = graph.node('freeu');
  assert.is(input?.op, 'PlaceholderWithDefault');
  const neutral = graph.constant(input?.inputs[0]?.node ?? '')?.values ?? [];
  assert.equal([...neutral].slice(0, 3), [1, 1, 0]);
  assert.not.ok(JSON.stringify(graph.signature).includes('freeu'));
});

const POOLED = { in_strength: 8, out_k_blend: 0.5 };

test('with Slothful Attention in either order: one answer, and both act', async () => {
  const [, , each] = CASES;
  assert.ok(each);
  const strong = freeu(STRONG);
  const one = await withModel('sd15', { passes: [strong, slothful(POOLED)] }, (unet) => answer(unet, each));
  const other = await withModel('sd15', { passes: [slothful(POOLED), strong] }, (unet) => answer(unet, each));
  const alone = await withModel('sd15', { slothful: POOLED }, (unet) => answer(unet, each));
  assert.ok(largestDifference(one, other) <= 1e-5);
  assert.ok(largestDifference(one, alone) > 1e-2);
  assert.ok(largestDifference(one, tensorOf(each.out).data) > 1e-2);
  await withModel('sd15', { passes: [strong, slothful(POOLED)] }, (unet) => {
    assert.equal(Object.keys(unet.passes).sort(), ['freeu', 'slothful']);
    assert.is(unet.predict(zeros(), { layout: 'nhwc' }).sites.length, 16);
    const off = answer(unet, each, { passes: { freeu: false } });
    assert.ok(largestDifference(off, alone) <= 1e-5, 'FreeU off leaves Slothful Attention alone');
    const pooledOff = answer(unet, each, { passes: { slothful: false } });
    assert.ok(largestDifference(pooledOff, tensorOf(each.out).data) <= 1e-4, 'and the other way');
  });
});

function zeros() {
  return { sample: tf.zeros([1, 8, 8, 4]), encoder_hidden_states: tf.zeros([1, 5, 24]), timestep: 999 };
}

test("with ControlNets' residuals in either order: they are added before FreeU", async () => {
  const orders = [
    [freeu(STRONG), controlNetInputs()],
    [controlNetInputs(), freeu(STRONG)],
  ];
  const answers: Float32Array[] = [];
  const inputs = {
    sample: tf.tensor(pseudoRandom(16 * 8 * 4), [1, 16, 8, 4]),
    encoder_hidden_states: tf.tensor(pseudoRandom(5 * 24, 2), [1, 5, 24]),
    timestep: 601,
  };
  for (const passes of orders) {
    await withModel('sd15', { passes }, (unet) => {
      const residuals = unet.inputs.filter(({ name }) => /_block_res/.test(name));
      assert.is(residuals.length, 13);
      const sizes = new Map([...residuals].map(({ name, shape = [] }) => [name, shape.at(-1) ?? 0] as const));
      const fed = Object.fromEntries(
        [...sizes].map(([name, channels], index) => {
          const [rows, columns] = residualGrid(name);
          const values = pseudoRandom(rows * columns * channels, index + 3);
          return [name, tf.tensor(values, [1, rows, columns, channels])];
        }),
      );
      const { out_sample } = unet.predict({ ...inputs, ...fed });
      answers.push(Float32Array.from(out_sample.dataSync()));
      const bare = unet.predict({ ...inputs }).out_sample;
      assert.ok(largestDifference(bare.dataSync(), answers.at(-1) ?? []) > 1e-3, 'residuals show');
      tf.dispose([out_sample, bare, ...Object.values(fed)]);
    });
  }
  const [one = [], other = []] = answers;
  assert.ok(largestDifference(one, other) <= 1e-5);
  tf.dispose([inputs.sample, inputs.encoder_hidden_states]);
});

/** Rows and columns of a skip connection of SD1.5 at 16 x 8: three of each level, the fourth is the downsampler's. */
function residualGrid(name: string): [number, number] {
  const index = name === 'mid_block_res' ? 11 : Number(name.split('_').at(-1));
  const level = Math.min(3, Math.floor(index / 3));
  return [16 / 2 ** level, 8 / 2 ** level];
}

test("ComfyUI's run from a noise, FreeU_V2 before the node's Simple form: its latent", async () => {
  const { runs } = readJson<{ runs: readonly ComfyRun[] }>('comfyui/cases.json');
  const run = runs.find(({ name }) => name === 'freeu.defaults');
  assert.ok(run?.freeu);
  const goldens = readSafetensors(fixturePath('comfyui/runs.safetensors'));
  const tensor = (part: string) => {
    const { data = new Float32Array(), shape = [] } = goldens.get(`freeu.defaults.${part}`) ?? {};
    return { data, shape };
  };
  const noise = tensor('noise');
  const first = run.calls[0]?.sigma ?? 0;
  let x = noise.data.map((value) => value * Math.sqrt(first ** 2 + 1));
  await withModel('sd15', { slothful: simpleParameters(run.nodes[0]?.params), passes: [freeu()] }, (unet) => {
    const text = tf.concat([tensor('negative'), tensor('positive')].map(({ data, shape }) => tf.tensor(data, shape)));
    for (const [step, { sigma, timestep }] of run.calls.entries()) {
      const next = run.calls[step + 1]?.sigma ?? 0;
      const passes = { freeu: { ...run.freeu, variant: 'comfyui-v2' } };
      const eps = tf.tidy(() => {
        const sample = tf.mul(tf.tensor(x, noise.shape), 1 / Math.sqrt(sigma ** 2 + 1));
        const inputs = { sample: tf.concat([sample, sample]), encoder_hidden_states: text, timestep };
        return unet.predict(inputs, { layout: 'nchw', sigma, passes }).out_sample.dataSync();
      });
      x = x.map((value, index) => {
        const [negative = 0, positive = 0] = [eps[index], eps[index + x.length]];
        return value + (next - sigma) * (negative + run.cfg * (positive - negative));
      });
    }
    text.dispose();
  });
  const latent = x.map((value) => value / 0.18215);
  const difference = largestDifference(latent, tensor('out').data) / run.std;
  assert.ok(difference <= 1e-4, `differs by ${difference} of its standard deviation`);
});

interface ComfyRun {
  readonly name: string;
  readonly cfg: number;
  /** Standard deviation of the latent. */
  readonly std: number;
  readonly nodes: readonly { readonly params: unknown }[];
  readonly freeu?: FreeuOptions;
  readonly calls: readonly { readonly sigma: number; readonly timestep: number }[];
}

test('a graph without skip connections is refused, and stays as it was', async () => {
  await convertControlNet(fixturePath('companions/controlnet_sd15'), at('half'));
  const { graph } = await readModel(at('half'));
  const before = JSON.stringify(graph.toJson());
  await failsWith('unsupported', /has no concatenation that joins a skip connection/, () => graph.transform(freeu()));
  assert.is(JSON.stringify(graph.toJson()), before);
  await failsWith('bad-parameter', /variant must be one of/, () => makePass(FREEU, { variant: 'v3' }));
});

test('passes in force of a run put it in and name it', () => {
  const inForce = passesInForce({}, { freeu: { b1: 1.1 } });
  assert.equal(
    passesOf(inForce).map(({ name, options }) => [name, options]),
    [['freeu', { b1: 1.1, b2: 1.4, s1: 0.9, s2: 0.2, variant: 'original-v2' }]],
  );
});

test.run();
