import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertTextEncoder, type TextEncoderName } from '../../converters/index.ts';
import { loadModel } from '../../src/node.ts';
import { TEST_BACKENDS, useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import {
  changeTensors,
  checkAgainst,
  goldenTensor,
  loadStock,
  type PipelineName,
  partConfig,
  pipelineFile,
  pipelineFolder,
} from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, type RawTensor } from '../support/write-tensors.ts';
import { bareFolder } from './bare-folder.ts';
import { writeZeros } from './support.ts';

const test = suite('text encoders');

/** What each golden is in the graph. */
const ENCODERS: ReadonlyArray<{ name: PipelineName; which: TextEncoderName; outputs: Record<string, string> }> = [
  {
    name: 'sd15',
    which: 'text_encoder',
    outputs: {
      embeddings: 'hidden_states_0',
      penultimate: 'hidden_states_3',
      penultimate_norm: 'normed_states_3',
      last: 'normed_states_4',
      pooled: 'pooled',
    },
  },
  {
    name: 'sdxl',
    which: 'text_encoder',
    outputs: {
      embeddings: 'hidden_states_0',
      antepenultimate: 'hidden_states_1',
      penultimate: 'hidden_states_2',
      last: 'normed_states_3',
      pooled: 'pooled',
    },
  },
  {
    name: 'sdxl',
    which: 'text_encoder_2',
    outputs: {
      embeddings: 'hidden_states_0',
      antepenultimate: 'hidden_states_2',
      penultimate: 'hidden_states_3',
      last: 'normed_states_4',
      text_embeds: 'text_embeds',
    },
  },
];

for (const { name, which, outputs } of ENCODERS) {
  const sources: Readonly<Record<string, () => string>> = {
    'a folder': () => pipelineFolder(name),
    'a folder without text_model.': () => bareFolder(name, which),
    'a single file': () => pipelineFile(name),
  };
  for (const [from, source] of Object.entries(sources)) {
    test(`${name} ${which} of ${from}: what transformers gives, on every backend, by TF.js alone`, async () => {
      const folder = join(temporaryFolder(), 'model');
      const isFile = from === 'a single file';
      const config = isFile ? { config: partConfig(name, which) } : {};
      const summary = await convertTextEncoder(source(), folder, { which, ...config });
      assert.is(summary.kind, 'text_encoder');
      for (const backend of TEST_BACKENDS) {
        await useBackend(backend);
        const model = await loadStock(folder);
        tf.tidy(() => {
          const ids = goldenTensor('text', `${name}.${which}.ids`);
          const results = model.execute({ input_ids: ids }, Object.values(outputs));
          assert.ok(Array.isArray(results));
          Object.keys(outputs).forEach((golden, index) => {
            const result = Array.isArray(results) ? results[index] : undefined;
            assert.ok(result, golden);
            if (result) checkAgainst(result, 'text', `${name}.${which}.${golden}`);
          });
        });
        model.dispose();
      }
    });
  }
}

test('every kind of op is on wasm, every constant in the manifest, and all outputs are there', async () => {
  const folder = join(temporaryFolder(), 'model');
  await convertTextEncoder(pipelineFolder('sdxl'), folder, { which: 'text_encoder_2' });
  const { modelTopology, weightsManifest, signature, userDefinedMetadata } = JSON.parse(
    readFileSync(join(folder, 'model.json'), 'utf8'),
  );
  const nodes: ReadonlyArray<{ name: string; op: string }> = modelTopology.node;
  const ops = new Set(nodes.map(({ op }) => op));
  for (const missing of ['Einsum', 'Gather', 'ResourceGather', 'ArgMax', 'Where'])
    assert.not(ops.has(missing), missing);
  const stored = new Set(
    weightsManifest.flatMap((group: { weights: { name: string }[] }) => group.weights.map((each) => each.name)),
  );
  assert.equal(
    nodes.filter(({ op, name }) => op === 'Const' && !stored.has(name)),
    [],
  );
  const states = [0, 1, 2, 3, 4].flatMap((n) => [`hidden_states_${n}`, `normed_states_${n}`]);
  assert.equal(Object.keys(signature.outputs).sort(), [...states, 'pooled', 'text_embeds'].sort());
  assert.is(userDefinedMetadata.text_encoder.eos_token_id, 673);
  assert.is(userDefinedMetadata.text_encoder.projection, 20);
});

test('the EOS: by default that of the config, else the one that is fed, and the first of several', async () => {
  const folder = join(temporaryFolder(), 'model');
  const source = pipelineFolder('sd15');
  const legacy = join(source, 'text_encoder', 'config.json');
  writeFileSync(legacy, JSON.stringify({ ...partConfig('sd15', 'text_encoder'), eos_token_id: 2 }));
  await convertTextEncoder(source, folder);
  const model = await loadModel(folder, { backend: 'cpu' });
  const ids = Array.from({ length: 77 }, (_, index) => (index === 9 || index >= 30 ? 673 : index === 20 ? 5 : 100));
  const input_ids = tf.tensor2d(ids, [1, 77], 'int32');
  const at = (feeds: object) => {
    const { pooled, normed_states_4: states } = model.execute({ input_ids, ...feeds }, ['pooled', 'normed_states_4']);
    const wanted = pooled?.dataSync() ?? [];
    const all = states?.dataSync() ?? new Float32Array();
    const rows = Array.from({ length: 77 }, (_, row) => all.subarray(24 * row, 24 * row + 24));
    return rows.findIndex((row) => row.every((value, index) => value === wanted[index]));
  };
  assert.is(at({}), 9);
  assert.is(at({ eos_token_id: tf.scalar(5, 'int32') }), 20);
  assert.is(at({ eos_token_id: tf.scalar(6, 'int32') }), 0);
  model.dispose();
});

test('what comes later in a prompt does not change what came before, nor another row', async () => {
  const folder = join(temporaryFolder(), 'model');
  await convertTextEncoder(pipelineFolder('sdxl'), folder, { which: 'text_encoder_2' });
  const model = await loadModel(folder, { backend: 'cpu' });
  const statesOf = (rows: number[][]) => {
    const input_ids = tf.tensor2d(rows, undefined, 'int32');
    return model.execute({ input_ids }, ['normed_states_4']).normed_states_4?.dataSync() ?? new Float32Array();
  };
  const prompt = Array.from({ length: 77 }, (_, index) => 50 + index);
  const other = prompt.map((id, index) => (index < 40 ? id : 300));
  const [one, two] = [statesOf([prompt]), statesOf([other, prompt])];
  const length = 77 * 16;
  assert.equal(one.slice(0, 40 * 16), two.slice(0, 40 * 16));
  assert.not.equal(one.slice(40 * 16), two.slice(40 * 16, length));
  assert.equal(one, two.slice(length));
  model.dispose();
});

/** A pipeline folder with something wrong in its text encoder. */
function broken(change: (tensors: Map<string, RawTensor>) => void, config: Record<string, unknown> = {}): string {
  const folder = pipelineFolder('sd15');
  changeTensors(join(folder, 'text_encoder', 'model.safetensors'), change);
  const path = join(folder, 'text_encoder', 'config.json');
  writeFileSync(path, JSON.stringify({ ...partConfig('sd15', 'text_encoder'), ...config }));
  return folder;
}

const nothing = () => undefined;

const REFUSED: ReadonlyArray<[what: string, code: 'bad-checkpoint' | 'unsupported', message: RegExp, () => string]> = [
  [
    'a missing tensor',
    'bad-checkpoint',
    /lacks 1 of 68 tensors: text_model\.final_layer_norm\.bias/,
    () => broken((tensors) => tensors.delete('text_model.final_layer_norm.bias')),
  ],
  [
    'a width of another model',
    'bad-checkpoint',
    /wrong shape: .* expected \[674, 48\]/,
    () => broken(nothing, { hidden_size: 48 }),
  ],
  [
    'heads that do not divide',
    'bad-checkpoint',
    /5 heads, which do not divide a width of 24/,
    () => broken(nothing, { num_attention_heads: 5 }),
  ],
  [
    'another activation',
    'bad-checkpoint',
    /hidden_act must be one of quick_gelu, gelu, got "relu"/,
    () => broken(nothing, { hidden_act: 'relu' }),
  ],
  [
    'another model',
    'unsupported',
    /describes a "t5", not a clip_text_model/,
    () => broken(nothing, { model_type: 't5' }),
  ],
  [
    'an EOS out of the vocabulary',
    'bad-checkpoint',
    /vocabulary of 674, and the token that ends prompts is 49407/,
    () => broken(nothing, { eos_token_id: 49407 }),
  ],
  [
    'a tensor too many',
    'unsupported',
    /does not use: text_model\.extra/,
    () => broken((tensors) => tensors.set('text_model.extra', floats([1], [0]))),
  ],
  [
    'a single file whose heads no tensor tells',
    'bad-checkpoint',
    /width 24, whose number of heads its tensors do not tell; give .*--config/,
    () => pipelineFile('sd15'),
  ],
];

for (const [what, code, message, source] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const out = join(temporaryFolder(), 'model');
    await failsWith(code, message, () => convertTextEncoder(source(), out));
    assert.not(existsSync(out));
  });
}

/** Names and shapes of a tiny encoder with one head of 64 channels, by transformers' names. */
function shapesOf(layers: number): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>([
    ['text_model.embeddings.token_embedding.weight', [10, 64]],
    ['text_model.embeddings.position_embedding.weight', [7, 64]],
    ['text_model.final_layer_norm.weight', [64]],
    ['text_model.final_layer_norm.bias', [64]],
  ]);
  for (let layer = 0; layer < layers; layer++) {
    const add = (module: string, shape: readonly number[]) => {
      shapes.set(`text_model.encoder.layers.${layer}.${module}.weight`, shape);
      shapes.set(`text_model.encoder.layers.${layer}.${module}.bias`, shape.slice(0, 1));
    };
    for (const norm of ['layer_norm1', 'layer_norm2']) add(norm, [64]);
    for (const name of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) add(`self_attn.${name}`, [64, 64]);
    add('mlp.fc1', [128, 64]);
    add('mlp.fc2', [64, 128]);
  }
  return shapes;
}

test('without a config the tensors tell: heads of 64 channels, quick_gelu for CLIP, gelu for OpenCLIP', async () => {
  const folder = temporaryFolder();
  const recordOf = async (shapes: ReadonlyMap<string, readonly number[]>, which: TextEncoderName) => {
    const file = join(folder, `${which}.safetensors`);
    writeZeros(file, shapes);
    await convertTextEncoder(file, join(folder, which), { which });
    return JSON.parse(readFileSync(join(folder, which, 'model.json'), 'utf8')).userDefinedMetadata.text_encoder;
  };
  const clip = new Map([...shapesOf(3)].map(([name, shape]) => [`cond_stage_model.transformer.${name}`, shape]));
  const sizes = { width: 64, heads: 1, positions: 7, vocabulary: 10, eos_token_id: 9 };
  assert.equal(await recordOf(clip, 'text_encoder'), {
    ...sizes,
    layers: 3,
    activation: 'quick_gelu',
    projection: null,
  });
  const openClip = new Map<string, readonly number[]>([
    ['positional_embedding', [7, 64]],
    ['token_embedding.weight', [10, 64]],
    ['ln_final.weight', [64]],
    ['ln_final.bias', [64]],
    ['text_projection', [64, 32]],
    ['logit_scale', []],
  ]);
  const block = { 'ln_1.': [64], 'ln_2.': [64], 'mlp.c_fc.': [128, 64], 'mlp.c_proj.': [64, 128] };
  const attention = { 'attn.in_proj_': [192, 64], 'attn.out_proj.': [64, 64] };
  for (const [start, shape] of Object.entries({ ...block, ...attention })) {
    openClip.set(`transformer.resblocks.0.${start}weight`, shape);
    openClip.set(`transformer.resblocks.0.${start}bias`, shape.slice(0, 1));
  }
  const prefixed = new Map([...openClip].map(([name, shape]) => [`conditioner.embedders.1.model.${name}`, shape]));
  assert.equal(await recordOf(prefixed, 'text_encoder_2'), { ...sizes, layers: 1, activation: 'gelu', projection: 32 });
});

test('what OpenCLIP stacks is missed by its own name', async () => {
  const name = 'conditioner.embedders.1.model.transformer.resblocks.2.attn.in_proj_weight';
  const file = pipelineFile('sdxl', (tensors) => tensors.delete(name));
  const options = { which: 'text_encoder_2', config: partConfig('sdxl', 'text_encoder_2') } as const;
  await failsWith('bad-checkpoint', new RegExp(`lacks 3 of .*: ${name.replaceAll('.', '\\.')}`), () =>
    convertTextEncoder(file, join(temporaryFolder(), 'model'), options),
  );
});

test('a text encoder alone: its folder, and its file', async () => {
  const folder = join(pipelineFolder('sd15'), 'text_encoder');
  const alone = join(temporaryFolder(), 'clip.safetensors');
  const out = temporaryFolder();
  await convertTextEncoder(folder, join(out, 'folder'));
  renameSync(join(folder, 'model.safetensors'), alone);
  await convertTextEncoder(alone, join(out, 'file'), { config: partConfig('sd15', 'text_encoder') });
  assert.equal(readFileSync(join(out, 'folder', 'model.json')), readFileSync(join(out, 'file', 'model.json')));
});

test.run();
