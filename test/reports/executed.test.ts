import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import type { Graph } from '../../src/graph/index.ts';
import { setLogitsLimit } from '../../src/kernels/index.ts';
import { loadUNet, readModel } from '../../src/node.ts';
import { DEFAULT_PARAMETERS, type SlothfulParameters, sigmaOfTimestep } from '../../src/passes/slothful/index.ts';
import { inspectGraph, type PlanReport, planGraph } from '../../src/reports/index.ts';
import type { PredictOptions, SiteRecord, UNet } from '../../src/runtime/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { caseInputs, FAMILIES, type FamilyName, type UNetCase, unetGoldens } from '../support/unet-goldens.ts';

const test = suite('reports against what runs');

/** A limit that the small models' attentions exceed, so that queries are cut. */
const LIMIT = 100_000;
const BLEND: SlothfulParameters = { ...DEFAULT_PARAMETERS, keep_middle: false, in_k_blend: 0.5, out_mode: '1D_MAX' };

/** The cpu backend is slow: it gets the smallest size only. */
const CASES = {
  wasm: [
    ['24x40.t999.defaults', DEFAULT_PARAMETERS],
    ['24x40.t251.defaults', BLEND],
    ['7x5.t999.defaults', BLEND],
  ],
  cpu: [
    ['7x5.t999.defaults', DEFAULT_PARAMETERS],
    ['7x5.t301.defaults', BLEND],
  ],
} as const;

interface Model {
  readonly graph: Graph;
  readonly folder: string;
}

const models = new Map<FamilyName, Model>();

test.before(async () => {
  for (const family of FAMILIES) {
    const folder = join(temporaryFolder(), family);
    await convertCheckpoint(unetGoldens(family).diffusers, folder);
    const file = await readModel(folder);
    await file.loadConstants();
    models.set(family, { graph: file.graph, folder });
  }
});

test.after(() => setLogitsLimit(undefined));

function modelOf(family: FamilyName): Model {
  const model = models.get(family);
  if (!model) throw new Error(`${family} is not converted`);
  return model;
}

/** What one prediction executed, by its kernels' shapes. */
interface Executed {
  readonly flops: number;
  /** Bytes of the largest tensor that a softmax was given. */
  readonly largestLogits: number;
  readonly sites: readonly SiteRecord[];
}

async function execute(unet: UNet, family: FamilyName, each: UNetCase, options: PredictOptions): Promise<Executed> {
  const inputs = caseInputs(unetGoldens(family), each, family);
  let sites: readonly SiteRecord[] = [];
  const { kernels } = await tf.profile(() => {
    const prediction = unet.predict(inputs, { layout: 'nchw', ...options });
    sites = prediction.sites;
    return prediction.out_sample.dispose();
  });
  tf.dispose(Object.values(inputs).filter((value) => value instanceof tf.Tensor));
  const logits = kernels
    .filter(({ name }) => name === 'Softmax')
    .map(({ inputShapes }) => 4 * elements(inputShapes[0]));
  const flops = kernels.map(kernelFlops).reduce((sum, count) => sum + count, 0);
  return { flops, largestLogits: Math.max(...logits), sites };
}

type Kernel = Awaited<ReturnType<typeof tf.profile>>['kernels'][number];

function elements(shape: readonly number[] | undefined): number {
  return (shape ?? []).reduce((product, size) => product * size, 1);
}

/** Two for each multiply-add, by what a kernel was given and gave. */
function kernelFlops({ name, inputShapes, outputShapes }: Kernel): number {
  const [left, right] = inputShapes;
  const [output = []] = outputShapes;
  if (/^(BatchMatMul|_FusedMatMul)$/.test(name)) {
    const rows = output.at(-2) ?? Number.NaN;
    const inner = elements(left?.slice(-2)) / rows;
    return 2 * elements(output) * inner;
  }
  if (/^(Conv2D|FusedConv2D)$/.test(name))
    return (2 * elements(output) * elements(right)) / (output.at(-1) ?? Number.NaN);
  return 0;
}

function within(actual: number, expected: number, message: string): void {
  const difference = Math.abs(actual / expected - 1);
  assert.ok(difference < 0.01, `${message}: ${actual} instead of ${expected}`);
  // The one percent is what was asked for; nothing is estimated, so it is exact.
  assert.is(actual, expected, message);
}

function caseOf(family: FamilyName, out: string): UNetCase {
  const goldens = unetGoldens(family);
  const found = [...goldens.regular, ...goldens.odd].find((each) => each.out === out);
  if (!found) throw new Error(`no case ${out}`);
  return found;
}

function plan(graph: Graph, each: UNetCase, backend: 'wasm' | 'cpu', parameters: SlothfulParameters): PlanReport {
  const [rows, columns] = each.size;
  const steps = [{ timestep: each.timestep, sigma: sigmaOfTimestep(each.timestep) }];
  return planGraph(graph, {
    schedule: { name: 'one step', steps, notes: [] },
    parameters,
    backend,
    logitsLimit: LIMIT,
    size: { rows, columns, ...textOf(each) },
  });
}

/** The golden inputs have fewer tokens of text than usual. */
function textOf({ size }: UNetCase) {
  const { shape } = unetGoldens('sd15').tensor(`${size.join('x')}.encoder_hidden_states`);
  return { batch: shape[0] ?? 1, contextTokens: shape[1] ?? 0 };
}

for (const family of FAMILIES) {
  for (const size of ['24x40', '7x5']) {
    test(`${family} at ${size}, plain: FLOPs and logits are those of the kernels`, async () => {
      const { graph, folder } = modelOf(family);
      const each = caseOf(family, `${size}.t999.plain`);
      const unet = await loadUNet(folder, { backend: 'wasm' });
      const executed = await execute(unet, family, each, {});
      unet.dispose();
      const [rows, columns] = each.size;
      const report = inspectGraph(graph, { size: { rows, columns, ...textOf(each) } });
      within(report.totals.flops, executed.flops, 'FLOPs');
      assert.is(Math.max(...report.sites.map((site) => site.logits_bytes ?? 0)), executed.largestLogits);
      const planned = plan(graph, each, 'wasm', DEFAULT_PARAMETERS).steps[0];
      within(planned?.flops.plain ?? 0, executed.flops, 'planned FLOPs');
      assert.is(planned?.peak_logits_bytes.plain, executed.largestLogits);
    });
  }

  for (const backend of ['wasm', 'cpu'] as const) {
    test(`${family}, patched, on ${backend}: K/V tokens, FLOPs and logits are those that run`, async () => {
      const { graph, folder } = modelOf(family);
      const unet = await loadUNet(folder, { backend, slothful: true, logitsLimit: LIMIT });
      for (const [out, parameters] of CASES[backend]) {
        const each = caseOf(family, out);
        const executed = await execute(unet, family, each, { parameters });
        checkStep(plan(graph, each, backend, parameters), executed);
      }
      unet.dispose();
    });
  }
}

function checkStep({ sites, steps }: PlanReport, executed: Executed): void {
  const self = sites.filter(({ kind }) => kind === 'self');
  const planned = self.map(({ id, tokens, steps: [step] }) => {
    return {
      id,
      tokens,
      kvTokens: step?.kv_tokens,
      logitsBytes: step?.peak_logits_bytes,
      pooled: step?.reason === null,
    };
  });
  assert.equal(
    planned,
    executed.sites.map(({ id, tokens, kvTokens, logitsBytes, pooled }) => ({
      id,
      tokens,
      kvTokens,
      logitsBytes,
      pooled,
    })),
  );
  within(steps[0]?.flops.patched ?? 0, executed.flops, 'patched FLOPs');
  assert.is(steps[0]?.peak_logits_bytes.patched, executed.largestLogits, 'the largest logits tensor');
}

test.run();
