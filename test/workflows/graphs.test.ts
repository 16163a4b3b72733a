import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatPythonJson, parsePythonJson } from '../../src/documents/index.ts';
import { understandWorkflow, type WorkflowRun } from '../../src/workflows/index.ts';
import { linked, plain, plainApi, type UiSketch, uiGraph } from './builders.ts';

const test = suite('what graphs of ComfyUI mean');

const read = (value: unknown) => understandWorkflow(value, 'w.json');
const BASE = read(plainApi());

test('both formats say the same, with ids of either kind, in wrappers, and in any order', () => {
  assert.equal(read(uiGraph(plain())), BASE);
  assert.equal(read(uiGraph(plain().toReversed())), BASE);
  const asLists = uiGraph(plain());
  const links = asLists.links.map(({ id, origin_id, origin_slot, target_id, target_slot }) => {
    return [id, String(origin_id), origin_slot, String(target_id), target_slot, '*'];
  });
  assert.equal(
    read({ nodes: asLists.nodes.map((node) => ({ ...node, id: String(node.id) })), links: [null, ...links] }),
    BASE,
  );
  assert.equal(read({ prompt: plainApi(), workflow: {} }), BASE);
  assert.equal(read({ workflow: uiGraph(plain()) }), BASE);
  assert.equal(read({ prompt: JSON.stringify(plainApi()) }), BASE);
});

test('native reroutes and floating links say nothing', () => {
  const extra = { reroutes: [{ id: 1, pos: [0, 0], linkIds: [3] }], linkExtensions: [{ id: 3, parentId: 1 }] };
  assert.equal(read({ ...uiGraph(plain()), extra, floatingLinks: [{}], groups: [{}], version: 1 }), BASE);
});

test('seeds keep their digits', () => {
  const text = formatPythonJson(
    uiGraph(plain({ 5: { widgets: [2n ** 64n - 59n, 'fixed', 20, 8, 'euler', 'normal', 1] } })),
  );
  assert.is(read(parsePythonJson(text, 'w.json')).passes[0]?.seed, 18446744073709551557n);
});

const CONTROLS: ReadonlyArray<readonly [widgets: readonly unknown[], notes: number]> = [
  [[7, 'fixed', 20, 8, 'euler', 'normal', 1], 0],
  [[7, 'increment', 20, 8, 'euler', 'normal', 1], 1],
  [[7, true, 20, 8, 'euler', 'normal', 1], 1],
  [[7, false, 20, 8, 'euler', 'normal', 1], 0],
  [[7, 20, 8, 'euler', 'normal', 1], 0],
  [[7, 'fixed', 20, 8, 'euler', 'normal'], 0],
  [[7, 'fixed', 20, 8, 'euler', 'normal', 1, 'more'], 0],
];
for (const [widgets, notes] of CONTROLS) {
  test(`behind a seed: ${JSON.stringify(widgets)}`, () => {
    const { notes: said, ...run } = read(uiGraph(plain({ 5: { widgets } })));
    const { notes: _, ...base } = BASE;
    assert.equal(run, base);
    assert.is(said.length, notes);
  });
}

test('widgets by name', () => {
  const widgets = { seed: 7, steps: 20, cfg: 8, sampler_name: 'euler', scheduler: 'normal', denoise: 1 };
  assert.equal(read(uiGraph(plain({ 5: { widgets } }))), BASE);
});

const PROMPTS: ReadonlyArray<readonly [written: string, sent: string, isDrawn: boolean]> = [
  ['a (sloth:1.2), \\(not\\)', 'a (sloth:1.2), \\(not\\)', false],
  ['a // remark\nsloth /* of\ntwo */ on', 'a \nsloth  on', false],
  ['a {red|green {a|b}} sloth', 'a red sloth', true],
  ['{{x|y} z|w} {only} | }', 'x z only | }', true],
  ['\\{a\\|b\\} {c\\|d}', '{a|b} c|d', false],
  ['{open|end', 'open', true],
  ['{}', '', false],
  ['/*/ a /*//b', '/b', false],
  ['a /* b */ c // d */ e', 'a  c ', false],
  ['https://a.b/c\r\nd', 'https:\r\nd', false],
];
for (const [written, sent, isDrawn] of PROMPTS) {
  test(`prompts as the page sends them: ${JSON.stringify(written)}`, () => {
    const own = read(uiGraph(plain({ 2: { widgets: [written] } })));
    assert.is(own.passes[0]?.positive.text, sent);
    assert.is(own.notes.length, isDrawn ? 1 : 0);
    if (isDrawn)
      assert.match(own.notes[0] ?? '', /of every \{a\|b\} in the prompt of node 2 \(CLIPTextEncode\) one is drawn/);
    const from = (type: string) =>
      linked({ text: [8, 0, 'STRING'] }, [{ id: 8, type, widgets: [written], outputs: ['STRING'] }], 2);
    assert.is(read(uiGraph(from('PrimitiveNode'))).passes[0]?.positive.text, sent);
    assert.is(read(uiGraph(from('PrimitiveStringMultiline'))).passes[0]?.positive.text, written);
    const api = plainApi((nodes) => Object.assign(nodes[2]?.inputs ?? {}, { text: written }));
    assert.is(read(api).passes[0]?.positive.text, written);
  });
}

test('prompts that nobody writes take no stack', () => {
  for (const part of ['{', '/*', '//', '/*\n//', '\\']) {
    assert.type(read(uiGraph(plain({ 2: { widgets: [part.repeat(20_000)] } }))).passes[0]?.positive.text, 'string');
  }
});

test('primitives: of the page, through a reroute, and nodes of their own, one behind another', () => {
  const more: UiSketch[] = [
    { id: 8, type: 'PrimitiveNode', widgets: [2n ** 63n, 'increment'], outputs: ['INT'] },
    { id: 9, type: 'Reroute', from: { '': [8, 0, 'INT'] }, outputs: ['INT'] },
    { id: 10, type: 'PrimitiveFloat', widgets: [1], from: { value: [11, 0, 'FLOAT'] }, outputs: ['FLOAT'] },
    { id: 11, type: 'PrimitiveFloat', widgets: [3.5], outputs: ['FLOAT'] },
    { id: 12, type: 'PrimitiveInt', widgets: [6, 'randomize'], outputs: ['INT'] },
  ];
  const inputs = { seed: [9, 0, 'INT'], cfg: [10, 0, 'FLOAT'], steps: [12, 0, 'INT'] } as const;
  const { passes, notes } = read(uiGraph(linked(inputs, more)));
  assert.equal([passes[0]?.seed, passes[0]?.cfg, passes[0]?.steps], [2n ** 63n, 3.5, 6]);
  assert.match(notes.join(), /the seed of node 5 \(KSampler\) is set to increment/);
  const text = linked({ text: [8, 0, 'STRING'] }, [{ id: 8, type: 'PrimitiveStringMultiline', widgets: ['a\nb'] }], 2);
  assert.is(read(uiGraph(text)).passes[0]?.positive.text, 'a\nb');
});

test('a bypassed node passes on its input of the place, not the first of the type', () => {
  const types = { positive: [2, 0, 'CONDITIONING'], negative: [3, 0, 'CONDITIONING'], net: [1, 0, 'X'] } as const;
  const apply = {
    id: 8,
    type: 'ControlNetApplyAdvanced',
    mode: 4,
    from: types,
    outputs: ['CONDITIONING', 'CONDITIONING'],
  };
  const inputs = { positive: [8, 0, 'CONDITIONING'], negative: [8, 1, 'CONDITIONING'] } as const;
  assert.equal(read(uiGraph(linked(inputs, [apply]))), BASE);
});

test('a muted output is not looked at, nor what needs a muted node', () => {
  const more: UiSketch[] = [
    { id: 8, type: 'LatentUpscale', mode: 2, from: { samples: [5, 0, 'LATENT'] }, outputs: ['LATENT'] },
    { id: 9, type: 'VAEDecode', from: { samples: [8, 0, 'LATENT'], vae: [1, 2, 'VAE'] }, outputs: ['IMAGE'] },
    { id: 10, type: 'SaveImage', widgets: ['y'], from: { images: [9, 0, 'IMAGE'] } },
    { id: 11, type: 'Broken', from: { images: [99, 0, 'IMAGE'] } },
    { id: 12, type: 'Note', widgets: ['note'] },
  ];
  assert.equal(read(uiGraph(plain({}, more))), BASE);
});

test('of several outputs the last is taken, or the one that was asked for', () => {
  const twoPasses = plainApi((nodes) => {
    nodes[8] = { class_type: 'KSampler', inputs: { ...nodes[5]?.inputs, latent_image: ['5', 0], denoise: 0.5 } };
    nodes[9] = { class_type: 'VAEDecode', inputs: { samples: ['8', 0], vae: ['1', 2] } };
    nodes[10] = { class_type: 'PreviewImage', inputs: { images: ['9', 0] } };
    nodes[11] = { class_type: 'SaveImage', inputs: { filename_prefix: 'late', images: ['9', 0] } };
    nodes[12] = { class_type: 'PreviewImage', inputs: { images: ['13', 0] } };
    nodes[13] = { class_type: 'LoadImage', inputs: { image: 'a.png' } };
  });
  const last = read(twoPasses);
  assert.equal(last.output, { nodeId: '11', filenamePrefix: 'late' });
  assert.equal(
    last.passes.map(({ nodeId, denoise }) => [nodeId, denoise]),
    [
      ['5', 1],
      ['8', 0.5],
    ],
  );
  assert.equal(understandWorkflow(twoPasses, 'w.json', { output: '7' }), BASE);
  assert.is(understandWorkflow(twoPasses, 'w.json', { output: '10' }).output.nodeId, '10');
});

test('LoRAs by both ways, CLIP skip, and what acts on the model, in order', () => {
  const lora = (model: unknown, clip: unknown, name: string, strengths: readonly [number, number]) => {
    const [strength_model, strength_clip] = strengths;
    return { class_type: 'LoraLoader', inputs: { model, clip, lora_name: name, strength_model, strength_clip } };
  };
  const { loras, clipSkip, passes } = read(
    plainApi((nodes) => {
      nodes[8] = lora(['1', 0], ['1', 1], 'both', [0.5, 0.25]);
      nodes[9] = lora(['8', 0], ['8', 1], 'only clip', [1, 2]);
      nodes[10] = lora(['8', 0], ['1', 1], 'only model', [3, 4]);
      nodes[11] = { class_type: 'CLIPSetLastLayer', inputs: { stop_at_clip_layer: -1, clip: ['9', 1] } };
      nodes[12] = { class_type: 'CLIPSetLastLayer', inputs: { stop_at_clip_layer: -3, clip: ['11', 0] } };
      nodes[13] = { class_type: 'ModelSamplingDiscrete', inputs: { model: ['10', 0], sampling: 'eps', zsnr: false } };
      nodes[14] = { class_type: 'ModelSamplingDiscrete', inputs: { model: ['13', 0], sampling: 'lcm', zsnr: true } };
      Object.assign(nodes[2]?.inputs ?? {}, { clip: ['12', 0] });
      Object.assign(nodes[3]?.inputs ?? {}, { clip: ['12', 0] });
      Object.assign(nodes[5]?.inputs ?? {}, { model: ['14', 0] });
    }),
  );
  assert.equal(loras, [
    { name: 'both', model: 0.5, clip: 0.25 },
    { name: 'only clip', model: 0, clip: 2 },
    { name: 'only model', model: 3, clip: 0 },
  ]);
  assert.is(clipSkip, -3);
  assert.equal(passes[0]?.modelSampling, { sampling: 'lcm', zsnr: true });
});

const BATCHES: ReadonlyArray<
  readonly [string, readonly (readonly [string, object])[], Partial<WorkflowRun['latent']>]
> = [
  ['a part of a batch', [['LatentFromBatch', { batch_index: 1, length: 2 }]], { batch: 2, batchIndex: [1, 2] }],
  ['more than there is', [['LatentFromBatch', { batch_index: 9, length: 9 }]], { batch: 1, batchIndex: [3] }],
  ['copies', [['RepeatLatentBatch', { amount: 3 }]], { batch: 12, batchIndex: null }],
  [
    'copies of a part, and a part of that',
    [
      ['LatentFromBatch', { batch_index: 1, length: 2 }],
      ['RepeatLatentBatch', { amount: 2 }],
      ['LatentFromBatch', { batch_index: 1, length: 2 }],
    ],
    { batch: 2, batchIndex: [2, 3] },
  ],
];
for (const [what, changes, expected] of BATCHES) {
  test(`batches: ${what}`, () => {
    const { latent } = read(
      plainApi((nodes) => {
        Object.assign(nodes[4]?.inputs ?? {}, { batch_size: 4 });
        for (const [index, [class_type, inputs]] of changes.entries()) {
          nodes[20 + index] = { class_type, inputs: { ...inputs, samples: [index ? String(19 + index) : '4', 0] } };
        }
        Object.assign(nodes[5]?.inputs ?? {}, { latent_image: [String(19 + changes.length), 0] });
      }),
    );
    assert.equal(latent, { kind: 'empty', width: 64, height: 64, ...expected });
  });
}

test("SDXL's prompts", () => {
  const sizes = { width: 1, height: 2, crop_w: 3, crop_h: 4, target_width: 5, target_height: 6 };
  const inputs = { ...sizes, text_g: 'g', text_l: 'l', clip: ['1', 1] };
  const made = plainApi((nodes) => {
    nodes[2] = { class_type: 'CLIPTextEncodeSDXL', inputs };
  });
  const asked = { width: 1, height: 2, cropWidth: 3, cropHeight: 4, targetWidth: 5, targetHeight: 6 };
  assert.equal(read(made).passes[0]?.positive, { text: 'l', textG: 'g', sizes: asked });
  const widgets = [1, 2, 3, 4, 5, 6, 'g', 'l'];
  const ui = plain({ 2: { type: 'CLIPTextEncodeSDXL', widgets } });
  assert.equal(read(uiGraph(ui)), read(made));
});

test.run();
