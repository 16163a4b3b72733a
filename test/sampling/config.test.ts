import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  defaultConfig,
  makeScheduler,
  parseSchedulerConfig,
  SAMPLERS,
  type SchedulerConfig,
  withSampler,
} from '../../src/sampling/index.ts';
import { readJson } from '../support/fixtures.ts';

const parsing = suite('parseSchedulerConfig');
const parse = (value: unknown) => parseSchedulerConfig(value, 'model.json').config;

parsing("the demo's config, as diffusers wrote it", () => {
  const config = parse(readJson('demo/scheduler/scheduler_config.json'));
  assert.equal(config, defaultConfig('ddim'));
});

/** What the three models' own files say that is not the default. */
const ACCEPTED: readonly [name: string, value: object, expected: Partial<SchedulerConfig>][] = [
  ['nothing', {}, { type: 'ddim', timestep_spacing: 'leading', steps_offset: 1 }],
  ['null is absent', { _class_name: null, trained_betas: null, steps_offset: null }, { type: 'ddim', steps_offset: 1 }],
  ['PNDM', { _class_name: 'PNDMScheduler', skip_prk_steps: true }, { type: 'ddim', timestep_spacing: 'leading' }],
  ['Euler', { _class_name: 'EulerDiscreteScheduler' }, { type: 'euler', timestep_spacing: 'linspace' }],
  ['Euler a', { _class_name: 'EulerAncestralDiscreteScheduler' }, { type: 'euler_ancestral' }],
  ['SDXL', { _class_name: 'EulerDiscreteScheduler', clip_sample: true }, { type: 'euler', clip_sample: false }],
  [
    'DPM++',
    { _class_name: 'DPMSolverMultistepScheduler', use_karras_sigmas: true, algorithm_type: 'dpmsolver++' },
    { type: 'dpmpp_2m', sigmas: 'karras' },
  ],
  ['LCM', { _class_name: 'LCMScheduler', original_inference_steps: 25 }, { type: 'lcm', original_inference_steps: 25 }],
  ['our names', { type: 'euler', sigmas: 'karras' }, { type: 'euler', sigmas: 'karras' }],
  ['DDIM ignores Karras', { _class_name: 'DDIMScheduler', use_karras_sigmas: true }, { sigmas: 'normal' }],
  ['solver fields of another sampler', { type: 'euler', solver_order: 3 }, { type: 'euler' }],
];
for (const [name, value, expected] of ACCEPTED) {
  parsing(`takes ${name}`, () => assert.equal({ ...parse(value), ...expected }, parse(value)));
}

parsing('says that DDIM stands for PNDM, and nothing else', () => {
  assert.match(parseSchedulerConfig({ _class_name: 'PNDMScheduler' }, 'm').notes.join(), /DDIM/);
  assert.equal(parseSchedulerConfig({ _class_name: 'DDIMScheduler' }, 'm').notes, []);
});

const REFUSED: readonly [value: unknown, message: RegExp][] = [
  [[], /model\.json: expected an object, got a list/],
  ['ddim', /expected an object, got "ddim"/],
  [
    { _class_name: 'EulerDiscretScheduler' },
    /"EulerDiscretScheduler" is not a scheduler.*did you mean "EulerDiscreteSch/,
  ],
  [{ _class_name: 'toString' }, /known are DDIMScheduler/],
  [{ type: 'heun' }, /type must be one of ddim, euler, .*got "heun"/],
  [{ prediction_type: 'sample' }, /prediction_type must be one of epsilon, v_prediction, got "sample"/],
  [{ timestep_spacing: 3 }, /timestep_spacing must be one of leading, trailing, linspace, got 3/],
  [{ beta_schedule: 'squaredcos_cap_v2' }, /beta_schedule must be one of/],
  [{ beta_start: '0.1' }, /beta_start must be a number above 0, at most 0.999, got "0.1"/],
  [{ beta_start: 0.5, beta_end: 0.1 }, /beta_start 0.5 is above beta_end 0.1/],
  [{ steps_offset: 0.5 }, /steps_offset must be an integer from 0 to 999, got 0.5/],
  [{ num_train_timesteps: 1 }, /num_train_timesteps must be an integer from 2/],
  [{ set_alpha_to_one: 1 }, /set_alpha_to_one must be true or false, got 1/],
  [{ eta: 2 }, /eta must be a number from 0 to 1, got 2/],
  [{ type: 'euler', eta: 1 }, /eta is for ddim only, not for euler/],
  [{ type: 'lcm', sigmas: 'karras' }, /sigmas "karras" is not for lcm/],
  [{ thresholding: true }, /thresholding true is not built/],
  [{ trained_betas: [0.1] }, /trained_betas \[0.1\] is not built; leave it out/],
  [{ type: 'dpmpp_2m', solver_order: 3 }, /solver_order 3 is not built; only 2 is built/],
  [{ type: 'dpmpp_2m', algorithm_type: 'sde-dpmsolver++' }, /algorithm_type "sde-dpmsolver\+\+" is not built/],
];
for (const [value, message] of REFUSED) {
  parsing(`refuses ${JSON.stringify(value)}`, () => assert.throws(() => parse(value), message));
}

parsing('withSampler drops what the other sampler lacks', () => {
  const karras: SchedulerConfig = { ...defaultConfig('euler'), sigmas: 'karras', timestep_spacing: 'trailing' };
  const { sigmas, timestep_spacing } = withSampler(karras, 'ddim');
  assert.equal({ sigmas, timestep_spacing }, { sigmas: 'normal', timestep_spacing: 'trailing' });
  assert.is(withSampler(karras, 'dpmpp_2m').sigmas, 'karras');
  assert.is(withSampler({ ...defaultConfig('ddim'), eta: 1 }, 'lcm').eta, 0);
});
parsing.run();

const steps = suite('steps');
const timesteps = (config: Partial<SchedulerConfig> & Pick<SchedulerConfig, 'type'>, count: number) =>
  makeScheduler({ ...defaultConfig(config.type), ...config }, count).timesteps;

/** By hand from the formulas; halves round to the even neighbour. */
const SPACED: readonly [config: Partial<SchedulerConfig> & Pick<SchedulerConfig, 'type'>, expected: number[]][] = [
  [{ type: 'ddim', steps_offset: 0 }, [666, 333, 0]],
  [{ type: 'ddim', timestep_spacing: 'trailing' }, [999, 666, 332]],
  [{ type: 'ddim', timestep_spacing: 'linspace' }, [999, 500, 0]],
  [{ type: 'euler' }, [999, 499.5, 0]],
  [{ type: 'dpmpp_2m' }, [999, 666, 333]],
  [{ type: 'dpmpp_2m', timestep_spacing: 'leading' }, [751, 501, 251]],
  [{ type: 'dpmpp_2m', timestep_spacing: 'trailing' }, [999, 666, 332]],
  [{ type: 'lcm' }, [999, 679, 339]],
];
for (const [config, expected] of SPACED) {
  steps(`three of ${Object.values(config).join(' ')}`, () => assert.equal(timesteps(config, 3), expected));
}

steps('one step of linspace starts at the noisy end', () => {
  for (const type of ['euler', 'dpmpp_2m'] as const) assert.equal(timesteps({ type }, 1), [999]);
  assert.equal(timesteps({ type: 'ddim', timestep_spacing: 'linspace' }, 1), [999]);
});

for (const type of SAMPLERS) {
  for (const count of [0, -1, 1.5, 1001, Number.NaN]) {
    steps(`${type} refuses ${count} steps`, () => assert.throws(() => timesteps({ type }, count), /steps: must be/));
  }
}
steps('leading spacing refuses timesteps past the last', () => {
  assert.throws(() => timesteps({ type: 'ddim' }, 1000), /start at timestep 1000, past the last, 999; take fewer/);
  assert.is(timesteps({ type: 'ddim', steps_offset: 0 }, 1000)[0], 999);
  assert.is(timesteps({ type: 'ddim' }, 999)[0], 999);
});
steps('DPM++ refuses two steps on one timestep', () => {
  assert.throws(() => timesteps({ type: 'dpmpp_2m' }, 1000), /from 1 to 999/);
  assert.is(new Set(timesteps({ type: 'dpmpp_2m' }, 999)).size, 999);
});
steps('DPM++ of Karras sigmas has as many steps as there are distances between noise levels', () => {
  const karras = { type: 'dpmpp_2m', sigmas: 'karras' } as const;
  for (const count of [1000, 1001]) assert.throws(() => timesteps(karras, count), /from 1 to 999/);
  assert.is(timesteps(karras, 999).length, 999);
});

steps('what a sampler lacks is told with those that have it', () => {
  const make = (config: Partial<SchedulerConfig> & Pick<SchedulerConfig, 'type'>) => () => timesteps(config, 2);
  assert.throws(make({ type: 'ddim', sigmas: 'karras' }), /they are for euler, (?:\w+, )*\w+ and \w+$/);
  assert.throws(make({ type: 'euler', eta: 0.5 }), /eta is for ddim.* only, not for euler; leave it out$/);
  assert.throws(
    make({ type: 'euler', clip_sample: true }),
    /clip_sample is for ddim(?:, \w+)* and \w+ only, not for euler$/,
  );
});

steps('LCM refuses more steps than it was distilled on', () => {
  assert.throws(() => timesteps({ type: 'lcm' }, 51), /from 1 to 50, got 51/);
});
steps('Karras steps fall, at most from end to end of the training', () => {
  for (const type of ['euler', 'euler_ancestral', 'dpmpp_2m'] as const) {
    const { sigmas } = makeScheduler({ ...defaultConfig(type), sigmas: 'karras' }, 30);
    assert.ok(sigmas.every((sigma, index) => index === 0 || sigma < (sigmas[index - 1] ?? 0)));
    assert.ok(Math.abs((sigmas[0] ?? 0) - 14.61465) < 1e-4 && Math.abs((sigmas[29] ?? 0) - 0.0291675) < 1e-6);
  }
});
steps.run();

const arithmetic = suite('arithmetic of a step');
const ONE = Float32Array.of(1);

arithmetic('DDIM with eta 1 takes noise, with eta 0 none', () => {
  const config = defaultConfig('ddim');
  const noisy = makeScheduler({ ...config, eta: 1 }, 10);
  const input = { sample: ONE, modelOutput: ONE };
  assert.ok(noisy.needsNoise(0) && !makeScheduler(config, 10).needsNoise(0));
  assert.throws(() => noisy.step(0, input), /step 0 needs noise/);
  const up = noisy.step(3, { ...input, noise: ONE }).sample[0] ?? 0;
  const down = noisy.step(3, { ...input, noise: Float32Array.of(-1) }).sample[0] ?? 0;
  // From t = 601 to 501, computed apart: eta sqrt((1 - a') / (1 - a) (1 - a / a')).
  assert.ok(Math.abs((up - down) / 2 - ancestralShare(601, 501)) < 1e-5);
});

/** The share of fresh noise by the formula, in doubles. */
function ancestralShare(now: number, next: number): number {
  const alpha = (timestep: number) => {
    let product = 1;
    for (let index = 0; index <= timestep; index++) {
      product *= 1 - (Math.sqrt(0.00085) + ((Math.sqrt(0.012) - Math.sqrt(0.00085)) * index) / 999) ** 2;
    }
    return product;
  };
  return Math.sqrt(((1 - alpha(next)) / (1 - alpha(now))) * (1 - alpha(now) / alpha(next)));
}

arithmetic('set_alpha_to_one makes the last step the picture itself', () => {
  const scheduler = makeScheduler({ ...defaultConfig('ddim'), set_alpha_to_one: true }, 4);
  const { sample, predictedOriginal } = scheduler.step(3, { sample: ONE, modelOutput: ONE });
  assert.equal(sample, predictedOriginal);
});

arithmetic('clip_sample keeps the picture in range', () => {
  for (const type of ['ddim', 'lcm'] as const) {
    const input = { sample: Float32Array.of(9), modelOutput: ONE, noise: ONE };
    const clipped = makeScheduler({ ...defaultConfig(type), clip_sample: true, clip_sample_range: 2 }, 4);
    const original = clipped.step(0, input).predictedOriginal[0] ?? 0;
    assert.ok(Math.abs(original - 2) < 1e-4, `${type}: ${original}`);
    assert.ok((makeScheduler(defaultConfig(type), 4).step(0, input).predictedOriginal[0] ?? 0) > 9);
  }
});

/** A perfect model of one picture: whatever the parameterization, the end is the picture. */
arithmetic('zero terminal SNR: nothing of the picture is left at the last timestep, and the first stays', () => {
  const config = { ...defaultConfig('euler'), timestep_spacing: 'trailing', rescale_betas_zero_snr: true } as const;
  const { timesteps, sigmas } = makeScheduler(config, 5);
  assert.equal(timesteps, [999, 799, 599, 399, 199]);
  // Made by diffusers' EulerDiscreteScheduler.
  const expected = [4096, 7.410707473754883, 2.604856252670288, 1.24137544631958, 0.59475177526474];
  for (const [index, sigma] of sigmas.entries())
    assert.ok(Math.abs(sigma / (expected[index] ?? 0) - 1) < 2e-6, `${sigma}`);
  const ddim = makeScheduler({ ...config, type: 'ddim', prediction_type: 'v_prediction' }, 5);
  const input = { sample: Float32Array.of(0.3), modelOutput: Float32Array.of(-0.5) };
  assert.ok(Math.abs((ddim.step(0, input).predictedOriginal[0] ?? 0) - 0.5) < 1e-6, 'v alone tells the picture');
});

arithmetic('every sampler, spacing and prediction ends at the picture that the model sees', () => {
  const picture = Float32Array.of(0.8, -0.3, 0, 0.1);
  for (const type of SAMPLERS) {
    for (const timestep_spacing of ['leading', 'trailing', 'linspace'] as const) {
      for (const prediction_type of ['epsilon', 'v_prediction'] as const) {
        const base = defaultConfig(type);
        const config = {
          ...base,
          timestep_spacing,
          prediction_type,
          set_alpha_to_one: true,
          beta_schedule: 'linear',
        } as const;
        const end = denoisePerfectly(config, picture);
        const off = Math.max(...end.map((value, index) => Math.abs(value - (picture[index] ?? 0))));
        assert.ok(off < 2e-3, `${type} ${timestep_spacing} ${prediction_type}: off by ${off}`);
      }
    }
  }
});

function denoisePerfectly(config: SchedulerConfig, picture: Float32Array): Float32Array {
  const scheduler = makeScheduler(config, 12);
  let sample: Float32Array = Float32Array.of(1, -1, 0.5, 2).map((value) => value * scheduler.initNoiseSigma);
  let previousOriginal: Float32Array | undefined;
  for (const [step, level] of scheduler.sigmas.entries()) {
    const alpha = 1 / Math.sqrt(level ** 2 + 1);
    const seen = scheduler.scaleInput(sample, step);
    const modelOutput = seen.map((x, index) => {
      const original = picture[index] ?? 0;
      const epsilon = (x - alpha * original) / (level * alpha);
      return config.prediction_type === 'epsilon' ? epsilon : alpha * epsilon - level * alpha * original;
    });
    const noise = Float32Array.of(0.5, -0.5, 1, -1);
    const result = scheduler.step(step, { modelOutput, sample, noise, previousOriginal });
    previousOriginal = result.predictedOriginal;
    sample = result.sample;
  }
  return sample;
}

arithmetic('arrays of two lengths are refused', () => {
  const scheduler = makeScheduler(defaultConfig('ddim'), 4);
  assert.throws(() => scheduler.step(0, { sample: ONE, modelOutput: new Float32Array(2) }), /expected 1 values, got 2/);
  assert.throws(() => scheduler.step(4, { sample: ONE, modelOutput: ONE }), /no step 4: there are 4/);
});
arithmetic.run();
