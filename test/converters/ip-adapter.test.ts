import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint, parseUNetConfig } from '../../converters/index.ts';
import { crossAttentions } from '../../converters/unet/index.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { loadUNet } from '../../src/node.ts';
import { decodeSafetensors } from '../../src/tensors/index.ts';
import { companion, companionInputs, goldenInput } from '../support/companion-goldens.ts';
import { failsWith } from '../support/errors.ts';
import { fixture } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type FamilyName, unetGoldens } from '../support/unet-goldens.ts';
import { floats, type RawTensor, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('IP-Adapters');

const BASE = 'ip_adapter_sd15.safetensors';
const PLUS = 'ip_adapter_plus_sdxl.safetensors';
const FULL = '../adapters/ip_adapter_full_sd15.safetensors';

test('numbers cross-attentions down, up, middle', () => {
  const modules = crossAttentions(parseUNetConfig(unetGoldens('sd15').config));
  assert.is(modules.length, 16);
  const named = (index: number) => `${modules[index]?.module} ${modules[index]?.channels}`;
  assert.is(named(0), 'down_blocks.0.attentions.0.transformer_blocks.0.attn2 16');
  assert.is(named(6), 'up_blocks.1.attentions.0.transformer_blocks.0.attn2 48');
  assert.is(named(15), 'mid_block.attentions.0.transformer_blocks.0.attn2 48');
  assert.is(crossAttentions(parseUNetConfig(unetGoldens('ssd1b').config)).length, 34);
});

test('scale 0 is the UNet alone, no scale is scale 1', async () => {
  const folder = temporaryFolder();
  const { diffusers } = unetGoldens('sd15');
  await convertCheckpoint(diffusers, join(folder, 'alone'));
  await convertCheckpoint(diffusers, join(folder, 'with'), { ipAdapter: { file: companion(BASE) } });
  const alone = await loadUNet(join(folder, 'alone'), { backend: 'wasm' });
  const both = await loadUNet(join(folder, 'with'), { backend: 'wasm' });
  tf.tidy(() => {
    const inputs = companionInputs({ checkpoint: 'sd15', timestep: 601, params: null, out: '' });
    const image_embeds = goldenInput('ip_adapter_sd15.image_embeds');
    const run = (ip_adapter_scale: number | undefined) => {
      const scale = ip_adapter_scale === undefined ? {} : { ip_adapter_scale: tf.scalar(ip_adapter_scale) };
      return both.predict({ ...inputs, image_embeds, ...scale }, { layout: 'nchw' }).out_sample.dataSync();
    };
    const plain = alone.predict(inputs, { layout: 'nchw' }).out_sample.dataSync();
    assert.is(largestDifference(run(0), plain), 0);
    assert.is(largestDifference(run(undefined), run(1)), 0);
    assert.ok(largestDifference(run(1), plain) > 1e-3);
  });
  alone.dispose();
  both.dispose();
});

test('a full-face adapter, which has a token for each patch, gives what diffusers gives', async () => {
  const out = join(temporaryFolder(), 'model');
  const options = { dtype: 'float32', ipAdapter: { file: companion(FULL) } } as const;
  await convertCheckpoint(unetGoldens('sd15').diffusers, out, options);
  const { userDefinedMetadata } = JSON.parse(readFileSync(join(out, 'model.json'), 'utf8'));
  const { kind, tokens, embed_dim } = userDefinedMetadata.ip_adapter;
  assert.equal([kind, tokens, embed_dim], ['full', 257, 20]);
  const golden = decodeSafetensors(readFileSync(fixture('adapters/ip_full.safetensors')));
  const unet = await loadUNet(out, { backend: 'wasm' });
  tf.tidy(() => {
    const inputs = companionInputs({ checkpoint: 'sd15', timestep: 601, params: null, out: '' });
    const { shape = [], data = [] } = golden.get('image_embeds') ?? {};
    const image = { image_embeds: tf.tensor(data, [...shape]), ip_adapter_scale: tf.scalar(0.6) };
    const { out_sample } = unet.predict({ ...inputs, ...image }, { layout: 'nchw' });
    const difference = largestDifference(out_sample.dataSync(), golden.get('out_sample')?.data ?? []);
    assert.ok(difference < 2e-5, `differs by ${difference}`);
  });
  unet.dispose();
});

test('what was built in is recorded, base and plus', async () => {
  const record = async (family: FamilyName, file: string): Promise<unknown> => {
    const out = join(temporaryFolder(), 'model');
    await convertCheckpoint(unetGoldens(family).diffusers, out, { ipAdapter: { file: companion(file) } });
    return JSON.parse(readFileSync(join(out, 'model.json'), 'utf8')).userDefinedMetadata.ip_adapter;
  };
  assert.equal(await record('sd15', BASE), { file: BASE, kind: 'base', tokens: 4, embed_dim: 20 });
  assert.equal(await record('sdxl', PLUS), { file: PLUS, kind: 'plus', tokens: 5, embed_dim: 20 });
});

/** An adapter with other tensors. */
function changed(change: (tensors: Map<string, RawTensor>) => void, from = BASE): string {
  const file = join(temporaryFolder(), 'adapter.safetensors');
  const tensors = readTensors(readFileSync(companion(from)));
  change(tensors);
  writeTensors(file, tensors);
  return file;
}

const one = floats([1], [1]);
const add = (name: string) => () => changed((tensors) => tensors.set(name, one));
const drop =
  (name: string, from = BASE) =>
  () =>
    changed((tensors) => tensors.delete(name), from);

/** The full-face adapter without some tensors. */
const full = (without: RegExp) => () =>
  changed((tensors) => {
    for (const name of [...tensors.keys()]) if (without.test(name)) tensors.delete(name);
  }, FULL);

type Refusal = readonly [what: string, code: ErrorCode, message: RegExp, file: () => string, family?: FamilyName];

const REFUSED: readonly Refusal[] = [
  ['FaceID', 'unsupported', /is an IP-Adapter FaceID, by its tensor/, add('ip_adapter.0.to_q_lora.down.weight')],
  ['FaceID Plus', 'unsupported', /is an IP-Adapter FaceID Plus/, add('image_proj.perceiver_resampler.proj_in.weight')],
  [
    'a full face without its first layer',
    'bad-checkpoint',
    /has no tensor "image_proj.proj.0.weight"/,
    full(/proj\.0/),
  ],
  ['a full face without a bias', 'bad-checkpoint', /lacks 1 of \d+ tensors: image_proj.proj.2.bias/, full(/2\.bias/)],
  ['a portrait variant', 'unsupported', /is an IP-Adapter FaceID \(portrait\)/, add('image_proj.proj.0.weight')],
  ['another projection', 'unsupported', /is an IP-Adapter of another kind/, add('image_proj.mlp.weight')],
  ['one for SDXL', 'unsupported', /has 140 keys and values for the UNet's 32: .*same family/, () => companion(PLUS)],
  ['one for SD1.5 on SDXL', 'unsupported', /has 32 keys and values for the UNet's 140/, () => companion(BASE), 'sdxl'],
  ['a missing key', 'unsupported', /it lacks "ip_adapter.7.to_k_ip.weight"/, drop('ip_adapter.7.to_k_ip.weight')],
  ['an even number', 'unsupported', /it has "ip_adapter.2.to_k_ip.weight"/, add('ip_adapter.2.to_k_ip.weight')],
  [
    'a key of another width',
    'unsupported',
    /has "ip_adapter.31.to_v_ip.weight" \[1\], and the UNet needs \[48, 24\]/,
    add('ip_adapter.31.to_v_ip.weight'),
  ],
  [
    'no projection',
    'bad-checkpoint',
    /has no tensor "image_proj.proj.weight"; it is incomplete/,
    drop('image_proj.proj.weight'),
  ],
  [
    'half a token',
    'bad-checkpoint',
    /projects an image to 90 values, which is not a whole number of 24-wide tokens/,
    () => changed((tensors) => tensors.set('image_proj.proj.weight', floats([90, 20], new Float32Array(1800)))),
  ],
  [
    'a norm of another width',
    'bad-checkpoint',
    /wrong shape: image_proj\.norm\.weight is \[1\], expected \[24\]/,
    add('image_proj.norm.weight'),
  ],
  [
    'a resampler without a layer',
    'bad-checkpoint',
    /lacks 1 of \d+ tensors: image_proj\.layers\.2\.0\.to_kv\.weight/,
    drop('image_proj.layers.2.0.to_kv.weight', PLUS),
    'sdxl',
  ],
  [
    'a resampler with odd heads',
    'bad-checkpoint',
    /has a resampler of width 100, which is not a whole number of 64-wide heads/,
    () =>
      changed((tensors) => {
        tensors.set('image_proj.layers.0.0.to_q.weight', floats([100, 32], new Float32Array(3200)));
      }, PLUS),
    'sdxl',
  ],
  [
    'a LoRA',
    'bad-checkpoint',
    /holds no IP-Adapter among its 256 tensors: it looks like a LoRA/,
    () => companion('lora_sd15_peft.safetensors'),
  ],
  ['a pickle', 'unsupported', /is a pickle/, () => '/models/ip-adapter_sd15.bin'],
  ['a file that is not there', 'io', /cannot be opened/, () => '/nowhere/adapter.safetensors'],
  [
    'a truncated file',
    'bad-checkpoint',
    /truncated|ends at byte/,
    () => {
      const file = join(temporaryFolder(), 'cut.safetensors');
      writeFileSync(file, readFileSync(companion(BASE)).subarray(0, 40_000));
      return file;
    },
  ],
];

for (const [what, code, message, file, family = 'sd15'] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const out = join(temporaryFolder(), 'model');
    const ipAdapter = { file: file() };
    await failsWith(code, message, () => convertCheckpoint(unetGoldens(family).diffusers, out, { ipAdapter }));
    assert.not(existsSync(out));
  });
}

test.run();
