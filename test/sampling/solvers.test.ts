import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  expectSolver,
  LEFT_OUT,
  modelSampling,
  parseSamplerName,
  parseScheduleName,
  runSigmas,
  type SigmaScheduleComfyUI,
  SOLVERS,
  type SolverName,
  type SolverStep,
  solverOf,
} from '../../src/sampling/solvers/index.ts';
import { failsWith } from '../support/errors.ts';
import { fixture, readJson } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { readSafetensors } from '../support/safetensors.ts';

interface Golden {
  name: string;
  sampler: string;
  scheduler: SigmaScheduleComfyUI;
  steps: number;
  denoise: number;
  start_at_step?: number;
  end_at_step?: number;
  sigmas: number[];
  noise: string;
  latent?: string;
  calls: string;
  call_sigmas: number[];
  noises?: string;
  noise_args?: [sigma: number, next: number][];
  out: string;
}

const TOLERANCE = 1e-5;

const goldens = readJson<{ samplers: Golden[] }>('comfyui/cases.json').samplers;
const tensors = readSafetensors(fixture('comfyui/samplers.safetensors'));

const model = modelSampling({
  beta_schedule: 'scaled_linear',
  beta_start: 0.00085,
  beta_end: 0.012,
  num_train_timesteps: 1000,
  prediction_type: 'epsilon',
  kind: 'eps',
  zsnr: false,
});

function values(name: string): Float32Array {
  const tensor = tensors.get(name);
  assert.ok(tensor, `${name} is there`);
  return tensor.data;
}

/** One tensor of several that were stacked. */
function part(name: string, index: number, length: number): Float32Array {
  return values(name).subarray(index * length, (index + 1) * length);
}

/** The denoiser of the goldens: what they say of themselves in `samplers_about`. */
function toyDenoiser(sample: Float32Array, sigma: number): Float32Array {
  return sample.map((value, index) => {
    const mean = 0.3 * Math.sin(1.3 * index + 0.2);
    return (
      (0.25 * value + sigma ** 2 * mean) / (0.25 + sigma ** 2) + 0.1 * Math.sin((2 * value) / Math.sqrt(1 + sigma ** 2))
    );
  });
}

/** Largest difference against the largest value. */
function relative(got: Float32Array, expected: Float32Array): number {
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return largestDifference(got, expected) / scale;
}

interface Trajectory {
  steps: SolverStep[];
  calls: [sample: Float32Array, sigma: number][];
  answers: Float32Array[];
  asked: [sigma: number, next: number][];
}

async function trajectory(golden: Golden, sampler: SolverName, sigmas: Float32Array): Promise<Trajectory> {
  const noise = values(golden.noise);
  const sample = model.initialSample(noise, golden.latent ? values(golden.latent) : undefined, sigmas[0] ?? 0);
  const found: Trajectory = { steps: [], calls: [], answers: [], asked: [] };
  const run = solverOf(sampler).run({
    sigmas,
    sample,
    denoise: async (at, sigma) => {
      found.calls.push([at, sigma]);
      const denoised = toyDenoiser(at, sigma);
      found.answers.push(denoised);
      return denoised;
    },
    noise: (sigma, next) => {
      found.asked.push([sigma, next]);
      return part(golden.noises ?? '', found.asked.length - 1, noise.length);
    },
  });
  for await (const step of run) found.steps.push(step);
  return found;
}

const sigmasOf = ({ scheduler: schedule, steps, denoise, start_at_step, end_at_step }: Golden, sampler: SolverName) =>
  runSigmas(model, {
    ...{ schedule, steps, sampler, denoise },
    ...{ startAtStep: start_at_step, endAtStep: end_at_step, leftoverNoise: true },
  });

const isBuilt = (name: string): name is SolverName => SOLVERS.some((solver) => solver === name);

const test = suite("ComfyUI's samplers");

test('there are 118 goldens, of samplers that are built and of those that are not', () => {
  assert.is(goldens.length, 118);
  const named = new Set(goldens.map(({ sampler }) => sampler));
  assert.equal(
    [...named].filter((name) => !isBuilt(name)),
    [...named].filter((name) => LEFT_OUT.has(name)),
  );
  const without = SOLVERS.filter((name) => !named.has(name));
  assert.equal(without, ['dpmpp_sde_gpu', 'dpmpp_2m_sde_gpu', 'dpmpp_2m_sde_heun_gpu', 'dpmpp_3m_sde_gpu']);
});

for (const golden of goldens) {
  const { sampler } = golden;
  if (!isBuilt(sampler)) continue;
  const sigmas = sigmasOf(golden, sampler);

  test(`${golden.name}: its noise levels and its calls are known before`, () => {
    assert.ok(relative(sigmas, Float32Array.from(golden.sigmas)) < 1e-6);
    const calls = solverOf(sampler).calls(sigmas);
    assert.is(calls.length, sigmas.length - 1);
    assert.equal(
      calls.map(([first]) => first),
      [...sigmas.subarray(0, -1)],
    );
    assert.equal(calls.flat().length, golden.call_sigmas.length);
    calls.flat().forEach((sigma, call) => {
      const expected = golden.call_sigmas[call] ?? 0;
      assert.ok(Math.abs(sigma - expected) < TOLERANCE * expected, `call ${call} is at ${sigma}, not ${expected}`);
    });
  });

  test(`${golden.name}: every call, the noise and the end`, async () => {
    const { steps, calls, answers, asked } = await trajectory(golden, sampler, sigmas);
    const length = values(golden.noise).length;
    assert.equal(
      calls.map(([, sigma]) => sigma),
      solverOf(sampler).calls(sigmas).flat(),
    );
    for (const [call, [sample]] of calls.entries()) {
      const off = relative(sample, part(golden.calls, call, length));
      assert.ok(off < TOLERANCE, `call ${call} is off by ${off}`);
    }
    const planned = solverOf(sampler).calls(sigmas);
    const firsts = planned.map((_, step) => answers[planned.slice(0, step).flat().length]);
    assert.equal(
      steps.map(({ denoised }) => denoised),
      firsts,
      "what the model made of each step's own level",
    );
    const off = relative(steps.at(-1)?.sample ?? new Float32Array(), values(golden.out));
    assert.ok(off < TOLERANCE, `the end is off by ${off}`);
    checkNoise(golden, sampler, asked);
  });
}

/**
 * Brownian noise changes with the last digit of a noise level: asked for at the very float32 values that ComfyUI asks
 * at, but for a unit in the last place where torch's logarithm is not the nearest float (once here, in dpmpp_sde.n).
 */
function checkNoise({ name, noise_args = [] }: Golden, sampler: SolverName, asked: readonly [number, number][]): void {
  // ComfyUI draws for res_multistep too, and multiplies it by nothing.
  const wanted = sampler === 'res_multistep' ? [] : noise_args;
  assert.is(solverOf(sampler).noise === 'none', wanted.length === 0);
  const expected = wanted.flat().map(Math.fround);
  assert.ok(relative(Float32Array.from(asked.flat()), Float32Array.from(expected)) < 1e-7, 'levels of the noise');
  const odd = asked.flat().filter((sigma, index) => sigma !== expected[index]);
  assert.is(odd.length, name === 'dpmpp_sde.n' ? 1 : 0, `not the same float: ${odd}`);
}

test('a solver keeps nothing from one run to the next', async () => {
  for (const golden of goldens) {
    const { sampler } = golden;
    if (!isBuilt(sampler)) continue;
    const [first, second] = await Promise.all([1, 2].map(() => trajectory(golden, sampler, sigmasOf(golden, sampler))));
    assert.equal(first?.steps, second?.steps);
  }
});

test('no noise levels, no steps', async () => {
  for (const sampler of SOLVERS) {
    const none = { sigmas: new Float32Array(), sample: new Float32Array(2), noise: () => new Float32Array(2) };
    const run = solverOf(sampler).run({ ...none, denoise: async (sample) => sample });
    assert.is((await run.next()).done, true);
    assert.equal(solverOf(sampler).calls(none.sigmas), []);
  }
});

for (const name of ['uni_pc', 'uni_pc_bh2'] as const) {
  test(`${name} of a single step is refused`, () =>
    failsWith('bad-parameter', /^steps: UniPC does nothing in a single step; take two/, () =>
      solverOf(name).calls(new Float32Array([1, 0])),
    ));
}

test('the names that end in _gpu are the same solvers, with noise from the device', () => {
  for (const name of SOLVERS.filter((each) => each.endsWith('_gpu'))) {
    const plain = expectSolver(name.slice(0, -'_gpu'.length), 'sampler');
    assert.is(solverOf(name).run, solverOf(plain).run);
    assert.ok(solverOf(name).noiseOnDevice);
    assert.not(solverOf(plain).noiseOnDevice);
  }
});

for (const [name, nearest] of LEFT_OUT) {
  test(`${name} is refused`, () =>
    failsWith('unsupported', new RegExp(`^node 3: the sampler ${name} is not built; the nearest is ${nearest}$`), () =>
      expectSolver(name, 'node 3'),
    ));
}

test('what is no sampler is refused, with the one that was meant', async () => {
  await failsWith('bad-parameter', /^node 3: "dpmpp_2n" is not a sampler; did you mean "dpmpp_2m"\?$/, () =>
    expectSolver('dpmpp_2n', 'node 3'),
  );
  await failsWith('bad-parameter', /"constructor" is not a sampler; there are euler, euler_ancestral, /, () =>
    expectSolver('constructor', 'node 3'),
  );
});

const NAMES: readonly [text: string, sampler: SolverName | undefined, schedule?: SigmaScheduleComfyUI][] = [
  ['euler', 'euler'],
  ['Euler a', 'euler_ancestral'],
  ['euler_a', 'euler_ancestral'],
  ['k_euler_a', 'euler_ancestral'],
  ['Euler Ancestral', 'euler_ancestral'],
  ['Heun', 'heun'],
  ['DPM2', 'dpm_2'],
  ['dpm2 a', 'dpm_2_ancestral'],
  ['DPM2 a Karras', 'dpm_2_ancestral', 'karras'],
  ['LMS', 'lms'],
  ['LMS Karras', 'lms', 'karras'],
  ['DPM++ 2S a', 'dpmpp_2s_ancestral'],
  ['dpm++ 2m karras', 'dpmpp_2m', 'karras'],
  ['DPM++ 2M', 'dpmpp_2m'],
  ['dpmpp_2m', 'dpmpp_2m'],
  ['DPM++ SDE', 'dpmpp_sde'],
  ['DPM++ SDE Karras', 'dpmpp_sde', 'karras'],
  ['DPM++ 2M SDE', 'dpmpp_2m_sde'],
  ['DPM++ 2M SDE Exponential', 'dpmpp_2m_sde', 'exponential'],
  ['DPM++ 2M SDE Heun Karras', 'dpmpp_2m_sde_heun', 'karras'],
  ['DPM++ 3M SDE', 'dpmpp_3m_sde'],
  ['DPM++ 2M SGM Uniform', 'dpmpp_2m', 'sgm_uniform'],
  ['dpmpp_2m_sde_gpu', 'dpmpp_2m_sde_gpu'],
  ['DDIM', 'ddim'],
  ['UniPC', 'uni_pc'],
  ['uni_pc_bh2', 'uni_pc_bh2'],
  ['LCM', 'lcm'],
  ['DPM fast', undefined],
  ['Karras', undefined],
  ['DPM++ 2M Cosine', undefined],
  ['', undefined],
];

for (const [text, sampler, schedule] of NAMES) {
  test(`"${text}" is ${sampler ?? 'none of ours'}${schedule ? `, ${schedule}` : ''}`, () => {
    const expected = schedule ? { sampler, schedule } : { sampler };
    assert.equal(parseSamplerName(text), sampler ? expected : undefined);
  });
}

test('schedules as A1111 spells them', () => {
  const titles = ['Karras', 'SGM Uniform', 'DDIM', 'KL Optimal', 'linear_quadratic', 'Polyexponential'];
  assert.equal(titles.map(parseScheduleName), [
    ...['karras', 'sgm_uniform', 'ddim_uniform', 'kl_optimal', 'linear_quadratic'],
    undefined,
  ]);
});

test.run();
