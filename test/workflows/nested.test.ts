import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { understandWorkflow, type WorkflowRun } from '../../src/workflows/index.ts';
import { linked, plain, plainApi, type UiSketch, uiGraph } from './builders.ts';

const test = suite('subgraphs and group nodes of ComfyUI');

const read = (value: unknown) => understandWorkflow(value, 'w.json');
const BASE = read(plainApi());

/** A subgraph of a prompt: input 0 is its text, input 1 its CLIP. */
const PROMPT = {
  ...{ id: 'prompt', name: 'Prompt', inputs: [{ name: 'words' }, { name: 'clip' }] },
  ...uiGraph(
    [
      {
        ...{ id: 1, type: 'CLIPTextEncode', widgets: ['inside'], outputs: ['CONDITIONING'] },
        from: { text: [-10, 0, 'STRING'], clip: [-10, 1, 'CLIP'] },
      },
    ],
    [[1, 0]],
  ),
};
/** One around it, which reroutes CLIP and passes on its words. */
const OUTER = {
  ...{ id: 'outer', name: 'Outer', inputs: [{ name: 'clip' }, { name: 'said' }] },
  ...uiGraph(
    [
      { id: 1, type: 'Reroute', from: { '': [-10, 0, 'CLIP'] }, outputs: ['CLIP'] },
      {
        ...{ id: 2, type: 'prompt', widgets: ['between'], outputs: ['CONDITIONING'] },
        from: { words: [-10, 1, 'STRING'], clip: [1, 0, 'CLIP'] },
      },
    ],
    [[2, 0]],
  ),
};
OUTER.nodes[1]?.inputs.forEach((input) => {
  if (input.name === 'words') Object.assign(input, { widget: { name: 'words' } });
});

function inSubgraphs(instance: Partial<UiSketch>): WorkflowRun {
  const nodes = linked({ positive: [8, 0, 'CONDITIONING'] }, [
    { id: 8, type: 'outer', from: { clip: [1, 1, 'CLIP'] }, outputs: ['CONDITIONING'], ...instance },
  ]);
  return read({ ...uiGraph(nodes), definitions: { subgraphs: [PROMPT, OUTER] } });
}

const OPEN = { said: { isWidget: true } };
const PROXIES: ReadonlyArray<readonly [what: string, instance: Partial<UiSketch>, text: string]> = [
  ["the outer instance's own", { open: OPEN, widgets: ['outside'] }, 'outside'],
  ["none of its own: the inner instance's", { open: OPEN }, 'between'],
  ['a hole', { open: OPEN, widgets: [null] }, 'between'],
  ['by name', { open: OPEN, widgets: { said: 'outside' } }, 'outside'],
  ['proxyWidgets of an input', { widgets: ['outside'], properties: { proxyWidgets: [['-1', 'said']] } }, 'outside'],
  ['proxyWidgets as text', { widgets: ['outside'], properties: { proxyWidgets: '[["-1", "said"]]' } }, 'outside'],
  [
    'proxyWidgets of a node inside',
    { widgets: ['outside'], properties: { proxyWidgets: [['2', 'words']] } },
    'outside',
  ],
  [
    'proxyWidgets in another order',
    {
      widgets: ['no', 'outside'],
      properties: {
        proxyWidgets: [
          ['9', 'steps'],
          ['-1', 'said'],
        ],
      },
    },
    'outside',
  ],
  [
    'proxyWidgets with ids before their names',
    { widgets: ['outside'], properties: { proxyWidgets: [['2', '2: 1: words']] } },
    'outside',
  ],
  ['a hole in proxyWidgets', { widgets: [null], properties: { proxyWidgets: [['2', 'words']] } }, 'between'],
];
for (const [what, instance, text] of PROXIES) {
  test(`subgraphs in one another, a promoted widget: ${what}`, () => {
    const run = inSubgraphs(instance);
    assert.is(run.passes[0]?.positive.text, text);
  });
}

test('a link into a subgraph counts before all values; a bypassed one passes on', () => {
  const nodes = linked({ positive: [8, 0, 'CONDITIONING'] }, [
    {
      ...{ id: 8, type: 'outer', widgets: ['outside'], outputs: ['CONDITIONING'] },
      from: { clip: [1, 1, 'CLIP'], said: [9, 0, 'STRING'] },
    },
    { id: 9, type: 'PrimitiveString', widgets: ['linked'], outputs: ['STRING'] },
  ]);
  const graph = { ...uiGraph(nodes), definitions: { subgraphs: [OUTER, PROMPT] } };
  assert.is(read(graph).passes[0]?.positive.text, 'linked');
  const passed = linked({ model: [8, 0, 'MODEL'] }, [
    { id: 8, type: 'outer', mode: 4, from: { m: [1, 0, 'MODEL'] }, outputs: ['MODEL'] },
  ]);
  assert.equal(read({ ...uiGraph(passed), definitions: { subgraphs: [OUTER, PROMPT] } }), BASE);
});

test('of several links to an output of a subgraph the one that it names counts', () => {
  const old = { id: 99, origin_id: 9, origin_slot: 0, target_id: -20, target_slot: 0 };
  const [kept] = PROMPT.links.filter(({ target_id }) => target_id === -20);
  const outputs = [{ name: 'out', linkIds: [kept?.id] }];
  const nodes = linked({ positive: [8, 0, 'CONDITIONING'] }, [
    { id: 8, type: 'prompt', from: { clip: [1, 1, 'CLIP'] }, outputs: ['CONDITIONING'] },
  ]);
  const definition = { ...PROMPT, links: [old, ...PROMPT.links], outputs };
  const run = read({ ...uiGraph(nodes), definitions: { subgraphs: [definition] } });
  assert.is(run.passes[0]?.positive.text, 'inside');
});

/** As the page has written it: nodes in the order of execution, links by their indices. */
const GROUP = {
  nodes: [
    { type: 'PrimitiveNode', title: 'Words', outputs: [{ name: 'STRING', type: 'STRING' }], widgets_values: ['first'] },
    {
      type: 'CLIPTextEncode',
      inputs: [
        { name: 'clip', type: 'CLIP', link: 77 },
        { name: 'text', type: 'STRING', link: 78, widget: { name: 'text' } },
      ],
      outputs: [{ name: 'CONDITIONING', type: 'CONDITIONING' }],
      widgets_values: ['stale'],
    },
    {
      type: 'CLIPTextEncode',
      inputs: [{ name: 'clip', type: 'CLIP', link: 79 }],
      outputs: [{ name: 'CONDITIONING', type: 'CONDITIONING' }],
      widgets_values: ['worse'],
    },
    {
      type: 'KSampler',
      inputs: ['model', 'positive', 'negative', 'latent_image'].map((name) => ({ name, type: '*', link: 80 })),
      outputs: [{ name: 'LATENT', type: 'LATENT' }],
      widgets_values: [1, 'fixed', 2, 3, 'heun', 'karras', 0.5],
    },
  ],
  links: [
    [0, 0, 1, 1, 30, 'STRING'],
    [1, 0, 3, 1, 31, 'CONDITIONING'],
    [2, 0, 3, 2, 32, 'CONDITIONING'],
    [null, 0, 1, 0, 33, 'CLIP'],
  ],
  external: [[3, 0, 'LATENT']],
};

function inGroup(type: string, widgets: unknown): WorkflowRun {
  const nodes = plain()
    .filter(({ id }) => ![2, 3, 5].includes(Number(id)))
    .map((node) => (node.id === 6 ? { ...node, from: { ...node.from, samples: [8, 0, 'LATENT'] as const } } : node));
  const group: UiSketch = {
    ...{ id: 8, type, widgets, outputs: ['LATENT'] },
    from: {
      ...{ clip: [1, 1, 'CLIP'], 'CLIPTextEncode clip': [1, 1, 'CLIP'] },
      ...{ model: [1, 0, 'MODEL'], latent_image: [4, 0, 'LATENT'] },
    },
  };
  return read({ ...uiGraph([...nodes, group]), extra: { groupNodes: { G: GROUP } } });
}

test('group nodes: their widgets in the order of the page, primitives and seeds with what becomes of them', () => {
  const run = inGroup('workflow/G', ['good', 'bad', 7, 'randomize', 20, 8, 'euler', 'normal', 1]);
  const [pass] = run.passes;
  assert.equal([pass?.positive.text, pass?.negative.text, pass?.seed, pass?.denoise], ['good', 'bad', 7n, 1]);
  assert.equal([pass?.steps, pass?.cfg, pass?.sampler, pass?.scheduler], [20, 8, 'euler', 'normal']);
  assert.is(pass?.nodeId, '8:3');
});

test('group nodes: without values of their own those inside count; newer names of types', () => {
  const [pass] = inGroup('workflow>G', undefined).passes;
  assert.equal([pass?.positive.text, pass?.negative.text, pass?.seed, pass?.sampler], ['first', 'worse', 1n, 'heun']);
});

test.run();
