import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatPythonJson,
  isObject,
  type JsonObject,
  parsePythonJson,
  readDocument,
} from '../../src/documents/index.ts';
import { parseParameters, simpleParameters } from '../../src/passes/index.ts';
import {
  describeRefusal,
  describeWorkflow,
  readWorkflow,
  understandWorkflow,
  WORKFLOW_DOCUMENT,
  type WorkflowRun,
  writeWorkflow,
} from '../../src/workflows/index.ts';
import { failsWith } from '../support/errors.ts';
import { fixture, readJson } from '../support/fixtures.ts';

const test = suite("ComfyUI's workflows");

const FOLDER = 'comfyui/workflows';
const EXPECTED = readJson<Record<string, JsonObject>>(`${FOLDER}/expected.json`);

function workflow(name: string): unknown {
  return parsePythonJson(readFileSync(fixture(`${FOLDER}/${name}`), 'utf8'), name);
}

/** Fields of expected.json that are for its readers. */
const REMARKS = ['note'];
const UNDERSTOOD = Object.entries(EXPECTED).filter(([, { understood }]) => understood);

for (const [name, expected] of UNDERSTOOD) {
  test(`${name} is understood, field by field`, () => {
    const found: JsonObject = { ...describeWorkflow(understandWorkflow(workflow(name), name)) };
    for (const [field, value] of Object.entries(expected)) {
      if (!REMARKS.includes(field)) assert.equal(found[field], value, field);
    }
    const read = readDocument(WORKFLOW_DOCUMENT, found, { place: name, code: 'bad-input' });
    assert.equal(JSON.parse(JSON.stringify(read)), found);
  });
}

test('what is not understood is named, all at once, and nothing that is not needed', async () => {
  const name = '06_ui_refuse.json';
  const reading = readWorkflow(workflow(name), name);
  assert.ok('refused' in reading);
  if (!('refused' in reading)) return;
  assert.equal(
    reading.refused.map(({ classType, id }) => [classType, id]),
    [
      ['ControlNetApplyAdvanced', '42'],
      ['SlothfulAttention', '10'],
    ],
  );
  assert.equal(
    reading.refused.map(({ classType }) => classType),
    EXPECTED[name]?.refuse,
  );
  assert.match(
    reading.refused[1]?.because ?? '',
    /later release.*value 2 is 2, the first release's keep_middle a boolean/,
  );
  assert.not.match(reading.error.message, /LatentUpscale|ControlNetLoader/);
  await failsWith('unsupported', /^06.*node 42 \(ControlNetApplyAdvanced\).*node 10 \(SlothfulAttention\)/, () =>
    understandWorkflow(workflow(name), name),
  );
  const document = describeRefusal(reading.refused, reading.error.message);
  assert.equal(readDocument(WORKFLOW_DOCUMENT, document, { place: name, code: 'bad-input' }), document);
});

test('parameters of the nodes are those of the passes, in the manner of ComfyUI', () => {
  const run = (name: string) => understandWorkflow(workflow(name), name).passes[0]?.slothful ?? [];
  const [full] = run('01_ui_plain.json');
  assert.equal(full?.parameters, parseParameters({ ...full?.params, compat: 'comfyui' }));
  const [simple] = run('05_ui_subgraph.json');
  assert.equal(simple?.parameters, simpleParameters({ ...simple?.params, compat: 'comfyui' }));
});

const NOTES: ReadonlyArray<readonly [name: string, notes: readonly RegExp[]]> = [
  ['01_ui_plain.json', [/the seed of node 3 \(KSampler\) is set to randomize after each run/]],
  ['02_ui_lora_primitive.json', []],
  ['03_api_img2img.json', []],
  // Its second sampler is set to randomize, and adds no noise: its seed is of no matter.
  ['04_ui_advanced.json', []],
  ['05_ui_subgraph.json', [/node 2:54 \(KSampler\) is set to randomize/]],
];
for (const [name, notes] of NOTES) {
  test(`${name}: what its seeds need to have said`, () => {
    const run = understandWorkflow(workflow(name), name);
    assert.is(run.notes.length, notes.length, run.notes.join('\n'));
    for (const [index, note] of notes.entries()) assert.match(run.notes[index] ?? '', note);
  });
}

/** Notes are of the file, and ids of samplers in subgraphs cannot be kept. */
function comparable(run: WorkflowRun): unknown {
  const isKept = (id: string) => !id.includes(':');
  return {
    ...{ ...run, notes: [] },
    passes: run.passes.map((pass) => ({ ...pass, nodeId: isKept(pass.nodeId) ? pass.nodeId : '' })),
    output: { ...run.output, nodeId: isKept(run.output.nodeId) ? run.output.nodeId : '' },
  };
}

/** Runs that no fixture has. */
const VARIANTS: ReadonlyArray<readonly [what: string, change: (run: WorkflowRun) => WorkflowRun]> = [
  ['as it is', (run) => run],
  ['clip skip, VAE, tiles', (run) => ({ ...run, clipSkip: -3, vae: 'v', tiles: { tileSize: 256, overlap: 32 } })],
  [
    'LoRAs of all kinds',
    (run) => ({
      ...run,
      loras: [
        { name: 'a', model: 1, clip: 0 },
        { name: 'a', model: 1, clip: 0 },
        { name: 'b', model: 0, clip: -0.5 },
        { name: 'c', model: 0.25, clip: 2 },
      ],
    }),
  ],
  [
    'prompts that the page would not send as they are',
    (run) => ({
      ...run,
      passes: run.passes.map((pass) => ({
        ...pass,
        positive: { text: 'a {red|green} sloth // here' },
        negative: { text: 'C:\\{a}\\' },
      })),
    }),
  ],
  ['a part of a batch', (run) => ({ ...run, latent: { ...run.latent, batch: 3, batchIndex: [2, 3, 4] } })],
  [
    'several of a picture',
    (run) => ({ ...run, latent: { kind: 'image', image: 'x.png', batch: 4, batchIndex: null } }),
  ],
  [
    "SDXL's prompts, FreeU, model sampling",
    (run) => ({
      ...run,
      passes: run.passes.map((pass, index) => ({
        ...pass,
        positive: {
          ...{ text: 'l', textG: 'g' },
          sizes: { width: 1, height: 2, cropWidth: 3, cropHeight: 4, targetWidth: 5, targetHeight: 6 },
        },
        seed: 2n ** 64n - 1n - BigInt(index),
        freeu: { version: 1, b1: 1, b2: 2, s1: 3, s2: 4 },
        modelSampling: { sampling: 'lcm', zsnr: true },
      })),
    }),
  ],
];
for (const [name] of UNDERSTOOD) {
  for (const [what, change] of VARIANTS) {
    test(`${name} is written and read again: ${what}`, () => {
      const run = change(understandWorkflow(workflow(name), name));
      const text = formatPythonJson(writeWorkflow(run));
      const again = understandWorkflow(parsePythonJson(text, 'again'), 'again');
      const blank = (made: WorkflowRun) => {
        return {
          ...made,
          passes: made.passes.map((pass, index) => ({ ...pass, nodeId: run.passes[index]?.nodeId ?? '' })),
          output: { ...made.output, nodeId: run.output.nodeId },
        };
      };
      assert.equal(comparable(name.startsWith('05') ? blank(again) : again), comparable(run));
      assert.equal(again.notes, []);
      if (name.startsWith('03') && what === 'as it is') assert.match(text, /18446744073709551557/);
      expectWhole(JSON.parse(text));
    });
  }
}

/** Links and slots agree on both ends, and no node lies over another. */
function expectWhole(written: unknown): void {
  assert.ok(isObject(written) && Array.isArray(written.nodes) && Array.isArray(written.links));
  if (!isObject(written) || !Array.isArray(written.nodes) || !Array.isArray(written.links)) return;
  const nodes = new Map(written.nodes.map((node) => [node.id, node]));
  assert.is(nodes.size, written.nodes.length);
  for (const [id, from, fromSlot, to, toSlot, type] of written.links) {
    assert.ok(nodes.get(from).outputs[fromSlot].links.includes(id));
    assert.is(nodes.get(from).outputs[fromSlot].type, type);
    assert.is(nodes.get(to).inputs[toSlot].link, id);
    assert.is(nodes.get(to).inputs[toSlot].type, type);
    assert.ok(nodes.get(from).pos[0] < nodes.get(to).pos[0]);
  }
  const boxes = written.nodes.map(({ pos, size }) => [pos[0], pos[1], pos[0] + size[0], pos[1] + size[1]]);
  for (const [index, a] of boxes.entries()) {
    for (const b of boxes.slice(index + 1)) {
      assert.ok(a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1]);
    }
  }
}

test.run();
