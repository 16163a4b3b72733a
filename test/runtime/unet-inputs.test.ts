import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, endpoint, Graph, type JsonObject } from '../../src/graph/index.ts';
import { byInputNames } from '../../src/runtime/input-names.ts';
import {
  KERAS_CV,
  parseTimestepInput,
  type TimestepSinusoid,
  timestepEmbeddings,
} from '../../src/runtime/timestep-embedding.ts';
import { type InputNames, unetInputs, unetOutput } from '../../src/runtime/unet-inputs.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('inputs and outputs of UNets');

type Spec = [name: string, shape: number[] | undefined, dtype?: 'float32' | 'int32'];

function graphWith(inputs: Spec[], signature?: JsonObject, outputs: string[] = ['out']): Graph {
  const graph = Graph.create();
  for (const [name, shape, dtype = 'float32'] of inputs) {
    const attributes = { dtype: attr.type(dtype), ...(shape ? { shape: attr.shape(shape) } : {}) };
    graph.add({ name, op: 'Placeholder', attributes });
  }
  const [first] = inputs;
  for (const name of outputs) graph.add({ name, op: 'Identity', inputs: [endpoint(first?.[0] ?? '')] });
  if (signature) graph.setSignature(signature);
  return graph;
}

function roles(graph: Graph, names: InputNames = {}): Record<string, string | undefined> {
  return Object.fromEntries(unetInputs(graph, names, [], 'm').map(({ node, role }) => [node, role]));
}

const USUAL: Spec[] = [
  ['sample', [-1, -1, -1, 4]],
  ['timestep', [-1]],
  ['encoder_hidden_states', [-1, -1, 768]],
  ['text_embeds', [-1, 1280]],
];

test('the usual names', () => {
  const found = unetInputs(graphWith(USUAL), {}, [], 'm');
  assert.equal(
    found.map(({ name, role }) => [name, role]),
    [
      ['sample', 'sample'],
      ['timestep', 'timestep'],
      ['encoder_hidden_states', 'encoder_hidden_states'],
      ['text_embeds', undefined],
    ],
  );
});

test('names win over ranks', () => {
  const graph = graphWith([['hint', [-1, -1, -1, 3]], ...USUAL]);
  assert.equal(roles(graph).hint, undefined);
  assert.equal(roles(graph).sample, 'sample');
});

test("another exporter's: by rank, under the names of its signature", () => {
  const inputs: Spec[] = [
    ['latent', [-1, 64, 64, 4]],
    ['context', [-1, 77, 768]],
    ['t_emb', [-1, 320]],
  ];
  const signature = { inputs: { x: { name: 'latent:0' }, t: { name: 't_emb:0' } } };
  const graph = graphWith(inputs, signature);
  assert.equal(roles(graph), { latent: 'sample', context: 'encoder_hidden_states', t_emb: undefined });
  assert.equal(
    unetInputs(graph, {}, [], 'm').map(({ name }) => name),
    ['sample', 'encoder_hidden_states', 't'],
  );
});

const KERAS: Spec[] = [
  ['latent', [-1, 64, 64, 4]],
  ['context', [-1, 77, 768]],
  ['timestep_embedding', [-1, 320]],
];

test("KerasCV's embedding of the timestep is known, others are made where it is said how", async () => {
  const embedding = (inputs: Spec[], sinusoid?: TimestepSinusoid) => {
    const found = unetInputs(graphWith(inputs), {}, [], 'm', sinusoid).find((input) => input.sinusoid);
    return found && [found.name, found.role, found.sinusoid?.order];
  };
  const other: Spec[] = [...KERAS.slice(0, 2), ['temb', [-1, 256]]];
  const sinusoid = parseTimestepInput('sinusoid:sin-cos');
  assert.equal(embedding(KERAS), ['timestep_embedding', 'timestep', 'cos-sin']);
  assert.equal(embedding(KERAS, sinusoid), ['timestep_embedding', 'timestep', 'sin-cos']);
  assert.is(embedding(other), undefined);
  assert.equal(embedding(other, sinusoid), ['temb', 'timestep', 'sin-cos']);
  assert.is(embedding([...KERAS.slice(0, 2), ['timestep_embedding', [-1, 321]]]), undefined);
  assert.is(embedding(USUAL), undefined, 'it takes the number');
  await failsWith('usage', /^--timestep-input: no input of m could take an embedding/, () =>
    embedding(USUAL, sinusoid),
  );
  await failsWith('usage', /^--timestep-input: cannot read "cosine"; write/, () => parseTimestepInput('cosine'));
  assert.equal(parseTimestepInput('sinusoid:cos-sin:5000'), { order: 'cos-sin', maxPeriod: 5000 });
});

test("embeddings of timesteps, by KerasCV's formula", () => {
  const [first, ...others] = timestepEmbeddings([601], 4, KERAS_CV);
  const right = [Math.cos(601), Math.cos(6.01), Math.sin(601), Math.sin(6.01)];
  assert.ok([first ?? 0, ...others].every((value, index) => Math.abs(value - (right[index] ?? 0)) < 1e-6));
  const turned = timestepEmbeddings([0, 1], 4, { order: 'sin-cos', maxPeriod: 10_000 });
  assert.equal([...turned.slice(0, 4)], [0, 0, 1, 1]);
  assert.is(timestepEmbeddings([1, 2, 3], 320, KERAS_CV).length, 960);
});

test('a timestep of one column is a number, one of several is an embedding', () => {
  const made = graphWith([...KERAS.slice(0, 2), ['timestep', [-1, 1]]]);
  assert.is(roles(made).timestep, 'timestep');
  const wide = unetInputs(graphWith([...KERAS.slice(0, 2), ['timestep', [-1, 320]]]), {}, [], 'm');
  assert.is(wide.find(({ node }) => node === 'timestep')?.role, undefined);
});

test("tensors under the names of diffusers or the model's own", async () => {
  const signature = { inputs: { pic: { name: 'serving_default_latent:0' }, words: { name: 'ctx:0' } } };
  const specs: Spec[] = [
    ['serving_default_latent', [-1, 8, 8, 4]],
    ['ctx', [-1, 77, 8]],
    ['added_cond_kwargs_text_embeds', [-1, 16]],
    ['add_time_ids', [-1, 6]],
  ];
  const inputs = unetInputs(graphWith(specs, signature), {}, [], 'm');
  const named = (...names: string[]) =>
    Object.keys(byInputNames(Object.fromEntries(names.map((name) => [name, 1])), inputs)).join();
  for (const name of ['sample', 'pic', 'serving_default_latent', 'serving_default_latent:0', 'latent', 'latent:0']) {
    assert.is(named(name), 'sample', name);
  }
  for (const name of ['encoder_hidden_states', 'words', 'ctx', 'ctx:0', 'serving_default_ctx:0', 'context']) {
    assert.is(named(name), 'encoder_hidden_states', name);
  }
  assert.is(named('text_embeds', 'time_ids'), 'text_embeds,time_ids');
  assert.is(named('pooled_prompt_embeds', 'add_time_ids'), 'text_embeds,time_ids');
  assert.is(named('timestep', 'other'), 'timestep,other', 'what is no input keeps its name');
  await failsWith('bad-input', /^input "latent": is the same input of the model as "sample"; give it once$/, () =>
    named('sample', 'latent'),
  );
});

test('what cannot be told is asked for', async () => {
  const two = graphWith([
    ['a', [-1, 8, 8, 4]],
    ['b', [-1, 8, 8, 4]],
    ['c', undefined],
  ]);
  await failsWith(
    'bad-input',
    /m: has no input that must be the sample; it has "a" \[\?, 8, 8, 4\], .*"c" of any rank/,
    () => roles(two),
  );
  assert.equal(roles(two, { sample: 'b', timestep: 'c' }), { a: undefined, b: 'sample', c: 'timestep' });
  await failsWith('bad-input', /has no input "d" for the sample; it has "a"/, () => roles(two, { sample: 'd' }));
});

test('the control input and inputs with defaults', () => {
  const graph = graphWith(USUAL);
  const fallback = graph.addConstant('none', { dtype: 'float32', shape: [1, 1, 1, 8], values: Array(8).fill(0) });
  for (const name of ['slothful_control', 'residual']) {
    graph.add({ name, op: 'PlaceholderWithDefault', inputs: [fallback], attributes: { dtype: attr.type('float32') } });
  }
  const found = unetInputs(graph, {}, ['slothful_control'], 'm');
  assert.equal(found.map(({ name }) => name).at(-1), 'residual');
  assert.equal(found.find(({ name }) => name === 'residual')?.optional, true);
  assert.is(found.length, 5);
});

test('the output', async () => {
  assert.is(unetOutput(graphWith(USUAL), undefined, 'm'), 'out');
  assert.is(unetOutput(graphWith(USUAL, undefined, ['out_sample', 'other']), undefined, 'm'), 'out_sample');
  assert.is(unetOutput(graphWith(USUAL, undefined, ['a', 'b']), 'b', 'm'), 'b');
  const signed = graphWith(USUAL, { outputs: { y: { name: 'b:0' } } }, ['a', 'b']);
  assert.is(unetOutput(signed, undefined, 'm'), 'b');
  assert.is(unetOutput(signed, 'y', 'm'), 'b');
  const several = graphWith(USUAL, undefined, ['a', 'b']);
  await failsWith('bad-input', /several outputs or none; it has "a", "b"; name one/, () =>
    unetOutput(several, undefined, 'm'),
  );
  await failsWith('bad-input', /has no output "c"; it has "a", "b"/, () => unetOutput(several, 'c', 'm'));
});

test.run();
