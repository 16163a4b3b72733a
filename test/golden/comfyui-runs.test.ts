import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import {
  type Conditioning,
  type DenoiseStep,
  defaultConfig,
  denoise,
  loadUNet,
  makePass,
  makeSolver,
  parseParameters,
  type Rng,
  readSlothfulMetadata,
  type SlothfulOptions,
  simpleParameters,
  type UNet,
  withSolver,
} from '../../src/node.ts';
import { expectPass } from '../../src/passes/index.ts';
import { expectSolver, parseScheduleName } from '../../src/sampling/index.ts';
import { channelsFirst, channelsLast } from '../../src/tensors/index.ts';
import { fixture, fixturePath, readJson } from '../support/fixtures.ts';
import { testedBackend, wholeRuns } from '../support/golden-suite.ts';
import { largestDifference } from '../support/numbers.ts';
import { type FixtureTensor, readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A whole run of ComfyUI's KSampler or KSamplerAdvanced on a tiny checkpoint, with the original node. */
interface GoldenRun {
  readonly name: string;
  readonly family: 'sd15' | 'sdxl';
  readonly sampler: string;
  readonly scheduler: string;
  readonly steps: number;
  readonly cfg: number;
  readonly size: readonly [height: number, width: number];
  readonly nodes: readonly { node: string; params: Readonly<Record<string, unknown>> }[];
  readonly seed: string;
  readonly batch: number;
  readonly denoise: number;
  readonly noise_inds?: readonly number[];
  readonly step_noise?: 'cuda';
  readonly model_sampling?: 'lcm';
  readonly advanced?: {
    add_noise: boolean;
    start_at_step: number;
    end_at_step: number;
    return_with_leftover_noise: boolean;
  };
  readonly latent_in?: string;
  readonly freeu?: { b1: number; b2: number; s1: number; s2: number };
  readonly sizes?: Readonly<
    Record<'width' | 'height' | 'crop_w' | 'crop_h' | 'target_width' | 'target_height', number>
  >;
  readonly positive: string;
  readonly negative: string;
  readonly positive_pooled?: string;
  readonly negative_pooled?: string;
  /** Rows: 0 what it is told, 1 what it is guided away from; ComfyUI asks for them apart where memory or lengths want it. */
  readonly calls: readonly { sigma: number; timestep: number; cond_or_uncond: readonly number[] }[];
  /** By call and site. */
  readonly kv_tokens?: readonly (readonly number[])[];
  readonly sites?: readonly string[];
  readonly out: string;
  readonly std: number;
}

const SCALES = { sd15: 0.18215, sdxl: 0.13025 } as const;
const { runs } = readJson<{ runs: GoldenRun[] }>('comfyui/cases.json');
const tensors = readSafetensors(fixture('comfyui/runs.safetensors'));

function golden(name: string | undefined): FixtureTensor {
  const tensor = tensors.get(name ?? '');
  if (!tensor) throw new Error(`no tensor ${name}`);
  return tensor;
}

function parametersOf({ node, params }: GoldenRun['nodes'][number]): SlothfulOptions {
  const compat = { ...params, compat: 'comfyui' };
  return node.endsWith('Simple') ? simpleParameters(compat) : parseParameters(compat);
}

function toldBy(run: GoldenRun, half: 'positive' | 'negative'): Conditioning {
  const encoder_hidden_states = golden(run[half]);
  if (run.family === 'sd15') return { encoder_hidden_states };
  const [height, width] = run.size;
  const { sizes } = run;
  const ids = sizes
    ? [sizes.height, sizes.width, sizes.crop_h, sizes.crop_w, sizes.target_height, sizes.target_width]
    : [height * 8, width * 8, 0, 0, height * 8, width * 8];
  const time_ids = { shape: [1, 6], data: Float32Array.from(ids) };
  return { encoder_hidden_states, text_embeds: golden(run[`${half}_pooled`]), time_ids };
}

function startOf(run: GoldenRun) {
  if (run.latent_in === undefined) return undefined;
  const { shape, data } = golden(run.latent_in);
  const [, channels = 4, height = 1, width = 1] = shape;
  const one = channelsLast(data, [shape[0] ?? 1, height, width, channels]).map((value) => value * SCALES[run.family]);
  const copies = Array.from({ length: run.batch / (shape[0] ?? 1) }, () => [...one]);
  return { latents: Float32Array.from(copies.flat()), strength: run.denoise };
}

async function execute(unet: UNet, run: GoldenRun): Promise<DenoiseStep[]> {
  const [height, width] = run.size;
  const sampler = expectSolver(run.sampler, run.name);
  const sigmas = parseScheduleName(run.scheduler);
  const config = withSolver(defaultConfig('ddim'), { type: sampler, sigmas, model_sampling: run.model_sampling });
  const rng: Rng = run.step_noise === 'cuda' ? 'comfyui-cuda' : 'comfyui';
  const [first, second] = run.nodes.map(parametersOf);
  const freeu = { ...run.freeu, variant: 'comfyui-v2' };
  const steps: DenoiseStep[] = [];
  const options = {
    ...{ unet, rng, height, width, batch: run.batch, seed: BigInt(run.seed), batchIndex: run.noise_inds },
    scheduler: makeSolver(config, { steps: run.steps, strength: run.denoise, part: run.advanced }),
    ...{ cond: toldBy(run, 'positive'), uncond: toldBy(run, 'negative'), guidanceScale: run.cfg },
    ...{ start: startOf(run), addNoise: run.advanced?.add_noise },
    passes: { 'slothful-second': second ?? false, slothful: first ?? false, ...(run.freeu ? { freeu } : {}) },
  } as const;
  for await (const step of denoise(options)) steps.push(step);
  return steps;
}

/** K/V tokens of a call by the names that diffusers gives the attentions. */
function tokensOf(unet: UNet, sites: DenoiseStep['sites']): Record<string, number> {
  const record = readSlothfulMetadata(unet.metadata)?.sites ?? [];
  return Object.fromEntries(record.map(({ scope }, row) => [scope.replaceAll('/', '.'), sites[row]?.kvTokens ?? 0]));
}

function check(unet: UNet, run: GoldenRun, steps: readonly DenoiseStep[]): void {
  const calls = steps.flatMap((step) => step.calls);
  const expected = run.calls.filter(({ cond_or_uncond: rows }) => rows.includes(0));
  assert.equal(
    calls.map(({ timestep }) => timestep),
    expected.map(({ timestep }) => timestep),
    'what the model was told',
  );
  const sigmas = calls.map(({ sigma }, index) => sigma / (expected[index]?.sigma ?? 0) - 1);
  assert.ok(Math.max(...sigmas.map(Math.abs)) < 1e-6, 'the sigma of each call');
  for (const [call, tokens] of (run.kv_tokens ?? []).entries()) {
    const named = Object.fromEntries((run.sites ?? []).map((site, row) => [site, tokens[row] ?? 0]));
    const at = calls.length === run.calls.length ? call : Math.floor(call / 2);
    assert.equal(tokensOf(unet, calls[at]?.sites ?? []), named, `K/V tokens of call ${call}`);
  }
  const [height, width] = run.size;
  const latents = steps.at(-1)?.latents ?? new Float32Array();
  const out = channelsFirst(latents, [run.batch, height, width, 4]).map((value) => value / SCALES[run.family]);
  const difference = largestDifference(out, golden(run.out).data) / run.std;
  assert.ok(difference <= 1e-4, `differs by ${difference} of the deviation`);
}

const backend = testedBackend();
for (const family of ['sd15', 'sdxl'] as const) {
  const test = suite(`ComfyUI's runs of ${family} on ${backend}`);
  const context: { unet?: UNet; withFreeu?: UNet } = {};
  test.before(async () => {
    const model = join(temporaryFolder(), family);
    await convertCheckpoint(fixturePath(`unet/${family}/diffusers`), model);
    const load = (...names: string[]) =>
      loadUNet(model, { backend, passes: names.map((name) => makePass(expectPass(name, 'test'))) });
    context.unet = await load('slothful', 'slothful-second');
    // Its ops take time, and one run needs them.
    if (family === 'sd15') context.withFreeu = await load('slothful', 'slothful-second', 'freeu');
  });
  test.after(() => {
    context.unet?.dispose();
    context.withFreeu?.dispose();
  });
  for (const run of wholeRuns(runs.filter((each) => each.family === family))) {
    test(run.name, async () => {
      const unet = run.freeu ? context.withFreeu : context.unet;
      assert.ok(unet, 'the model is loaded');
      const before = tf.memory().numTensors;
      check(unet, run, await execute(unet, run));
      assert.is(tf.memory().numTensors, before, 'no tensor is left');
    });
  }
  test.run();
}

const count = suite("ComfyUI's runs");
count('there are 37', () => assert.is(runs.length, 37));
count.run();
