import { suite } from 'uvu';
import type { ErrorCode } from '../../src/errors.ts';
import { understandWorkflow } from '../../src/workflows/index.ts';
import { failsWith } from '../support/errors.ts';
import { plain, plainApi, type UiSketch, uiGraph } from './builders.ts';

const test = suite('workflows that are refused, each in a line');

type Change = Parameters<typeof plainApi>[0];
type Inputs = Record<string, unknown>;

const sets =
  (id: string, inputs: Inputs): Change =>
  (nodes) =>
    Object.assign(nodes[id]?.inputs ?? {}, inputs);
const lacks =
  (id: string, name: string): Change =>
  (nodes) =>
    Reflect.deleteProperty(nodes[id]?.inputs ?? {}, name);
const becomes =
  (id: string, class_type: string, inputs: Inputs): Change =>
  (nodes) => {
    nodes[id] = { class_type, inputs };
  };

/** A hint at a second output: a sampler of its own, decoded and saved. */
const second: Change = (nodes) => {
  nodes[15] = { class_type: 'KSampler', inputs: { ...nodes[5]?.inputs } };
  nodes[16] = { class_type: 'VAEDecode', inputs: { samples: ['15', 0], vae: ['1', 2] } };
  nodes[17] = { class_type: 'PreviewImage', inputs: { images: ['16', 0] } };
};

const LATER_NAMES = { model: ['1', 0], peak_time: 0.4, time_decay: 2, in_mode: '2D_AVG', in_slothful: 6 };
const SIMPLE = {
  ...{ time_decay: 1, depth_decay: 1, in_mode: '2D_AVG', in_strength: 60, in_blend: 0 },
  ...{ out_mode: '2D_AVG', out_strength: 4, out_blend: 0 },
};
const lora = (model: number, name: string): Inputs => {
  return { model: [String(model), 0], lora_name: name, strength_model: 1 };
};

const API: ReadonlyArray<readonly [what: string, code: ErrorCode, message: RegExp, change: Change]> = [
  [
    'a circle',
    'bad-input',
    /^w\.json: nodes are linked in a circle: node 5 \(KSampler\); take one link away$/,
    sets('5', { latent_image: ['5', 0] }),
  ],
  [
    'a circle of several',
    'bad-input',
    /in a circle: node 8 \(FreeU\), node 9 \(LoraLoaderModelOnly\)/,
    (nodes) => {
      sets('5', { model: ['8', 0] })?.(nodes);
      nodes[8] = { class_type: 'FreeU', inputs: { model: ['9', 0] } };
      nodes[9] = { class_type: 'LoraLoaderModelOnly', inputs: lora(8, 'l') };
    },
  ],
  [
    'a missing node',
    'bad-input',
    /^w\.json: node 5 \(KSampler\): model comes from node 99, which is not in the file$/,
    sets('5', { model: ['99', 0] }),
  ],
  [
    'a missing slot',
    'bad-input',
    /vae comes from output 7 of node 1 \(.*\), which has 3/,
    sets('6', { vae: ['1', 7] }),
  ],
  ['another type', 'bad-input', /vae takes a VAE, and node 1 \(.*\) gives a CLIP there/, sets('6', { vae: ['1', 1] })],
  ['a missing link', 'bad-input', /node 5 \(KSampler\): positive is not connected/, lacks('5', 'positive')],
  ['a list that is no link', 'bad-input', /model is a list that is no link/, sets('5', { model: ['1', 0, 2] })],
  ['a value for a link', 'bad-input', /model must be a link, got "1"/, sets('5', { model: '1' })],
  ['a link for a value', 'bad-input', /cfg takes a FLOAT, and node 1/, sets('5', { cfg: ['1', 0] })],
  ['a missing value', 'bad-input', /node 5 \(KSampler\): has no value for steps/, lacks('5', 'steps')],
  ['a text for a number', 'bad-input', /node 5 \(KSampler\): cfg must be a number.*got "x"/, sets('5', { cfg: 'x' })],
  ['NaN', 'bad-input', /cfg must be a number from 0 to 100, got NaN/, sets('5', { cfg: Number.NaN })],
  ['half a step', 'bad-input', /steps must be a whole number from 1 to 10000, got 2\.5/, sets('5', { steps: 2.5 })],
  [
    'a seed of 2^64',
    'bad-input',
    /seed must be a whole number.*got 18446744073709551616$/,
    sets('5', { seed: 2n ** 64n }),
  ],
  ['a negative seed', 'bad-input', /seed must be .* got -1/, sets('5', { seed: -1 })],
  ['a number for a text', 'bad-input', /node 2 \(CLIPTextEncode\): text must be a text, got 3/, sets('2', { text: 3 })],
  [
    'several at once',
    'bad-input',
    /node 2 .*; node 5 .*steps .*; cfg /,
    (nodes) => {
      sets('2', { text: null })?.(nodes);
      sets('5', { cfg: -1, steps: 0 })?.(nodes);
    },
  ],
  [
    'no output',
    'bad-input',
    /has no SaveImage or PreviewImage that runs/,
    (nodes) => Reflect.deleteProperty(nodes, '7'),
  ],
  [
    'no sampler',
    'unsupported',
    /node 7 .* shows what node 8 \(LoadImage\) gives, and no sampler/,
    (nodes) => {
      sets('7', { images: ['8', 0] })?.(nodes);
      nodes[8] = { class_type: 'LoadImage', inputs: { image: 'a.png' } };
    },
  ],
  [
    'two outputs',
    'bad-input',
    /do not depend on each other: node 7 \(SaveImage\), node 17 \(PreviewImage\); choose one with --output ID/,
    second,
  ],
  [
    'unknown nodes',
    'unsupported',
    /node 4 \(EmptySD3LatentImage\): not one.*; node 1 \(UNETLoader\)/,
    (nodes) => {
      becomes('1', 'UNETLoader', {})?.(nodes);
      becomes('4', 'EmptySD3LatentImage', {})?.(nodes);
    },
  ],
  [
    'what is behind unknown nodes',
    'unsupported',
    /node 9 \(LatentRotate\).*node 8 \(LatentUpscale\)/,
    (nodes) => {
      sets('5', { latent_image: ['8', 0] })?.(nodes);
      nodes[8] = { class_type: 'LatentUpscale', inputs: { samples: ['9', 0] } };
      nodes[9] = { class_type: 'LatentRotate', inputs: { samples: ['4', 0] } };
    },
  ],
  [
    'a later release',
    'unsupported',
    /node 8 \(SlothfulAttention\): of a later release, .*\(peak_time, in_slothful\)/,
    (nodes) => {
      sets('5', { model: ['8', 0] })?.(nodes);
      nodes[8] = { class_type: 'SlothfulAttention', inputs: LATER_NAMES };
    },
  ],
  [
    'a strength out of range',
    'bad-input',
    /node 8 \(SlothfulAttentionSimple\): in_strength must be.*0 to 50, got 60/,
    (nodes) => {
      sets('5', { model: ['8', 0] })?.(nodes);
      nodes[8] = { class_type: 'SlothfulAttentionSimple', inputs: { model: ['1', 0], ...SIMPLE } };
    },
  ],
  [
    'two checkpoints',
    'unsupported',
    /several checkpoints: refiner, c/,
    (nodes) => {
      sets('5', { model: ['8', 0] })?.(nodes);
      nodes[8] = { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'refiner' } };
    },
  ],
  [
    "another checkpoint's VAE",
    'unsupported',
    /takes the VAE of other, and the model of c; load the VAE by a VAELoader/,
    (nodes) => {
      sets('6', { vae: ['8', 2] })?.(nodes);
      nodes[8] = { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'other' } };
    },
  ],
  [
    'two CLIP skips',
    'unsupported',
    /several last layers of CLIP .*: -2, -1/,
    (nodes) => {
      sets('2', { clip: ['8', 0] })?.(nodes);
      nodes[8] = { class_type: 'CLIPSetLastLayer', inputs: { stop_at_clip_layer: -2, clip: ['1', 1] } };
    },
  ],
  [
    'LoRAs of one sampler alone',
    'unsupported',
    /several sets of LoRAs: none, l at 1/,
    (nodes) => {
      nodes[8] = { class_type: 'LoraLoaderModelOnly', inputs: lora(1, 'l') };
      nodes[9] = { class_type: 'KSampler', inputs: { ...nodes[5]?.inputs, model: ['8', 0], latent_image: ['5', 0] } };
      sets('6', { samples: ['9', 0] })?.(nodes);
    },
  ],
  [
    'two FreeU',
    'unsupported',
    /several FreeU on one model: node 8 \(FreeU\), node 9 \(FreeU_V2\)/,
    (nodes) => {
      const scales = { b1: 1, b2: 1, s1: 1, s2: 1 };
      nodes[8] = { class_type: 'FreeU', inputs: { model: ['1', 0], ...scales } };
      nodes[9] = { class_type: 'FreeU_V2', inputs: { model: ['8', 0], ...scales } };
      sets('5', { model: ['9', 0] })?.(nodes);
    },
  ],
  [
    'a batch that is changed between samplers',
    'unsupported',
    /node 8 \(LatentFromBatch\) between samplers/,
    (nodes) => {
      nodes[8] = { class_type: 'LatentFromBatch', inputs: { samples: ['5', 0], batch_index: 0, length: 1 } };
      nodes[9] = { class_type: 'KSampler', inputs: { ...nodes[5]?.inputs, latent_image: ['8', 0] } };
      sets('6', { samples: ['9', 0] })?.(nodes);
    },
  ],
  [
    'a picture of another node',
    'unsupported',
    /node 8 \(VAEEncode\) takes the picture of node 10 \(VAEDecode\)/,
    (nodes) => {
      nodes[8] = { class_type: 'VAEEncode', inputs: { pixels: ['10', 0], vae: ['1', 2] } };
      nodes[10] = { class_type: 'VAEDecode', inputs: { samples: ['4', 0], vae: ['1', 2] } };
      sets('5', { latent_image: ['8', 0] })?.(nodes);
    },
  ],
  [
    'two VAEs',
    'unsupported',
    /encodes and decodes with two VAEs: v, that of c/,
    (nodes) => {
      nodes[8] = { class_type: 'VAEEncode', inputs: { pixels: ['9', 0], vae: ['10', 0] } };
      nodes[9] = { class_type: 'LoadImage', inputs: { image: 'a.png' } };
      nodes[10] = { class_type: 'VAELoader', inputs: { vae_name: 'v' } };
      sets('5', { latent_image: ['8', 0] })?.(nodes);
    },
  ],
];
for (const [what, code, message, change] of API) {
  test(what, () => failsWith(code, message, () => understandWorkflow(plainApi(change), 'w.json')));
}

test('an output that is not there', () =>
  failsWith('usage', /has no SaveImage or PreviewImage 6 that runs; there are node 7 \(SaveImage\)/, () =>
    understandWorkflow(plainApi(), 'w.json', { output: '6' }),
  ));

const muted = (id: number) => plain({ [id]: { mode: 2 } });
const UI: ReadonlyArray<readonly [what: string, code: ErrorCode, message: RegExp, value: () => unknown]> = [
  ['a muted output', 'bad-input', /has no SaveImage or PreviewImage that runs/, () => uiGraph(muted(7))],
  [
    'what needs a muted node',
    'bad-input',
    /no output that runs: node 7 .*: node 6 .* needs node 5 \(KSampler\), which is muted/,
    () => uiGraph(muted(5)),
  ],
  ['a bypassed loader', 'bad-input', /model is not connected/, () => uiGraph(plain({ 1: { mode: 4 } }))],
  [
    'a link that is not there',
    'bad-input',
    /node 7 .*images has link 9, which is not in the file/,
    () => {
      const graph = uiGraph(plain());
      return { ...graph, links: graph.links.filter(({ target_id }) => target_id !== 7).map((link) => ({ ...link })) };
    },
  ],
  [
    'a node that is not there',
    'bad-input',
    /clip comes from node 1, which is not in the file/,
    () => uiGraph(plain().slice(1)),
  ],
  [
    'reroutes in a circle',
    'bad-input',
    /latent_image comes through nodes that are linked in a circle.*8, 9/,
    () => {
      const reroute = (id: number, from: number): UiSketch => ({
        id,
        type: 'Reroute',
        from: { '': [from, 0, '*'] },
        outputs: ['*'],
      });
      const graph = plain({}, [reroute(8, 9), reroute(9, 8)]);
      return uiGraph(
        graph.map((node) =>
          node.id === 5 ? { ...node, from: { ...node.from, latent_image: [8, 0, 'LATENT'] } } : node,
        ),
      );
    },
  ],
  ['one id twice', 'bad-input', /^w\.json: node 7 is there twice$/, () => uiGraph([...plain(), ...plain().slice(6)])],
  [
    'a node without a type',
    'bad-input',
    /nodes\[0\]: must be an object with a type, got 3/,
    () => ({ nodes: [3], links: [] }),
  ],
  ['a link that is none', 'bad-input', /links\[0\]: is no link/, () => ({ nodes: [], links: [[1, 2]] })],
  [
    'an id that is none',
    'bad-input',
    /id must be a number or a string, got nothing/,
    () => ({ nodes: [{ type: 'Note' }], links: [] }),
  ],
  [
    'a subgraph in itself',
    'bad-input',
    /subgraph "S" has itself inside, by node 8:1/,
    () => {
      const inside = { id: 's', name: 'S', ...uiGraph([{ id: 1, type: 's' }]) };
      return { ...uiGraph([{ id: 8, type: 's' }]), definitions: { subgraphs: [inside] } };
    },
  ],
  [
    'too many nodes',
    'bad-input',
    /has more than 10000 nodes/,
    () => {
      const halves = Array.from({ length: 20 }, (_, depth) => ({
        ...{ id: `s${depth}`, name: `S${depth}` },
        ...uiGraph([1, 2].map((id) => ({ id, type: `s${depth + 1}` }))),
      }));
      return { ...uiGraph([{ id: 8, type: 's0' }]), definitions: { subgraphs: halves } };
    },
  ],
  [
    'a group node of what is not known',
    'unsupported',
    /node 8 \(workflow\/G\): a group node with LatentUpscale inside/,
    () => {
      const group = { nodes: [{ type: 'LatentUpscale' }], links: [], external: [] };
      const graph = plain({}, [{ id: 8, type: 'workflow/G', outputs: ['LATENT'] }]);
      const nodes = graph.map((node) =>
        node.id === 5 ? { ...node, from: { ...node.from, latent_image: [8, 0, 'LATENT'] as const } } : node,
      );
      return { ...uiGraph(nodes), extra: { groupNodes: { G: group } } };
    },
  ],
  ['nothing', 'bad-input', /^w\.json: is not a ComfyUI workflow, got an object/, () => ({})],
  ['a list', 'bad-input', /is not a ComfyUI workflow, got a list/, () => []],
  ['a number', 'bad-input', /is not a ComfyUI workflow, got 3/, () => 3],
  [
    'an API node that is none',
    'bad-input',
    /node 8 must be an object with a class_type, got nothing/,
    () => ({ ...plainApi(), 8: undefined }),
  ],
];
for (const [what, code, message, value] of UI) {
  test(what, () => failsWith(code, message, () => understandWorkflow(value(), 'w.json')));
}

test('a chain of ten thousand nodes takes no stack', () =>
  failsWith('unsupported', /node 8 \(Other\)/, () => {
    const nodes = plainApi((all) => {
      for (let id = 8; id < 9000; id++) all[id] = { class_type: 'LoraLoaderModelOnly', inputs: lora(id - 1, 'l') };
      all[8] = { class_type: 'Other', inputs: {} };
      Object.assign(all[5]?.inputs ?? {}, { model: ['8999', 0] });
    });
    return understandWorkflow(nodes, 'w.json');
  }));

test.run();
