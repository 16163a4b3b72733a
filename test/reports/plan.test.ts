import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cutLogits, defaultLogitsLimit } from '../../src/attention/index.ts';
import { slothful } from '../../src/passes/index.ts';
import {
  DEFAULT_PARAMETERS,
  parseParameters,
  type SlothfulParameters,
  sigmaOfTimestep,
} from '../../src/passes/slothful/index.ts';
import { scheduleOf } from '../../src/pipeline/index.ts';
import { type PlanReport, planGraph, type Schedule } from '../../src/reports/index.ts';
import type { SamplerName, SigmaSchedule } from '../../src/sampling/schedulers/index.ts';
import { failsWith } from '../support/errors.ts';
import { readJson } from '../support/fixtures.ts';
import { fullSizeGraph, goldenGraph } from '../support/golden-graph.ts';
import { tinyGraph } from '../support/tiny-model.ts';
import { FAMILIES, type FamilyName, unetGoldens } from '../support/unet-goldens.ts';

const test = suite('plan');

/** A run of single steps at the timesteps given. */
function at(...timesteps: number[]): Schedule {
  const steps = timesteps.map((timestep) => ({ timestep, sigma: sigmaOfTimestep(timestep) }));
  return { name: 'test', steps, notes: [] };
}

function self({ sites }: PlanReport) {
  return sites.filter(({ kind }) => kind === 'self');
}

/** K/V tokens of one step by the names that diffusers gives the attentions. */
function tokensByName(report: PlanReport, step: number): Record<string, number> {
  return Object.fromEntries(
    self(report).map((site) => [site.exporter_name.replaceAll('/', '.'), site.steps[step]?.kv_tokens ?? 0] as const),
  );
}

/** Groups what has the same key: one plan serves all steps of a group. */
function groupBy<T>(items: readonly T[], key: (item: T) => unknown): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items)
    groups.set(JSON.stringify(key(item)), [...(groups.get(JSON.stringify(key(item))) ?? []), item]);
  return [...groups.values()];
}

interface StrideCase {
  readonly family: FamilyName;
  readonly latent: readonly [number, number];
  readonly params: SlothfulParameters;
  readonly timestep: number;
  readonly sigma: number;
  /** By block and level: `input/0`. */
  readonly kv_tokens: Readonly<Record<string, number>>;
}

test('all cases of the original on the grids of the real models', () => {
  const cases = readJson<StrideCase[]>('pooling/strides.json');
  const groups = groupBy(cases, ({ family, latent, params }) => [family, latent, params]);
  const graphs = { sd15: fullSizeGraph('sd15'), sdxl: fullSizeGraph('sdxl'), ssd1b: fullSizeGraph('ssd1b') };
  let checked = 0;
  for (const group of groups) {
    const [first] = group;
    assert.ok(first);
    const { family, latent, params } = first;
    const steps = group.map(({ timestep, sigma }) => ({ timestep, sigma }));
    const report = planGraph(graphs[family], {
      schedule: { name: 'test', steps, notes: [] },
      parameters: params,
      size: { rows: latent[0], columns: latent[1] },
    });
    group.forEach(({ kv_tokens }, step) => {
      for (const site of self(report)) {
        assert.is(site.steps[step]?.kv_tokens, kv_tokens[`${site.block}/${site.level}`], `${site.id} of ${family}`);
        checked++;
      }
    });
  }
  assert.is(cases.length, 225);
  assert.ok(checked > 5000);
});

for (const family of FAMILIES) {
  test(`${family}: K/V tokens of every site are those of the golden evaluations, odd sizes too`, () => {
    const graph = goldenGraph(family);
    const goldens = unetGoldens(family);
    const cases = [...goldens.regular, ...goldens.odd].filter((each) => each.kv_tokens);
    for (const group of groupBy(cases, ({ size, params }) => [size, params])) {
      const { size = [0, 0], params = null } = group[0] ?? {};
      const report = planGraph(graph, {
        schedule: at(...group.map(({ timestep }) => timestep)),
        parameters: parseParameters(params),
        size: { rows: size[0], columns: size[1] },
      });
      group.forEach(({ kv_tokens, out }, step) => {
        const planned = self(report).map(({ exporter_name, tokens, steps }) => [
          exporter_name.replaceAll('/', '.'),
          [tokens, steps[step]?.kv_tokens],
        ]);
        assert.equal(Object.fromEntries(planned), { ...kv_tokens }, out);
      });
    }
    assert.is(cases.length, 40 + 30);
  });
}

interface GoldenRun {
  readonly sampler: string;
  readonly steps: number;
  readonly params: SlothfulParameters | null;
  readonly timesteps: number[];
  readonly sigmas: number[];
  readonly kv_tokens: Record<string, number>[];
}

const SAMPLERS: Readonly<Record<string, readonly [SamplerName, SigmaSchedule]>> = {
  ddim: ['ddim', 'normal'],
  euler: ['euler', 'normal'],
  euler_karras: ['euler', 'karras'],
  euler_ancestral: ['euler_ancestral', 'normal'],
  dpmpp_2m_karras: ['dpmpp_2m', 'karras'],
  lcm: ['lcm', 'normal'],
};

test('whole runs of six samplers: timesteps, sigmas, and K/V tokens of every step and site', () => {
  const runs = readJson<GoldenRun[]>('sampling/runs.json');
  const graph = goldenGraph('sd15');
  for (const { sampler, steps, params, timesteps, sigmas, kv_tokens } of runs) {
    const [scheduler, sigmaSchedule] = SAMPLERS[sampler] ?? ['ddim', 'normal'];
    const schedule = scheduleOf(graph, { steps, scheduler, sigmas: sigmaSchedule, spacing: 'leading' });
    const report = planGraph(graph, {
      schedule,
      size: { rows: 32, columns: 32 },
      ...(params ? { parameters: params } : {}),
    });
    assert.is(report.steps.length, steps);
    report.steps.forEach(({ timestep, sigma }, index) => {
      assert.ok(Math.abs(timestep - (timesteps[index] ?? 0)) < 1e-3, `timestep ${index} of ${sampler}`);
      assert.ok(Math.abs(sigma / (sigmas[index] ?? 1) - 1) < 1e-4, `sigma ${index} of ${sampler}`);
    });
    if (!params) continue;
    for (const [step, expected] of kv_tokens.entries()) assert.equal(tokensByName(report, step), expected, sampler);
  }
  assert.is(runs.length, 18);
});

test('the attention FLOPs of SD1.5 over the schedule are those of the reference', () => {
  const graph = fullSizeGraph('sd15');
  const patched = (rows: number) =>
    planGraph(graph, { schedule: at(999, 600, 300, 100), size: { rows, columns: rows } }).steps.map((step) =>
      Math.round(step.self_flops.patched / 1e9),
    );
  assert.equal(patched(64), [68, 76, 100, 151]);
  assert.equal(patched(128), [630, 727, 1064, 1814]);
});

test('a patched model has the plan of the plain one, with its own parameters', async () => {
  const graph = goldenGraph('sd15');
  const parameters = parseParameters({ in_strength: 9, out_k_blend: 0.5 });
  const plain = planGraph(graph, { schedule: at(999, 300), parameters });
  const patched = planGraph(await graph.clone().transform(slothful(parameters)), { schedule: at(999, 300) });
  assert.equal(patched, plain);
  assert.is(patched.parameters.in_strength, 9);
});

test('says in words what happens to a site', () => {
  const graph = goldenGraph('sd15');
  const verdicts = (parameters: Partial<SlothfulParameters>, ...timesteps: number[]) => {
    const report = planGraph(graph, {
      schedule: at(...timesteps),
      parameters: { ...DEFAULT_PARAMETERS, ...parameters },
    });
    return Object.fromEntries(report.sites.map(({ id, verdict }) => [id, verdict]));
  };
  const defaults = verdicts({}, 999, 500, 20, 1);
  assert.is(
    defaults['input.0.0.0'],
    'pooled in 2 of 4 steps; left alone in steps 3 to 4: the time decay takes the stride to 1 or less at this step (asked 0.26 at most)',
  );
  assert.is(defaults['middle.3.0.0'], 'left alone: the middle block is kept (keep_middle)');
  assert.match(
    defaults['output.2.0.0'] ?? '',
    /^left alone: the depth decay takes the stride to 1 or less \(asked 0\.98 /,
  );
  assert.match(defaults['input.0.0.0.cross'] ?? '', /never pooled/);
  assert.is(verdicts({}, 999)['input.0.0.0'], 'pooled in every step');
  assert.match(
    verdicts({ in_strength: 1 }, 999)['input.0.0.0'] ?? '',
    /^left alone: the strength asks for no reduction/,
  );
});

test('says where a window is clipped to the grid', () => {
  const parameters = parseParameters({ in_strength: 50, in_depth_decay: 0 });
  const report = planGraph(goldenGraph('sd15'), { schedule: at(999), parameters, size: { rows: 7, columns: 5 } });
  const site = report.sites.find(({ id }) => id === 'input.2.0.0');
  assert.equal([site?.grid, site?.steps[0]?.kv_tokens, site?.steps[0]?.clipped], [[2, 2], 1, true]);
  assert.match(site?.verdict ?? '', /the window is clipped to the grid in step 1$/);
});

/** Settings that do nothing: the parameters, what is said to be idle, and why. */
const IDLE: readonly (readonly [Partial<SlothfulParameters>, string, RegExp])[] = [
  [{}, 'in_mode', /2D_AVG and 2D_MAX are the same/],
  [{ in_strength: 0.5 }, 'in_k_blend', /no input block is pooled at any step: the strength asks for no reduction/],
  [{ in_strength: 1, out_strength: 1 }, 'all', /the run is that of the unpatched model/],
  [{ out_strength: 0 }, 'out_strength', /no output block is pooled/],
];

for (const [parameters, setting, reason] of IDLE) {
  test(`tells that ${setting} changes nothing with ${JSON.stringify(parameters)}`, () => {
    const all = { ...DEFAULT_PARAMETERS, ...parameters };
    const { idle } = planGraph(goldenGraph('sd15'), { schedule: at(999, 500), parameters: all });
    const found = idle.find((each) => each.setting === setting);
    assert.match(found?.reason ?? '', reason);
  });
}

test('settings that do something are not called idle', () => {
  const parameters = parseParameters({ in_k_blend: 0.5, out_v_blend: 0.5, keep_middle: false });
  const idle = (family: FamilyName) => planGraph(goldenGraph(family), { schedule: at(999), parameters }).idle;
  assert.equal(idle('sd15'), []);
  assert.equal(
    idle('ssd1b').map(({ setting }) => setting),
    ['keep_middle'],
  );
});

test('totals add up', () => {
  const report = planGraph(goldenGraph('sdxl'), { schedule: at(999, 700, 400, 1) });
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  report.steps.forEach((step, index) => {
    const patched = self(report).map((site) => site.steps[index]?.flops ?? 0);
    assert.is(step.self_flops.patched, sum(patched));
    assert.is(step.flops.plain - step.flops.patched, step.self_flops.plain - step.self_flops.patched);
    assert.is(step.kv_tokens.patched, sum(self(report).map((site) => site.steps[index]?.kv_tokens ?? 0)));
  });
  assert.is(report.run.flops.patched, sum(report.steps.map((step) => step.flops.patched)));
  const last = report.steps.at(-1);
  assert.is(last?.flops.patched, last?.flops.plain, 'the last step is never touched');
});

test('the backend decides how much of the logits is there at once', () => {
  const graph = fullSizeGraph('sd15');
  const MIB = 1024 * 1024;
  const parameters = parseParameters({ in_strength: 1, out_strength: 1 });
  const planFor = (backend: 'wasm' | 'native', logitsLimit?: number) =>
    planGraph(graph, { schedule: at(999), backend, logitsLimit, parameters });
  const peaks = (backend: 'wasm' | 'native', logitsLimit: number) =>
    planFor(backend, logitsLimit).steps[0]?.peak_logits_bytes;
  assert.equal(peaks('native', 1024 * MIB), { plain: 512 * MIB, patched: 512 * MIB });
  assert.equal(peaks('wasm', 1024 * MIB), { plain: 512 * MIB, patched: 64 * MIB }, 'head by head');
  const { logitsBytes } = cutLogits({ heads: 8, queries: 4096, keys: 4096 }, 'batched', 100 * MIB);
  assert.ok(logitsBytes <= 100 * MIB);
  assert.equal(peaks('native', 100 * MIB), { plain: 512 * MIB, patched: logitsBytes }, 'in slices');
  assert.is(planFor('native').backend.logits_limit, defaultLogitsLimit('tensorflow'));
});

test('a graph without self-attention has no plan', async () => {
  await failsWith('unsupported', /has no self-attention to plan for: it has no softmax; run "slothful inspect"/, () =>
    planGraph(tinyGraph().graph, { schedule: at(999) }),
  );
});

test("the schedule is the model's own where none is asked for", () => {
  const own = scheduleOf(goldenGraph('sdxl'), { steps: 5 });
  assert.match(own.name, /^euler, 5 steps, leading spacing$/);
  const other = scheduleOf(goldenGraph('sdxl'), { steps: 5, scheduler: 'dpmpp_2m', sigmas: 'karras' });
  assert.match(other.name, /^dpmpp_2m, 5 steps, Karras sigmas$/);
  assert.is(scheduleOf(tinyGraph().graph, { steps: 3 }).steps.length, 3);
});

test.run();
