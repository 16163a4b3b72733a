import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildUNet, parseUNetConfig } from '../../converters/unet/index.ts';
import { readFamily } from '../../scripts/checkpoint/family.ts';
import type { Graph } from '../../src/graph/index.ts';
import { openStore } from '../../src/models/node.ts';
import { attentionNodes } from '../../src/passes/index.ts';
import { checkEvaluation, checkWork, type Work } from '../../src/pipeline/check-work.ts';
import { openModelOn } from '../../src/pipeline/open-model.ts';
import { PipelineStages } from '../../src/pipeline/stages.ts';
import { stepCost } from '../../src/pipeline/step-cost.ts';
import type { TextSource } from '../../src/pipeline/text-source.ts';
import { type ChosenBackend, WEB_PLATFORM } from '../../src/runtime/index.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('memory and work before a run starts');

const GIB = 2 ** 30;

async function documentOf(family: Parameters<typeof readFamily>[0]): Promise<Graph> {
  const { graph, weights } = buildUNet(parseUNetConfig((await readFamily(family)).config), 'test');
  const specs = weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const }));
  graph.setWeightGroups([{ paths: [], weights: specs }]);
  return graph;
}

const SD15 = await documentOf('sd15');

const on = (tfjsName: string, device = 'CPU'): ChosenBackend => {
  return { name: 'current', tfjsName, device, reason: '', failed: [] };
};

/** The usual model on a machine with so much free memory. */
function opened(freeBytes: number | undefined): Parameters<typeof checkWork>[0] {
  const memory = freeBytes === undefined ? {} : { freeMemory: () => freeBytes };
  return { graph: SD15.clone(), place: 'm/model.json', platform: { ...WEB_PLATFORM, ...memory } };
}

test('what is held is what the widest place asks for: whole logits, or those of a node in pieces', async () => {
  const size = { rows: 64, columns: 64, batch: 2 };

  const plain = stepCost(SD15, size, 'tensorflow');

  // 8 heads of 4,096 x 4,096 twice: the logits, and their softmax.
  const logits = 2 * 8 * 4096 ** 2 * 4;
  assert.ok(plain.heldBytes > 2 * logits && plain.heldBytes < 2.2 * logits, `${plain.heldBytes / GIB} GiB`);
  assert.ok(plain.flops > 1.5e12 && plain.flops < 1.7e12, `${plain.flops}`);
  const nodes = await SD15.clone().transform(attentionNodes());
  const inNodes = stepCost(nodes, size, 'tensorflow');
  assert.ok(inNodes.heldBytes < 0.4 * GIB, `${inNodes.heldBytes / GIB} GiB`);
  assert.ok(Math.abs(inNodes.flops / plain.flops - 1) < 0.01);
  const large = stepCost(nodes, { ...size, rows: 128 }, 'tensorflow');
  assert.ok(large.heldBytes > 1.7 * inNodes.heldBytes - 64 * 2 ** 20);
});

type Case = readonly [title: string, backend: ChosenBackend, free: number | undefined, work: Work, message: RegExp];

const REFUSED: readonly Case[] = [
  [
    'whole logits on a small machine',
    on('tensorflow'),
    8 * GIB,
    { size: { rows: 96, columns: 96, batch: 2 }, asNodes: false },
    /^m\/model\.json: a step of 2 x 96 x 96 takes at least 10\.\d\d GiB beside 3\.20 GiB of weights, and 8\.00 GiB are free; ask/,
  ],
  [
    'a picture of 32,768 pixels an edge, with nodes',
    on('cpu'),
    512 * GIB,
    { size: { rows: 4096, columns: 4096, batch: 2 }, asNodes: true },
    /takes at least \d{3,}\.\d\d GiB beside 3\.20 GiB/,
  ],
  [
    'more than an address space on wasm',
    on('wasm'),
    undefined,
    { size: { rows: 128, columns: 128, batch: 2 }, asNodes: false },
    /takes at least \d+\.\d\d GiB beside 6\.\d\d GiB of weights, and wasm has 4 GiB in all; .* native backend/,
  ],
];

for (const [title, backend, free, work, message] of REFUSED) {
  test(`${title} is refused, with the number`, async () => {
    const model = opened(free);
    await failsWith('backend', message, () => checkWork(model, backend, work));
  });
}

test('what fits is not refused, nor what nobody can tell the memory of', async () => {
  const size = { rows: 64, columns: 64, batch: 2 };
  await checkWork(opened(6 * GIB), on('tensorflow'), { size, asNodes: true });
  await checkWork(opened(9 * GIB), on('tensorflow'), { size, asNodes: false });
  await checkWork(opened(undefined), on('cpu'), { size, asNodes: false });
  await checkWork(opened(GIB), on('tensorflow', 'GPU'), { size, asNodes: false });
});

test('runs, sweeps and single evaluations ask before they load', async () => {
  const folder = temporaryFolder();
  const { graph, weights } = tinyGraph();
  writeTiny(folder, graph, weights);
  const model = await openModelOn({ ...WEB_PLATFORM, openStore, freeMemory: () => 4000 }, folder);
  const evaluation = { layout: 'nchw', backend: 'cpu', asNodes: false } as const;
  await failsWith('backend', /a step of 1 x 32 x 64 takes at least/, () =>
    checkEvaluation(model, { ...evaluation, shape: [1, 2, 32, 64] }),
  );
  await checkEvaluation(model, { ...evaluation, shape: [1, 2, 2, 2] });
  await checkEvaluation(model, { ...evaluation, shape: [4] });
  const text: TextSource = {
    facts: () => ({ contextTokens: 77, guidable: true }),
    encode: () => Promise.reject(new Error('too late')),
  };
  const stages = new PipelineStages(model, { text, backend: 'cpu' });
  const extent = { rows: 32, columns: 64, batch: 3, scale: 8, steps: 2 };
  await failsWith('backend', /a step of 6 x 32 x 64 takes at least/, () =>
    stages.tell([''], extent, ['uncond', 'cond']),
  );
});

test('what takes long is said in one line, by its FLOPs', async () => {
  const said = async (backend: ChosenBackend, steps: number) => {
    const notes: string[] = [];
    const size = { rows: 64, columns: 64, batch: 2 };
    const onNote = (note: string) => void notes.push(note);
    await checkWork(opened(undefined), backend, { size, steps, asNodes: true, onNote });
    return notes;
  };
  assert.equal(await said(on('cpu'), 20), ['20 steps of 1.6 TFLOP, 32 TFLOP in all: that will take long on cpu']);
  assert.equal(await said(on('cpu'), 1), ['a step of 1.6 TFLOP: that will take long on cpu']);
  assert.equal(await said(on('tensorflow'), 20), []);
  assert.equal(await said(on('tensorflow'), 100), [
    '100 steps of 1.6 TFLOP, 160 TFLOP in all: that will take long on native',
  ]);
  assert.equal(await said(on('tensorflow', 'GPU'), 100), []);
});

test.run();
