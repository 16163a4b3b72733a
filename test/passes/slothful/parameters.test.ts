import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SlothfulError } from '../../../src/errors.ts';
import {
  DEFAULT_PARAMETERS,
  PARAMETERS,
  parseParameters,
  SIMPLE_PARAMETERS,
  simpleParameters,
} from '../../../src/passes/slothful/index.ts';
import { parametersFromJson } from '../../../src/workflows/index.ts';
import { readJson } from '../../support/fixtures.ts';

const test = suite('parameters');

function messageFrom(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.instance(error, SlothfulError);
    return error instanceof SlothfulError ? `${error.code}: ${error.message}` : '';
  }
  return 'nothing thrown';
}

test('defaults are those of the node', () => {
  assert.equal(DEFAULT_PARAMETERS, {
    time_decay: 1,
    keep_middle: true,
    in_mode: '2D_AVG',
    in_depth_decay: 1,
    in_strength: 6,
    in_k_blend: 0,
    in_v_blend: 0,
    out_mode: '2D_AVG',
    out_depth_decay: 1,
    out_strength: 4,
    out_k_blend: 0,
    out_v_blend: 0,
  });
  assert.equal(parseParameters(DEFAULT_PARAMETERS), DEFAULT_PARAMETERS);
});

test('given values stay, the rest are defaults', () => {
  const given = { in_strength: 0.3, out_mode: '1D_MAX', keep_middle: false, in_depth_decay: -2, compat: 'comfyui' };
  assert.equal(parseParameters(given), { ...DEFAULT_PARAMETERS, ...given });
});

test('the ends of every range are in it, and a little more is not', () => {
  for (const [name, spec] of Object.entries(PARAMETERS)) {
    if (spec.type !== 'number') continue;
    for (const value of [spec.min, spec.max]) {
      assert.is(Object.entries(parseParameters({ [name]: value })).find(([key]) => key === name)?.[1], value);
    }
    for (const value of [spec.min - 0.01, spec.max + 0.01, Number.NaN, Number.POSITIVE_INFINITY, null, true, '1']) {
      const message = messageFrom(() => parseParameters({ [name]: value }, 'p.json'));
      assert.match(message, `bad-parameter: p.json: ${name} must be a number from ${spec.min} to ${spec.max}, got `);
    }
  }
});

const refused: [string, unknown, string][] = [
  ['a misspelt name', { in_strenght: 3 }, 'p: unknown parameter "in_strenght"; did you mean "in_strength"?'],
  ['a flag for a name', { 'in-k-blend': 0 }, 'p: unknown parameter "in-k-blend"; did you mean "in_k_blend"?'],
  ['another word', { prompt: 'a sloth' }, `p: unknown parameter "prompt"; known are ${Object.keys(PARAMETERS)[0]}`],
  ['an unknown mode', { in_mode: '2d_avg' }, 'p: in_mode must be one of 1D_AVG, 1D_MAX, 2D_AVG, 2D_MAX, got "2d_avg"'],
  ['a number for a bool', { keep_middle: 1 }, 'p: keep_middle must be true or false, got 1'],
  ['a wrong compat', { compat: true }, 'p: compat must be "comfyui" or absent, got true'],
  ['no object', [6], 'p: expected parameters or a ComfyUI workflow, got a list'],
  ['a name of Object', { constructor: 1 }, 'p: unknown parameter "constructor"'],
  ['a wrong preset', { preset: 'sloth' }, 'p: preset must be "simple" or "full", got "sloth"'],
  [
    'full names in a Simple object',
    { in_blend: 1, keep_middle: true },
    'p (Simple node): unknown parameter "keep_middle"',
  ],
  ['Simple names in a full object', { preset: 'full', in_blend: 1 }, 'p: unknown parameter "in_blend"'],
];

for (const [what, value, message] of refused) {
  test(`refuses ${what}`, () => {
    assert.match(
      messageFrom(() => parametersFromJson(value, 'p')),
      `bad-parameter: ${message}`,
    );
  });
}

const simple = { time_decay: 2, depth_decay: -1, in_mode: '1D_AVG', in_strength: 8, in_blend: 0.25, out_blend: 0.5 };
const expanded = {
  ...DEFAULT_PARAMETERS,
  time_decay: 2,
  in_depth_decay: -1,
  out_depth_decay: -1,
  in_mode: '1D_AVG',
  in_strength: 8,
  in_k_blend: 0.25,
  in_v_blend: 0.25,
  out_k_blend: 0.5,
  out_v_blend: 0.5,
};

test('the Simple node in terms of the full one', () => {
  assert.equal(simpleParameters(simple), expanded);
  assert.equal(simpleParameters({}), DEFAULT_PARAMETERS);
  assert.equal(simpleParameters({ compat: 'comfyui' }), { ...DEFAULT_PARAMETERS, compat: 'comfyui' });
});

test('parameter files: full, Simple by its names, Simple by preset', () => {
  assert.equal(parametersFromJson({ in_k_blend: 0.1 }, 'p'), { ...DEFAULT_PARAMETERS, in_k_blend: 0.1 });
  assert.equal(parametersFromJson(simple, 'p'), expanded);
  assert.equal(parametersFromJson({ preset: 'simple', in_strength: 9 }, 'p').in_strength, 9);
  assert.equal(parametersFromJson({}, 'p'), DEFAULT_PARAMETERS);
});

interface Node {
  type: string;
  mode: number;
  id: number;
  widgets_values?: unknown;
  inputs?: unknown;
}

const original = () => readJson<{ nodes: Node[] }>('workflow/workflow_sa.json');
const FULL_WIDGETS = [0.5, false, '1D_MAX', 2, 12, 0.1, 0.2, '2D_MAX', -1, 3, 0.3, 0.4];
const FULL_NODE = { type: 'SlothfulAttention', id: 7, mode: 0, widgets_values: FULL_WIDGETS };

test("the original's own workflow", () => {
  assert.equal(parametersFromJson(original(), 'w.json'), DEFAULT_PARAMETERS);
});

test('widget values in the order of the node', () => {
  const full = Object.fromEntries(Object.keys(PARAMETERS).map((name, index) => [name, FULL_WIDGETS[index]]));
  assert.equal(parametersFromJson({ nodes: [FULL_NODE] }, 'w'), full);
  assert.equal(parametersFromJson({ nodes: [{ ...FULL_NODE, widgets_values: full }] }, 'w'), full);
  const widgets = [2, -1, '1D_AVG', 8, 0.25, '2D_AVG', 4, 0.5];
  assert.is(widgets.length, Object.keys(SIMPLE_PARAMETERS).length);
  const node = { type: 'SlothfulAttentionSimple', id: 7, mode: 0, widgets_values: widgets };
  assert.equal(parametersFromJson({ nodes: [node] }, 'w'), expanded);
});

test('the API format, bare and wrapped', () => {
  const inputs = { ...simple, model: ['4', 0] };
  const prompt = {
    4: { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'x' } },
    9: { class_type: 'SlothfulAttentionSimple', inputs },
  };
  assert.equal(parametersFromJson(prompt, 'w'), expanded);
  assert.equal(parametersFromJson({ prompt, client_id: 'x' }, 'w'), expanded);
});

test('values behind primitives, of the page and of the API', () => {
  const node = {
    ...FULL_NODE,
    inputs: [{ name: 'in_strength', type: 'FLOAT', link: 3, widget: { name: 'in_strength' } }],
  };
  const primitive = { type: 'PrimitiveNode', id: 9, mode: 0, widgets_values: [8, 'fixed'], outputs: [{ links: [3] }] };
  const saved = { nodes: [node, primitive], links: [[3, 9, 0, 7, 0, 'FLOAT']] };
  assert.is(parametersFromJson(saved, 'w').in_strength, 8);
  assert.is(parametersFromJson({ workflow: JSON.stringify(saved) }, 'w').in_strength, 8);
  const sent = {
    7: { class_type: 'SlothfulAttentionSimple', inputs: { ...simple, in_strength: ['9', 0] } },
    9: { class_type: 'PrimitiveFloat', inputs: { value: 8 } },
  };
  assert.equal(parametersFromJson(sent, 'w'), expanded);
});

test('a node in a subgraph', () => {
  const inner = {
    id: 'steer',
    name: 'steer',
    inputNode: { id: -10 },
    outputNode: { id: -20 },
    inputs: [],
    outputs: [],
  };
  const definitions = { subgraphs: [{ ...inner, nodes: [FULL_NODE], links: [] }] };
  const host = { id: 90, type: 'steer', mode: 0, inputs: [], outputs: [] };
  assert.is(parametersFromJson({ nodes: [host], links: [], definitions }, 'w').in_strength, 12);
  const muted = { nodes: [{ ...host, mode: 2 }], links: [], definitions };
  assert.match(
    messageFrom(() => parametersFromJson(muted, 'w')),
    'w: the workflow has no active SlothfulAttention',
  );
});

test('muted and bypassed nodes do not count', () => {
  for (const mode of [2, 4]) {
    const workflow = original();
    for (const node of workflow.nodes) if (node.type.startsWith('Slothful')) node.mode = mode;
    assert.match(
      messageFrom(() => parametersFromJson(workflow, 'w')),
      'w: the workflow has no active SlothfulAttention',
    );
    workflow.nodes.push(FULL_NODE);
    assert.is(parametersFromJson(workflow, 'w').in_strength, 12);
  }
});

const brokenWorkflows: [string, unknown[], string][] = [
  [
    'none',
    [
      { type: 'KSampler', id: 1 },
      { type: 'constructor', id: 2 },
    ],
    'w: the workflow has no active',
  ],
  ['two', [FULL_NODE, { ...FULL_NODE, id: 8 }], 'w: the workflow has 2 active Slothful Attention nodes (7, 8)'],
  ['a short list', [{ ...FULL_NODE, widgets_values: [1] }], 'w, node 7: is of another release: it has 1 values'],
  [
    'a later node',
    [{ ...FULL_NODE, widgets_values: [0.4, 2, '2D_AVG', 2, 6, 0, 0, '2D_AVG', 2, 4, 0, 0] }],
    'w, node 7: is of a later release, with other inputs (peak_time',
  ],
  [
    'the node of a later name',
    [{ type: 'NearSightedAttention', id: 7, mode: 0, widgets_values: [1, 1, '2D_AVG', 6, 0, '2D_AVG', 4, 0] }],
    'w, node 7: is NearSightedAttention, the node of a later release, which has other parameters',
  ],
  [
    'a linked widget',
    [{ ...FULL_NODE, inputs: [{ name: 'in_strength', type: 'FLOAT', link: 3 }] }],
    'w, node 7: in_strength comes from another node; give it as a value of the node itself',
  ],
];

for (const [what, nodes, message] of brokenWorkflows) {
  test(`refuses a workflow with ${what}`, () => {
    assert.match(
      messageFrom(() => parametersFromJson({ nodes }, 'w')),
      `bad-parameter: ${message}`,
    );
  });
}

test.run();
