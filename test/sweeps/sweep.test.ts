import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SlothfulError } from '../../src/errors.ts';
import { printCsv } from '../../src/pages/index.ts';
import {
  DEFAULT_PARAMETERS,
  encodeControl,
  kvTokens,
  SLOTHFUL,
  type SlothfulMetadata,
  UNTOUCHED,
} from '../../src/passes/slothful/index.ts';
import { completeSettings, type Drawing, executeRun, lookOf, runRecord } from '../../src/pipeline/index.ts';
import { defaultHook, type PredictOptions, type SlothfulHook, type UNetInputs } from '../../src/runtime/index.ts';
import type { DenoisingModel } from '../../src/sampling/index.ts';
import {
  type DenoisedCell,
  drawCells,
  parseAxis,
  type SweepCell,
  type SweepTask,
  sweep,
  sweepCells,
  sweepRecord,
  sweepSheet,
  sweepTable,
} from '../../src/sweeps/index.ts';
import { sweepPage } from '../../src/sweeps/node.ts';
import { sheetContent } from '../../src/sweeps/sweep-sheet.ts';
import { useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { goldenGraph } from '../support/golden-graph.ts';

const test = suite('runs and sweeps');

const SITE = {
  kind: 'self',
  id: 'input.0.0.0',
  block: 'input',
  level: 0,
  downscale: 1,
  heads: 1,
  headDim: 4,
  channels: 4,
} as const;
const PATCH: SlothfulMetadata = {
  control: 'control',
  parameters: DEFAULT_PARAMETERS,
  sites: [{ ...SITE, node: 'n', scope: 's' }],
  top: 1,
  deep: 1,
};
const METADATA = { data_space: 'premultiplied-rgba' };
const EXTENT = { rows: 8, columns: 8, batch: 1, scale: 1 };
const TEXT = { shape: [1, 7, 24], data: new Float32Array(7 * 24) };

/** A model that takes a share of the sample away, another one for every strength; counts what it was asked. */
class FakeModel implements DenoisingModel {
  readonly strengths: (number | undefined)[] = [];

  constructor(private readonly hook: SlothfulHook = defaultHook) {}

  predict({ sample }: UNetInputs, { parameters, slothful, sigma = 0 }: PredictOptions) {
    const strength = slothful === false ? undefined : parameters?.in_strength;
    this.strengths.push(strength);
    const out_sample: tf.Tensor4D = tf.mul(sample, 0.9 - (strength ?? 0) / 100);
    const own = { ...DEFAULT_PARAMETERS, ...parameters };
    const step = { ...PATCH, sigma, parameters: own, latent: { height: 8, width: 8 } };
    const [row = UNTOUCHED] = strength ? this.hook(step) : [];
    const values = encodeControl([row]);
    const rows = {
      slothful: Object.fromEntries(SLOTHFUL.stage?.columns.map(({ name }, index) => [name, values[index] ?? 0]) ?? []),
    };
    const size = { tokens: 64, queries: 64, kvTokens: kvTokens(row, [8, 8]), items: 1 };
    return { out_sample, sites: [{ id: SITE.id, ...size, logitsBytes: 0, pooled: true, rows }] };
  }
}

function taskOf(cells: readonly SweepCell[], unet: DenoisingModel, more: Partial<SweepTask> = {}): SweepTask {
  return {
    unet,
    graph: goldenGraph('sd15'),
    patch: PATCH,
    cells,
    settingsOf: (cell) => completeSettings(METADATA, cell.request, EXTENT, false).settings,
    conditioningOf: () => ({ cond: { encoder_hidden_states: TEXT } }),
    ...more,
  };
}

const BASE = {
  request: { steps: 3 },
  prompt: 'cat',
  own: DEFAULT_PARAMETERS,
  changes: {},
  presets: new Map([['off', undefined]]),
};

const LOOK = lookOf(METADATA, EXTENT, 'test');

/** As without a decoder. */
async function draw(runs: readonly Float32Array[]): Promise<Drawing> {
  const drawn = runs.map((latents) => ({ pictures: LOOK.pictures(latents), images: LOOK.images(latents) }));
  return { drawn, exact: false, peak: undefined, decoder: undefined };
}

async function done(x: string | undefined, y: string | undefined, more: Partial<SweepTask> = {}) {
  const axes = { x: x ? parseAxis(x, '--x') : undefined, y: y ? parseAxis(y, '--y') : undefined };
  const unet = new FakeModel();
  const plan = sweepCells(axes.x, axes.y, BASE);
  const denoised: DenoisedCell[] = [];
  for await (const cell of sweep(taskOf(plan, unet, more))) denoised.push(cell);
  return { axes, cells: await drawCells(denoised, draw), unet };
}

const SOURCE = {
  version: '1',
  model: 'a<b>.json',
  family: null,
  backend: { name: 'cpu', device: 'CPU' },
  prompt: 'cat & "dog"',
  negative_prompt: null,
  cond: null,
  uncond: null,
  companions: { controlnets: [], controlnets_patched: false, image_embeds: null, ip_adapter_scale: null },
};

test.before(() => useBackend('cpu'));

test('a run keeps what every step did', async () => {
  const unet = new FakeModel();
  const { settings } = completeSettings(METADATA, { steps: 3, seed: 4 }, EXTENT, false);
  const conditioning = { cond: { encoder_hidden_states: TEXT } };
  const patch = { metadata: PATCH, parameters: DEFAULT_PARAMETERS };
  const outcome = await executeRun({ unet, settings, conditioning, patch });
  assert.is(outcome.stopped, false);
  assert.is(outcome.steps.length, 3);
  const [first] = outcome.steps;
  assert.equal([first?.tokens, first?.kv_tokens], [64, 16]);
  const [site] = first?.sites ?? [];
  assert.ok(site?.stride && site.stride > 3 && site.stride < 4, String(site?.stride));
  assert.equal([site?.stride_rows, site?.stride_columns], [2, 2]);
  assert.equal(outcome.steps.at(-1)?.sites[0]?.stride_rows, 1);
  const record = runRecord({ source: SOURCE, settings, parameters: DEFAULT_PARAMETERS, outcome, files: ['a.png'] });
  assert.equal(
    [record.schema, record.stopped, record.settings.seed, record.plain, record.attention_flops],
    ['slothful-run/1', false, 4, null, null],
  );
});

test("what a hook of the caller's own decided is what the record says, and no stride was asked", async () => {
  const hook: SlothfulHook = () => [
    { strideRows: 1, strideColumns: 4, windowRows: 2, windowColumns: 4, mode: '2D_MAX', kBlend: 0.3, vBlend: 1.5 },
  ];
  const { settings } = completeSettings(METADATA, { steps: 1 }, EXTENT, false);
  const patch = { metadata: PATCH, parameters: DEFAULT_PARAMETERS };
  const { steps } = await executeRun({ unet: new FakeModel(hook), settings, conditioning: { cond: {} }, patch });
  assert.equal(steps[0]?.sites, [
    {
      ...{ id: SITE.id, tokens: 64, kv_tokens: 14 },
      ...{ stride_rows: 1, stride_columns: 4, window_rows: 2, window_columns: 4 },
      ...{ mode: '2D_MAX', k_blend: 0.3, v_blend: 1.5, stride: null },
    },
  ]);
});

test('a plain run reports no sites', async () => {
  const { settings } = completeSettings(METADATA, { steps: 2 }, EXTENT, false);
  const { steps } = await executeRun({ unet: new FakeModel(), settings, conditioning: { cond: {} } });
  assert.equal(
    steps.map(({ kv_tokens, tokens, sites }) => [kv_tokens, tokens, sites.length]),
    [
      [null, null, 0],
      [null, null, 0],
    ],
  );
});

test('a run that is stopped keeps what is done, and leaks nothing', async () => {
  const before = tf.memory().numTensors;
  const controller = new AbortController();
  const { settings } = completeSettings(METADATA, { steps: 9 }, EXTENT, false);
  const conditioning = { cond: {} };
  const onStep = ({ index }: { index: number }) => index === 3 && controller.abort();
  const outcome = await executeRun({
    unet: new FakeModel(),
    ...{ settings, conditioning, signal: controller.signal },
    onStep: (step) => void onStep(step),
  });
  assert.equal([outcome.stopped, outcome.steps.length, outcome.latents?.length], [true, 4, 256]);
  assert.is(tf.memory().numTensors, before);
});

test('where a graph cannot run at a size, the size is named', async () => {
  const unet: DenoisingModel = {
    predict() {
      throw new SlothfulError('bad-graph', 'm', 'TF.js failed while it ran: ConcatV2');
    },
  };
  const run = (rows: number) => {
    const { settings } = completeSettings(METADATA, { steps: 1 }, { rows, columns: 8, batch: 1, scale: 8 }, false);
    return executeRun({ unet, settings, conditioning: { cond: {} } });
  };
  await failsWith('bad-graph', /ConcatV2; its size, 64x56, is no multiple of 64/, () => run(7));
  await failsWith('bad-graph', /ConcatV2$/, () => run(8));
});

test('the plain picture is made once for all that differ by parameters alone', async () => {
  const { cells, unet } = await done('in_strength=0,6,12', 'seed=1,2');
  assert.is(cells.length, 6);
  const runs = unet.strengths.filter((_, index) => index % 3 === 0);
  assert.equal(runs, [undefined, 0, 6, 12, undefined, 0, 6, 12]);
  assert.equal(cells[1]?.plain.picture, cells[0]?.plain.picture);
  assert.not.equal(cells[3]?.plain.picture, cells[0]?.plain.picture);
});

test('measures and FLOPs follow the parameters', async () => {
  const { cells } = await done('in_strength=0,6,12', undefined);
  const [none, some, more] = cells;
  assert.equal([none?.measures.psnr, none?.measures.ssim], [null, 1]);
  assert.ok((some?.measures.psnr ?? 0) > (more?.measures.psnr ?? 0));
  assert.equal([none?.kv_tokens, some?.kv_tokens], [64, 16]);
  const flops = cells.map((cell) => cell.flops);
  assert.ok(flops.every(({ plain }) => plain === flops[0]?.plain));
  assert.ok((flops[2]?.patched ?? 0) < (flops[1]?.patched ?? 0));
  assert.ok((flops[1]?.patched ?? 0) < (flops[0]?.patched ?? 0));
});

test('steps are counted over all runs', async () => {
  const seen: string[] = [];
  await done('in_strength=0,6', undefined, { onStep: (step, total) => seen.push(`${step}/${total}`) });
  assert.equal([seen[0], seen.at(-1), seen.length], ['1/9', '9/9', 9]);
});

test('a sweep that is stopped yields the cells that were done', async () => {
  const controller = new AbortController();
  const onStep = (step: number) => step === 8 && controller.abort();
  const { cells } = await done('in_strength=0,6', undefined, {
    signal: controller.signal,
    onStep: (step) => void onStep(step),
  });
  assert.is(cells.length, 1);
});

const SHEETS: readonly (readonly [
  x: string | undefined,
  y: string | undefined,
  columns: string[],
  labels: string[],
])[] = [
  ['in_strength=1,2', undefined, ['without', 'in_strength 1', 'in_strength 2'], ['']],
  ['in_strength=1,2', 'seed=5,6', ['without', 'in_strength 1', 'in_strength 2'], ['seed 5', 'seed 6']],
  ['seed=5,6', 'in_strength=1,2', ['seed 5', 'seed 6'], ['without', 'in_strength 1', 'in_strength 2']],
  [
    'seed=5,6',
    'sampler=ddim,euler',
    ['seed 5', 'seed 6'],
    ['sampler ddim without', 'sampler ddim', 'sampler euler without', 'sampler euler'],
  ],
  ['preset=off', 'in_strength=3', ['off'], ['in_strength 3']],
];
for (const [x, y, columns, labels] of SHEETS) {
  test(`the sheet of ${x} by ${y} has the plain pictures where they change`, async () => {
    const { axes, cells } = await done(x, y);
    const content = sheetContent({ ...axes, cells });
    assert.equal(content.columns, columns);
    assert.equal(
      content.rows.map(({ label }) => label),
      labels,
    );
    for (const { pictures } of content.rows) {
      assert.is(pictures.length, columns.length);
      assert.ok(pictures.every((picture) => picture?.width === 8));
    }
  });
}

test('a stopped sweep leaves empty places', async () => {
  const { axes, cells } = await done('in_strength=1,2', 'seed=5,6');
  const sheet = sweepSheet({ ...axes, cells: cells.slice(0, 3) });
  assert.ok(sheet.width > 3 * 192 && sheet.height > 2 * 192);
});

test('the record, the table and the page say the same', async () => {
  const { axes, cells } = await done('in_strength=0,6', 'keep_middle=true');
  const given = [axes.x, axes.y].filter((axis) => axis !== undefined);
  const record = sweepRecord({ source: SOURCE, axes: given, cells, stopped: true, files: [] });
  assert.equal(record.axes, [
    { name: 'in_strength', values: ['0', '6'] },
    { name: 'keep_middle', values: ['true'] },
  ]);
  assert.is(record.cells[1]?.parameters?.in_strength, 6);
  const [head, ...lines] = printCsv(sweepTable(record)).trim().split('\r\n');
  assert.match(
    head ?? '',
    /^in_strength,keep_middle,psnr_db,ssim,.*attention_flops,plain_attention_flops,milliseconds/,
  );
  assert.match(lines[0] ?? '', /^0,true,,1,1,1,64,/);
  assert.is(lines.length, 2);
  const page = sweepPage(record, cells, ['in_strength', 'keep_middle']);
  assert.match(page, /Stopped before its end/);
  assert.match(page, /in_strength 6, keep_middle true/);
  assert.match(page, /a&lt;b&gt;\.json · &quot;cat &amp; &quot;dog|cat &amp; &quot;dog&quot;/);
  assert.is(page.match(/<img src="data:image\/png;base64,/g)?.length, 3);
  assert.not.match(page, /https?:|<script|<link(?! rel="icon" href="data:,">)/);
});

test.run();
