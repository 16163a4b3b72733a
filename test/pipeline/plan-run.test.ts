import { readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { runToFolder } from '../../src/jobs/node.ts';
import { type ControlRow, kvTokens, patchModel, slothful as slothfulPass } from '../../src/node.ts';
import type { RunRecord } from '../../src/pipeline/index.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothful } from '../support/cli.ts';
import { fixture, fixturePath } from '../support/fixtures.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('plan against run');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

/** The names that the plan's JSON has for what is compared. */
const PLAN = { kvTokens: 'kv_tokens', selfFlops: 'self_flops' } as const;

test.before(async () => {
  await convertCheckpoint(fixturePath('demo'), at('demo'), { dataSpace: 'premultiplied-rgba' });
  await convertCheckpoint(fixturePath('unet/sd15/diffusers'), at('sd15'));
  await patchModel(at('demo'), at('patched'), [slothfulPass({ in_strength: 9, time_decay: 0.5, out_mode: '1D_MAX' })]);
  await suggestLcm();
  const golden = readSafetensors(fixture('sampling/runs.safetensors'));
  for (const name of ['cond', 'uncond']) {
    const text = golden.get(name);
    assert.ok(text);
    await writeSafetensors(at(`${name}.safetensors`), new Map([['encoder_hidden_states', text]]));
  }
});

/** The demo as `convert --lora lcm.safetensors` leaves a model: with a sampler that it suggests. */
async function suggestLcm(): Promise<void> {
  await cp(at('demo'), at('lcm'), { recursive: true });
  const model = JSON.parse(readFileSync(at('lcm/model.json'), 'utf8'));
  model.userDefinedMetadata.suggested_scheduler = { _class_name: 'LCMScheduler' };
  writeFileSync(at('lcm/model.json'), JSON.stringify(model));
}

interface PlannedSite {
  readonly id: string;
  readonly kind: string;
  readonly tokens: number;
  readonly steps: readonly Record<string, number>[];
}

async function json(...args: string[]) {
  const { code, stdout, stderr } = await slothful([...args, '--backend', 'wasm', '--json']);
  assert.is(code, 0, stderr);
  return JSON.parse(stdout);
}

const text = () => ['--cond', at('cond.safetensors'), '--uncond', at('uncond.safetensors')];
const STRONG = ['--in-strength', '12', '--out-strength', '10', '--out-depth-decay', '0.5'];

/** What is asked of both commands, and the sampler, steps, guidance and evaluated batch that must come of it. */
type Row = readonly [
  title: string,
  args: () => string[],
  expected: { type: string; steps: number; guidance: number; batch: number },
];
const ROWS: readonly Row[] = [
  [
    'a plain model with parameters',
    () => [at('demo'), '--prompt', 'cat', '--steps', '3', ...STRONG],
    { type: 'ddim', steps: 3, guidance: 2, batch: 2 },
  ],
  [
    'a patched model with its own parameters, one changed',
    () => [at('patched'), '--prompt', 'red apple', '--steps', '2', '--out-strength', '7', '--batch', '2'],
    { type: 'ddim', steps: 2, guidance: 2, batch: 4 },
  ],
  [
    'the sampler and steps that the model suggests',
    () => [at('lcm'), '--prompt', 'cat', ...STRONG],
    { type: 'lcm', steps: 4, guidance: 1, batch: 1 },
  ],
  [
    'guidance away from a file, Karras sigmas, another size and spacing',
    () => [
      ...[at('sd15'), ...text(), '--size', '64x96', '--steps', '3', '--scheduler', 'euler', '--sigmas', 'karras'],
      ...['--guidance-scale', '3', '--spacing', 'trailing', '--preset', 'simple'],
    ],
    { type: 'euler', steps: 3, guidance: 3, batch: 2 },
  ],
  [
    'nothing to be guided away from',
    () => [at('sd15'), ...text().slice(0, 2), '--size', '64x64', '--steps', '2', '--sampler', 'dpmpp_2m', ...STRONG],
    { type: 'dpmpp_2m', steps: 2, guidance: 1, batch: 1 },
  ],
];

for (const [title, args, expected] of ROWS) {
  test(`${title}: the plan is what runs`, async () => {
    const plan = await json('plan', ...args());
    const run: RunRecord = await json('run', ...args(), '--out', at(`run ${title}`));
    const { scheduler, steps, guidance_scale: guidance } = run.settings;
    assert.equal({ type: scheduler.type, steps, guidance, batch: plan.size.batch }, expected);
    assert.equal(plan.settings, run.settings);
    assert.equal(plan.parameters, run.parameters);
    assert.is(plan.backend.name, run.backend.name);
    assert.equal(stepsOf(plan.steps), stepsOf(run.steps));
    assert.equal(plannedTokens(plan.sites), executedTokens(run));
    assert.ok(run.steps.some(({ kv_tokens, tokens }) => (kv_tokens ?? 0) < (tokens ?? 0)));
    assert.equal(plan.run[PLAN.selfFlops], run.attention_flops);
  });
}

function stepsOf(steps: readonly { timestep: number; sigma: number }[]) {
  return steps.map(({ timestep, sigma }) => ({ timestep, sigma }));
}

function plannedTokens(sites: readonly PlannedSite[]) {
  const self = sites.filter(({ kind }) => kind === 'self');
  return self.map(({ id, tokens, steps }) => ({ id, tokens, keys: steps.map((step) => step[PLAN.kvTokens]) }));
}

function executedTokens({ steps }: Pick<RunRecord, 'steps'>) {
  return (steps[0]?.sites ?? []).map(({ id, tokens }, index) => {
    return { id, tokens, keys: steps.map(({ sites }) => sites[index]?.kv_tokens) };
  });
}

test('a plain run is the plain half of its plan, which says that it is of a patch', async () => {
  const args = [at('demo'), '--prompt', 'cat', '--steps', '2'];
  const plan = await json('plan', ...args);
  const run: RunRecord = await json('run', ...args, '--out', at('plain run'));
  assert.is(run.parameters, null);
  assert.equal(plan.settings, run.settings);
  const { plain } = plan.run[PLAN.selfFlops];
  assert.equal(run.attention_flops, { plain, patched: plain });
  assert.match(plan.notes.join(), /not patched: this is a plan with the node's default parameters/);
});

test("the text's length is the file's, the model's table's, the one that is said, or the usual one", async () => {
  const tokens = async (...args: string[]) => (await json('plan', ...args, '--steps', '1')).size;
  const length = (size: Record<string, number>) => size.contextTokens ?? size.context_tokens;
  assert.is(length(await tokens(at('sd15'), ...text())), 11);
  assert.is(length(await tokens(at('demo'))), 4);
  assert.is(length(await tokens(at('sd15'), '--context-tokens', '12')), 12);
  const assumed = await json('plan', at('sd15'), '--steps', '1');
  assert.equal([length(assumed.size), assumed.size.batch], [77, 2]);
  assert.match(assumed.notes.join(), /no text was given: one of the usual length is assumed/);
});

test('the backend of a plan is the one that would run; another can be planned for without having it', async () => {
  const args = [at('demo'), '--steps', '1', '--json'];
  const [own, native] = [await slothful(['plan', ...args]), await slothful(['plan', ...args, '--backend', 'native'])];
  const chosen = await slothful([
    'run',
    at('demo'),
    '--prompt',
    'cat',
    '--steps',
    '1',
    '--json',
    '--out',
    at('chosen'),
  ]);
  assert.is(JSON.parse(own.stdout).backend.name, JSON.parse(chosen.stdout).backend.name);
  assert.is(JSON.parse(native.stdout).backend.name, 'native');
});

/** Windows that no parameters ask for, and a blend beyond what they allow. */
const ROW: ControlRow = {
  ...{ strideRows: 2, strideColumns: 3, windowRows: 3, windowColumns: 2 },
  ...{ mode: '2D_MAX', kBlend: 0.6, vBlend: -0.25 },
};

test("with a hook of the caller's own, run.json says what each node was told, and what that cost", async () => {
  const job = { model: at('patched'), prompt: 'cat', steps: 2, backend: 'wasm' } as const;
  const { record } = await runToFolder({ ...job, hook: ({ sites }) => sites.map(() => ROW), out: at('hooked') });
  const { record: usual } = await runToFolder({ ...job, out: at('unhooked') });
  for (const site of record.steps.flatMap(({ sites }) => sites)) {
    const { id, tokens, kv_tokens, ...row } = site;
    assert.equal(row, {
      ...{ stride_rows: 2, stride_columns: 3, window_rows: 3, window_columns: 2 },
      ...{ mode: '2D_MAX', k_blend: 0.6, v_blend: -0.25, stride: null },
    });
    const side = Math.sqrt(tokens);
    assert.is(kv_tokens, kvTokens(ROW, [side, side]), id);
  }
  assert.ok(usual.steps[0]?.sites.every(({ stride }) => stride !== null));
  assert.ok(record.attention_flops && usual.attention_flops);
  assert.is(record.attention_flops.plain, usual.attention_flops.plain);
  assert.not.equal(record.attention_flops.patched, usual.attention_flops.patched);
  assert.equal(JSON.parse(readFileSync(at('hooked/run.json'), 'utf8')), JSON.parse(JSON.stringify(record)));
});

test.run();
