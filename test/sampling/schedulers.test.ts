import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  defaultConfig,
  makeScheduler,
  type Scheduler,
  type SchedulerConfig,
} from '../../src/sampling/schedulers/index.ts';

interface Golden {
  timesteps: number[];
  sigmas: number[] | null;
  init_noise_sigma: number;
  x_init: number[];
  traj: number[][];
}

const file = new URL('../../fixtures/sampling/schedulers.json', import.meta.url);
const { _note, ...goldens }: Record<string, Golden> & { _note?: unknown } = JSON.parse(readFileSync(file, 'utf8'));

/** The config of each kind of golden, by its name without the number of steps. */
const CONFIGS: Record<string, SchedulerConfig> = {
  ddim_leading: defaultConfig('ddim'),
  ddim_leading_v: { ...defaultConfig('ddim'), prediction_type: 'v_prediction' },
  euler_leading: { ...defaultConfig('euler'), timestep_spacing: 'leading' },
  euler_trailing: { ...defaultConfig('euler'), timestep_spacing: 'trailing' },
  euler_karras: { ...defaultConfig('euler'), timestep_spacing: 'leading', sigmas: 'karras' },
  euler_a_leading: { ...defaultConfig('euler_ancestral'), timestep_spacing: 'leading' },
  dpmpp2m_linspace: defaultConfig('dpmpp_2m'),
  dpmpp2m_karras: { ...defaultConfig('dpmpp_2m'), sigmas: 'karras' },
  lcm: defaultConfig('lcm'),
};

const fakeModel = (input: Float32Array, timestep: number) =>
  input.map((x) => 0.8 * Math.tanh(x) + 0.0002 * timestep * Math.cos(x));
const fakeNoise = (call: number, length: number) =>
  Float32Array.from({ length }, (_, index) => Math.sin(1.7 * index + 0.9 * call + 0.3));

/** Largest difference against the largest value. */
function relative(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.is(got.length, expected.length);
  const pairs = Array.from(expected, (value, index) => [value, got[index] ?? Number.NaN] as const);
  const scale = Math.max(...pairs.map(([value]) => Math.abs(value)), 1e-30);
  const worst = pairs.map(([value, mine]) => Math.abs(value - mine) / scale);
  assert.ok(worst.every(Number.isFinite), 'not a number');
  return Math.max(...worst);
}

function trajectory(scheduler: Scheduler, start: Float32Array): Float32Array[] {
  let sample = start;
  let previousOriginal: Float32Array | undefined;
  let call = 1;
  return scheduler.timesteps.map((timestep, step) => {
    const modelOutput = fakeModel(scheduler.scaleInput(sample, step), timestep);
    const noise = scheduler.needsNoise(step) ? fakeNoise(call++, sample.length) : undefined;
    const result = scheduler.step(step, { modelOutput, sample, noise, previousOriginal });
    previousOriginal = result.predictedOriginal;
    sample = result.sample;
    return sample;
  });
}

const test = suite('schedulers against diffusers');

test('there are 26 goldens', () => assert.is(Object.keys(goldens).length, 26));

for (const [name, golden] of Object.entries(goldens)) {
  test(name, () => {
    const config = CONFIGS[name.replace(/_\d+$/, '')];
    assert.ok(config, `no config for ${name}`);
    const scheduler = makeScheduler(config, golden.timesteps.length);
    const start = fakeNoise(0, 16).map((value) => value * scheduler.initNoiseSigma);
    assert.ok(relative(scheduler.timesteps, golden.timesteps) < 1e-6, 'timesteps');
    assert.ok(relative([scheduler.initNoiseSigma], [golden.init_noise_sigma]) < 1e-6, 'initNoiseSigma');
    if (golden.sigmas) assert.ok(relative([...scheduler.sigmas, 0], golden.sigmas) < 1e-6, 'sigmas');
    assert.ok(relative(start, golden.x_init) < 1e-6, 'start');
    trajectory(scheduler, start).forEach((sample, step) => {
      const off = relative(sample, golden.traj[step] ?? []);
      assert.ok(off < 1e-5, `step ${step} is off by ${off}`);
    });
  });
}

test.run();
