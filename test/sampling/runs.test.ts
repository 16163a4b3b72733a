import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import {
  type DenoiseStep,
  defaultConfig,
  denoise,
  loadUNet,
  makeScheduler,
  readSlothfulMetadata,
  type SchedulerConfig,
  SlothfulError,
  type SlothfulParameters,
  type UNet,
} from '../../src/node.ts';
import { fixture, fixturePath, readJson } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { type FixtureTensor, readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A whole run of diffusers' pipeline on the tiny sd15 checkpoint, patched by the original node. */
interface GoldenRun {
  readonly sampler: string;
  readonly steps: number;
  readonly cfg: number;
  readonly params: SlothfulParameters | null;
  readonly timesteps: number[];
  readonly sigmas: number[];
  /** By step and by the name that diffusers gives the attention; empty for a plain run. */
  readonly kv_tokens: Record<string, number>[];
  readonly out: string;
}

const CONFIGS: Readonly<Record<string, SchedulerConfig>> = {
  ddim: defaultConfig('ddim'),
  euler: { ...defaultConfig('euler'), timestep_spacing: 'leading' },
  euler_karras: { ...defaultConfig('euler'), timestep_spacing: 'leading', sigmas: 'karras' },
  euler_ancestral: { ...defaultConfig('euler_ancestral'), timestep_spacing: 'leading' },
  dpmpp_2m_karras: { ...defaultConfig('dpmpp_2m'), sigmas: 'karras' },
  lcm: defaultConfig('lcm'),
};

const runs = readJson<GoldenRun[]>('sampling/runs.json');
const tensors = readSafetensors(fixture('sampling/runs.safetensors'));

function golden(name: string): FixtureTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return tensor;
}

/** [1, C, h, w] as diffusers has it to [1, h, w, C]. */
function nhwc(values: Float32Array, channels = 4): Float32Array {
  const pixels = values.length / channels;
  return values.map((_, index) => values[(index % channels) * pixels + Math.floor(index / channels)] ?? Number.NaN);
}

const stepNoise = golden('step_noise');
const SIZE = golden('noise0').data.length;
const noise = {
  initial: nhwc(golden('noise0').data),
  step: (index: number) => nhwc(stepNoise.data.subarray(index * SIZE, (index + 1) * SIZE)),
};

function run(unet: UNet, { sampler, steps, cfg, params }: GoldenRun): AsyncGenerator<DenoiseStep> {
  const config = CONFIGS[sampler];
  assert.ok(config, `no config for ${sampler}`);
  const [cond, uncond] = [{ encoder_hidden_states: golden('cond') }, { encoder_hidden_states: golden('uncond') }];
  const scheduler = makeScheduler(config, steps);
  const patch = params ? { control: () => params } : { slothful: false as const };
  return denoise({ unet, scheduler, cond, uncond, guidanceScale: cfg, height: 32, width: 32, noise, ...patch });
}

async function collect(run: AsyncIterable<DenoiseStep>): Promise<DenoiseStep[]> {
  const steps: DenoiseStep[] = [];
  for await (const step of run) steps.push(step);
  return steps;
}

function tokensByName(unet: UNet, { sites }: DenoiseStep): Record<string, number> {
  const rows = readSlothfulMetadata(unet.metadata)?.sites ?? [];
  return Object.fromEntries(rows.map(({ scope }, row) => [scope.replaceAll('/', '.'), sites[row]?.kvTokens ?? 0]));
}

/** Largest difference against the largest value. */
function relative(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  return largestDifference(got, expected) / Math.max(...Array.from(expected, Math.abs));
}

const test = suite('whole runs against diffusers and the original node');
const context: { unet?: UNet } = {};

test.before(async () => {
  const model = join(temporaryFolder(), 'sd15');
  await convertCheckpoint(fixturePath('unet/sd15/diffusers'), model);
  context.unet = await loadUNet(model, { backend: 'wasm', slothful: true });
});
test.after(() => context.unet?.dispose());

test('there are 18', () => assert.is(runs.length, 18));

for (const each of runs) {
  test(each.out, async () => {
    const { unet } = context;
    assert.ok(unet, 'the model is loaded');
    const tensorsBefore = tf.memory().numTensors;
    const steps = await collect(run(unet, each));
    assert.ok(
      relative(
        steps.map(({ timestep }) => timestep),
        each.timesteps,
      ) < 1e-6,
      'timesteps',
    );
    assert.ok(
      relative(
        steps.map(({ sigma }) => sigma),
        each.sigmas,
      ) < 1e-6,
      'sigmas',
    );
    if (each.params)
      assert.equal(
        steps.map((step) => tokensByName(unet, step)),
        each.kv_tokens,
      );
    const off = relative(steps.at(-1)?.latents ?? [], nhwc(golden(each.out).data));
    assert.ok(off < 1e-3, `the latents are off by ${off}`);
    assert.is(tf.memory().numTensors, tensorsBefore, 'tensors leaked');
  });
}

test('50 patched steps, a run that is left and one that is aborted leak nothing', async () => {
  const { unet } = context;
  assert.ok(unet, 'the model is loaded');
  const tensorsBefore = tf.memory().numTensors;
  const scheduler = makeScheduler(defaultConfig('euler_ancestral'), 50);
  const small = { unet, scheduler, cond: { encoder_hidden_states: golden('cond') }, height: 8, width: 8 };
  assert.is((await collect(denoise(small))).length, 50);
  for await (const { index } of denoise(small)) if (index === 1) break;
  const stop = new AbortController();
  await assertAborted(denoise({ ...small, signal: stop.signal, onPreview: () => stop.abort() }));
  assert.is(tf.memory().numTensors, tensorsBefore);
});

async function assertAborted(run: AsyncIterable<DenoiseStep>): Promise<void> {
  const error = await collect(run).catch((reason: unknown) => reason);
  assert.ok(error instanceof SlothfulError && error.code === 'aborted', String(error));
}

test.run();
