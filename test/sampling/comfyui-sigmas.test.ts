import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { betaQuantile } from '../../src/sampling/solvers/beta-quantile.ts';
import {
  type ModelSampling,
  type ModelSamplingSettings,
  modelSampling,
  type RunSigmasOptions,
  runSigmas,
  SIGMA_SCHEDULES_COMFYUI,
  type SigmaScheduleComfyUI,
  type SolverName,
} from '../../src/sampling/solvers/index.ts';
import { failsWith } from '../support/errors.ts';
import { readJson } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';

type ModelName = 'eps' | 'lcm' | 'zsnr';

interface Goldens {
  sigmas: {
    model: ModelName;
    sampler: SolverName;
    scheduler: SigmaScheduleComfyUI;
    steps: number;
    denoise: number;
    sigmas: number[];
  }[];
  advanced: {
    scheduler: SigmaScheduleComfyUI;
    steps: number;
    start_at_step: number;
    end_at_step: number;
    return_with_leftover_noise: boolean;
    sigmas?: number[];
  }[];
  timesteps: {
    model: ModelName;
    sigma_min: number;
    sigma_max: number;
    sigmas: number[];
    timesteps: number[];
    from_timesteps: number[];
    to_sigmas: number[];
  }[];
}

const goldens = readJson<Goldens>('comfyui/cases.json');

const SETTINGS: ModelSamplingSettings = {
  beta_schedule: 'scaled_linear',
  beta_start: 0.00085,
  beta_end: 0.012,
  num_train_timesteps: 1000,
  prediction_type: 'epsilon',
  kind: 'eps',
  zsnr: false,
};

const MODELS: Readonly<Record<ModelName, ModelSampling>> = {
  eps: modelSampling(SETTINGS),
  lcm: modelSampling({ ...SETTINGS, kind: 'lcm' }),
  zsnr: modelSampling({ ...SETTINGS, zsnr: true }),
};

const test = suite("ComfyUI's noise levels");

test('there are 184, 10 and 3 goldens', () => {
  assert.equal([goldens.sigmas.length, goldens.advanced.length, goldens.timesteps.length], [184, 10, 3]);
  const schedules = new Set(goldens.sigmas.map(({ scheduler }) => scheduler));
  assert.equal([...schedules].sort(), [...SIGMA_SCHEDULES_COMFYUI].sort());
});

/** Each value to 1e-6 of itself, and as many of them. */
function isClose(got: ArrayLike<number>, expected: readonly number[]): void {
  assert.is(got.length, expected.length, 'as many');
  const worst = expected.map((value, index) => Math.abs((got[index] ?? Number.NaN) - value) / (value || 1));
  assert.ok(Math.max(...worst) < 1e-6, `off by ${Math.max(...worst)}`);
}

for (const { model, sampler, scheduler, steps, denoise, sigmas } of goldens.sigmas) {
  test(`${model} ${sampler} ${scheduler} ${steps} steps, denoise ${denoise}`, () => {
    isClose(runSigmas(MODELS[model], { schedule: scheduler, steps, sampler, denoise }), sigmas);
  });
}

for (const each of goldens.advanced) {
  const { scheduler: schedule, steps, start_at_step: startAtStep, end_at_step: endAtStep, sigmas = [] } = each;
  const leftoverNoise = each.return_with_leftover_noise;
  test(`advanced: ${schedule} ${steps}, ${startAtStep} to ${endAtStep}, leftover ${leftoverNoise}`, () => {
    const options = { schedule, steps, sampler: 'euler', startAtStep, endAtStep, leftoverNoise } as const;
    isClose(runSigmas(MODELS.eps, options), sigmas);
  });
}

for (const golden of goldens.timesteps) {
  test(`${golden.model}: timesteps of noise levels, and noise levels of timesteps`, () => {
    const model = MODELS[golden.model];
    isClose([model.sigmaMin, model.sigmaMax], [golden.sigma_min, golden.sigma_max]);
    assert.equal(golden.sigmas.map(model.timestep), golden.timesteps);
    isClose(golden.from_timesteps.map(model.sigma), golden.to_sigmas);
  });
}

test('each level of a table has its own timestep', () => {
  for (const [name, stride] of [
    ['eps', 1],
    ['lcm', 20],
    ['zsnr', 1],
  ] as const) {
    const { sigmas, timestep } = MODELS[name];
    assert.equal(
      [...sigmas].map(timestep),
      Array.from(sigmas, (_, row) => row * stride + stride - 1),
    );
  }
});

/** Where picture and noise are known, so is what a perfect model says of them. */
test('the picture is found again from the noise, and from the velocity', () => {
  const [picture, noise] = [new Float32Array([0.5, -1, 0.25]), new Float32Array([-0.3, 0.7, 1.1])];
  for (const sigma of [0.05, 1, 14]) {
    const sample = picture.map((value, index) => value + sigma * (noise[index] ?? 0));
    const alpha = 1 / Math.sqrt(sigma ** 2 + 1);
    const velocity = noise.map((value, index) => alpha * (value - sigma * (picture[index] ?? 0)));
    const byVelocity = modelSampling({ ...SETTINGS, prediction_type: 'v_prediction' });
    assert.ok(largestDifference(MODELS.eps.denoised(noise, sample, sigma), picture) < 2e-6);
    assert.ok(largestDifference(byVelocity.denoised(velocity, sample, sigma), picture) < 2e-6);
    assert.ok(
      largestDifference(
        MODELS.eps.scaleInput(sample, sigma),
        sample.map((value) => value * alpha),
      ) < 1e-7,
    );
  }
});

test("an LCM's picture keeps a little of the sample, the more the lower the timestep", () => {
  const [picture, sample] = [new Float32Array([1]), new Float32Array([1 + 0.134450674])];
  const noise = new Float32Array([1]);
  const kept = 0.25 / (190 ** 2 + 0.25);
  const expected = (190 / Math.sqrt(190 ** 2 + 0.25)) * (picture[0] ?? 0) + kept * (sample[0] ?? 0);
  assert.ok(largestDifference(MODELS.lcm.denoised(noise, sample, 0.134450674), [expected]) < 1e-6);
});

test('a run from the highest level starts from noise of variance 1 + sigma^2, any other from sigma^2', () => {
  const noise = new Float32Array([1]);
  const latent = new Float32Array([0.5]);
  const { initialSample, sigmaMax } = MODELS.eps;
  const highest = Math.sqrt(1 + sigmaMax ** 2);
  for (const [sigma, expected] of [
    [sigmaMax, highest],
    [sigmaMax * (1 - 5e-6), highest],
    [sigmaMax * (1 - 2e-5), sigmaMax],
    [20, Math.sqrt(401)],
    [2, 2],
  ] as const) {
    assert.ok(largestDifference(initialSample(noise, undefined, sigma), [expected]) < 1e-3, `from ${sigma}`);
    assert.ok(largestDifference(initialSample(noise, latent, sigma), [expected + 0.5]) < 1e-3, `${sigma} with latent`);
  }
});

/** The roots of I_x(0.6, 0.6) = p, by mpmath with 40 digits. */
const QUANTILES: readonly [probability: number, value: number][] = [
  [0, 0],
  [0.01, 0.0008612388215429069],
  [0.1, 0.039584405588780854],
  [0.25, 0.175680378652695],
  [0.4375, 0.4136446450938638],
  [0.5, 0.5],
  [0.75, 0.824319621347305],
  [0.99, 0.9991387611784571],
  [1, 1],
];

for (const [probability, value] of QUANTILES) {
  test(`beta quantile of ${probability}`, () => {
    assert.ok(Math.abs(betaQuantile(probability) - value) < 1e-15, `got ${betaQuantile(probability)}`);
  });
}

test('no index of the beta schedule hangs on the last digits, but for the middle, up to 100 steps', () => {
  for (let steps = 1; steps <= 101; steps++) {
    for (let step = 0; step < steps; step++) {
      if (2 * step === steps) continue;
      const place = betaQuantile(1 - step / steps) * 999;
      assert.ok(Math.abs((place % 1) - 0.5) > 1e-6, `step ${step} of ${steps} is at ${place}`);
    }
  }
});

test('every schedule falls, from 1 to 60 steps', () => {
  for (const schedule of SIGMA_SCHEDULES_COMFYUI) {
    for (let steps = schedule === 'kl_optimal' ? 2 : 1; steps <= 60; steps++) {
      const sigmas = runSigmas(MODELS.eps, { schedule, steps, sampler: 'euler' });
      assert.ok(sigmas.length >= 2, `${schedule} of ${steps}`);
      assert.ok(
        sigmas.every((sigma, index) => index === 0 || sigma < (sigmas[index - 1] ?? 0)),
        `${schedule} of ${steps}: ${sigmas}`,
      );
      assert.is(sigmas.at(-1), 0);
    }
  }
});

test('denoise 0 runs nothing', () => {
  assert.is(runSigmas(MODELS.eps, { schedule: 'normal', steps: 10, sampler: 'euler', denoise: 0 }).length, 0);
});

const REFUSED: readonly [change: Partial<RunSigmasOptions>, message: RegExp][] = [
  [{ steps: 0 }, /^steps: must be an integer from 1 to 10000, got 0$/],
  [{ steps: 2.5 }, /^steps: must be an integer/],
  [{ steps: 10_001 }, /^steps: must be an integer/],
  [{ denoise: 1.1 }, /^denoise: must be from 0 to 1, got 1.1$/],
  [{ denoise: -0.1 }, /^denoise: must be from 0 to 1/],
  [{ denoise: Number.NaN }, /^denoise: must be from 0 to 1/],
  [{ denoise: 1e-9 }, /^denoise: 1e-9 of 10 steps is the end of a run of 10000000000/],
  [{ startAtStep: -1 }, /^start_at_step: must be an integer from 0/],
  [{ endAtStep: 0.5 }, /^end_at_step: must be an integer from 0/],
  [{ schedule: 'kl_optimal', steps: 1 }, /^steps: kl_optimal has no noise level for a single step/],
];

for (const [change, message] of REFUSED) {
  test(`refused: ${JSON.stringify(change)}`, () =>
    failsWith('bad-parameter', message, () =>
      runSigmas(MODELS.eps, { schedule: 'normal', steps: 10, sampler: 'euler', ...change }),
    ));
}

test.run();
