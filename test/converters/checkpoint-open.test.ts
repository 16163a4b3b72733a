import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { looksLike, openCheckpoint } from '../../converters/checkpoint/index.ts';
import { UNET } from '../../converters/unet/index.ts';
import { fixture, fixturePath } from '../support/fixtures.ts';
import { rejection, temporaryFolder, writeZeros } from './support.ts';

const test = suite('checkpoint: open');
const root = temporaryFolder();

const DIFFUSERS = new Map([
  ['conv_in.weight', [2, 4, 3, 3]],
  ['down_blocks.0.resnets.0.norm1.weight', [4]],
  ['up_blocks.0.resnets.0.norm1.weight', [4]],
]);
const LDM = new Map([
  ['input_blocks.0.0.weight', [2, 4, 3, 3]],
  ['output_blocks.0.0.in_layers.0.weight', [4]],
]);

function prefixed(prefix: string, shapes: ReadonlyMap<string, number[]>): Map<string, number[]> {
  return new Map([...shapes].map(([name, shape]) => [`${prefix}${name}`, shape]));
}

/** Makes a folder of files: shapes become safetensors, anything else is written as JSON or text. */
function make(name: string, files: Record<string, unknown>): string {
  const folder = join(root, name);
  for (const [file, content] of Object.entries(files)) {
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    if (content instanceof Map) writeZeros(path, content);
    else writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

async function summary(path: string, variant?: string) {
  const checkpoint = await openCheckpoint(path, UNET, { variant });
  const { layout, tensors, config, schedulerConfig, sampling, otherTensors, bytes, notes } = checkpoint;
  await checkpoint.close();
  const files = [...new Set([...tensors.values()].map(({ file }) => file.slice(root.length + 1)))];
  return { layout, size: tensors.size, config, schedulerConfig, sampling, otherTensors, bytes, notes, files };
}

for (const [family, size] of [
  ['sd15', 686],
  ['sdxl', 1680],
  ['ssd1b', 944],
] as const) {
  test(`${family}: the golden folder and the golden single file hold the same values`, async () => {
    const folder = await openCheckpoint(fixturePath(`unet/${family}/diffusers`), UNET);
    const single = await openCheckpoint(fixturePath(`unet/${family}/ldm.safetensors`), UNET);
    assert.is(folder.layout, 'diffusers');
    assert.is(single.layout, 'ldm');
    assert.is(folder.tensors.size, size);
    assert.is(single.tensors.size, size);
    assert.is(folder.bytes, single.bytes);
    assert.ok(folder.config);
    assert.is(single.config, undefined);
    const a = await folder.tensors.get('conv_in.weight')?.read();
    assert.ok(a?.some((byte) => byte !== 0));
    assert.equal(a, await single.tensors.get('input_blocks.0.0.weight')?.read());
    await Promise.all([folder.close(), single.close()]);
  });
}

test('a pipeline folder, its unet folder and its file give the same', async () => {
  const folder = make('pipeline', {
    'model_index.json': {},
    'unet/config.json': { in_channels: 4 },
    'unet/diffusion_pytorch_model.safetensors': DIFFUSERS,
    'scheduler/scheduler_config.json': { prediction_type: 'epsilon' },
    'vae/diffusion_pytorch_model.safetensors': LDM,
  });
  const wanted = {
    layout: 'diffusers',
    size: 3,
    config: { in_channels: 4 },
    schedulerConfig: { prediction_type: 'epsilon' },
    sampling: { facts: {}, notes: [] },
    otherTensors: 0,
    bytes: 2 * (72 + 8),
    notes: [],
    files: ['pipeline/unet/diffusion_pytorch_model.safetensors'],
  };
  for (const path of ['', 'unet', 'unet/', 'unet/diffusion_pytorch_model.safetensors']) {
    assert.equal(await summary(join(folder, path)), wanted, path);
  }
});

test('a folder of another name takes no scheduler from beside it', async () => {
  make('beside', { 'scheduler/scheduler_config.json': {} });
  const folder = make('beside/mine', { 'diffusion_pytorch_model.safetensors': DIFFUSERS });
  assert.is((await summary(folder)).schedulerConfig, undefined);
});

test('a single file with other models in it, with the prefix or without', async () => {
  const others = new Map([
    ['first_stage_model.decoder.up.0.weight', [3]],
    ['cond_stage_model.a', [2]],
  ]);
  const mixed = make('single', {
    'mixed.safetensors': new Map([...prefixed('model.diffusion_model.', LDM), ...others]),
    'bare.safetensors': LDM,
    'config.json': { not: 'its own' },
  });
  const full = await summary(join(mixed, 'mixed.safetensors'));
  assert.equal(full.notes, ['left 2 tensors of other models']);
  assert.is(full.otherTensors, 2);
  assert.is(full.size, 2);
  assert.is(full.bytes, 2 * 76);
  assert.is(full.config, undefined);
  const bare = await summary(join(mixed, 'bare.safetensors'));
  assert.is(bare.layout, 'ldm');
  assert.is(bare.size, 2);
});

test('variants: the plain one, the only one, the one asked for', async () => {
  const fp16 = 'diffusion_pytorch_model.fp16.safetensors';
  const plain = 'diffusion_pytorch_model.safetensors';
  const both = make('both', { [fp16]: DIFFUSERS, [plain]: DIFFUSERS });
  assert.equal((await summary(both)).files, [`both/${plain}`]);
  assert.equal((await summary(both)).notes, [`took ${plain}; --variant can choose fp16`]);
  assert.equal((await summary(both, 'fp16')).files, [`both/${fp16}`]);
  assert.equal((await summary(make('one', { [fp16]: DIFFUSERS }))).files, [`one/${fp16}`]);
  const error = await rejection(openCheckpoint(both, UNET, { variant: 'bf16' }));
  assert.match(error.message, /has no variant "bf16"; it has \(plain\), fp16/);
  const odd = make('odd', { [fp16]: DIFFUSERS, 'diffusion_pytorch_model.non_ema.safetensors': DIFFUSERS });
  assert.match(
    (await rejection(openCheckpoint(odd, UNET))).message,
    /has the variants fp16, non_ema; choose one with --variant/,
  );
  assert.equal((await summary(make('lone', { 'any name.safetensors': LDM }))).layout, 'ldm');
});

const [first = '', second = '', third = ''] = DIFFUSERS.keys();
const shardMaps = [
  new Map([[first, [2, 4, 3, 3]]]),
  new Map([
    [second, [4]],
    [third, [4]],
  ]),
];
const [one, two] = [
  'diffusion_pytorch_model-00001-of-00002.safetensors',
  'diffusion_pytorch_model-00002-of-00002.safetensors',
];
const INDEX = 'diffusion_pytorch_model.safetensors.index.json';
const weightMap = { [first]: one, [second]: two, [third]: two };

test('shards, by the index or by the folder; variants in either spelling', async () => {
  const shards = { [one]: shardMaps[0], [two]: shardMaps[1] };
  const folder = make('shards', { ...shards, [INDEX]: { metadata: {}, weight_map: weightMap } });
  for (const path of [folder, join(folder, INDEX)]) {
    const { size, files, bytes } = await summary(path);
    assert.equal({ size, files, bytes }, { size: 3, files: [`shards/${one}`, `shards/${two}`], bytes: 160 });
  }
  for (const name of ['diffusion_pytorch_model.fp16.safetensors.index.json', `${INDEX.slice(0, -5)}.fp16.json`]) {
    const folder = make(`shards-${name}`, { ...shards, [name]: { weight_map: weightMap } });
    assert.is((await summary(folder, 'fp16')).size, 3);
  }
});

test('a tensor that the index leaves out is left', async () => {
  const { [third]: _, ...rest } = weightMap;
  const kept = { ...rest, 'up_blocks.x': two };
  const shard = new Map([...(shardMaps[1] ?? []), ['up_blocks.x', [1]]]);
  const folder = make('left', { [one]: shardMaps[0], [two]: shard, [INDEX]: { weight_map: kept } });
  const { size, otherTensors } = await summary(folder);
  assert.equal({ size, otherTensors }, { size: 3, otherTensors: 1 });
});

/** An index that lies, and what the message must say. */
const INDEXES: ReadonlyArray<readonly [what: string, index: unknown, says: RegExp]> = [
  ['no JSON', '{', /is not JSON/],
  ['a list', [], /has no "weight_map" object/],
  ['null', null, /has no "weight_map" object/],
  ['a map that is a list', { weight_map: [] }, /has no "weight_map" object/],
  ['an empty map', { weight_map: {} }, /has an empty "weight_map"/],
  ['a file that is a number', { weight_map: { a: 7 } }, /maps "a" to 7/],
  ['a folder above', { weight_map: { a: '../shards/x.safetensors' } }, /maps "a" to "..\/shards/],
  ['an absolute path', { weight_map: { a: '/etc/x.safetensors' } }, /not a .safetensors file beside it/],
  ['a Windows path', { weight_map: { a: '..\\x.safetensors' } }, /not a .safetensors file beside it/],
  ['a pickle', { weight_map: { a: 'model.bin' } }, /not a .safetensors file beside it/],
  ['a key twice', `{"weight_map":{"a":"${one}","a":"${two}"}}`, /has the key "a" twice/],
  ['missing shards', { weight_map: { a: 'x.safetensors', b: one, c: 'y.safetensors' } }, /missing: x.*, y.safetensors/],
  ['a tensor that is elsewhere', { weight_map: { ...weightMap, [first]: two } }, /maps "conv_in.weight" to .*00002-of/],
];

for (const [what, index, says] of INDEXES) {
  test(`refuses an index with ${what}`, async () => {
    const files = { [one]: shardMaps[0], [two]: shardMaps[1], [INDEX]: index };
    const { code, message } = await rejection(openCheckpoint(make(`index-${what.replaceAll(' ', '-')}`, files), UNET));
    assert.is(code, 'bad-checkpoint');
    assert.match(message, says);
    assert.match(message, /index\.json: /);
  });
}

test('a broken shard is named', async () => {
  const folder = make('broken', { [one]: shardMaps[0], [two]: 'short', [INDEX]: { weight_map: weightMap } });
  assert.match((await rejection(openCheckpoint(folder, UNET))).message, /00002-of-00002.safetensors: has 5 bytes/);
});

const PICKLE = `PK\x03\x04${'.'.repeat(26)}archive/data.pkl`;

const REFUSED: ReadonlyArray<readonly [what: string, files: Record<string, unknown>, path: string, says: RegExp]> = [
  ['an empty folder', { '.keep': '' }, '', /holds no weights/],
  [
    'a pickle',
    { 'model.ckpt': PICKLE },
    'model.ckpt',
    /is a PyTorch pickle, which can run any code.*save it as .safetensors/,
  ],
  ['an empty pickle', { 'model.ckpt': '' }, 'model.ckpt', /model.ckpt: is empty; download it again/],
  [
    'a pickle in disguise',
    { 'a.safetensors': PICKLE },
    'a.safetensors',
    /is a PyTorch pickle.*save it as .safetensors/,
  ],
  ['a page', { 'a.safetensors': '<!doctype html>' }, 'a.safetensors', /a.safetensors: is a web page, not the file/],
  [
    'a folder of pickles',
    { 'diffusion_pytorch_model.bin': PICKLE },
    '',
    /diffusion_pytorch_model.bin: is a PyTorch pickle/,
  ],
  ['another format', { 'model.gguf': 'GGUF' }, 'model.gguf', /is a GGUF model/],
  ['some text', { 'model.txt': 'see also' }, 'model.txt', /is not a .safetensors file/],
  ['several files', { 'a.safetensors': LDM, 'b.safetensors': LDM }, '', /2 .safetensors files.*a.safetensors, b/],
  ['a transformer pipeline', { 'transformer/config.json': {} }, '', /transformer and no unet/],
  [
    'a config that is not JSON',
    { 'diffusion_pytorch_model.safetensors': DIFFUSERS, 'config.json': '{' },
    '',
    /not JSON/,
  ],
  ['a VAE', { 'a.safetensors': new Map([['decoder.up.0.a', [1]]]) }, 'a.safetensors', /among its 1 tensors.* a VAE/],
];

for (const [what, files, path, says] of REFUSED) {
  test(`refuses ${what}`, async () => {
    const folder = make(`refused-${what.replaceAll(' ', '-')}`, files);
    assert.match((await rejection(openCheckpoint(join(folder, path), UNET))).message, says);
  });
}

const KINDS: ReadonlyArray<readonly [name: string, what: string | undefined]> = [
  ['lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight', 'a LoRA'],
  ['unet.down_blocks.0.attentions.0.to_q.lora_A.weight', 'a LoRA'],
  ['lora_unet_mid.hada_w1_a', 'a LoRA'],
  ['controlnet_cond_embedding.conv_in.weight', 'a ControlNet'],
  ['control_model.input_blocks.0.0.weight', 'a ControlNet'],
  ['ip_adapter.1.to_k_ip.weight', 'an IP-Adapter'],
  ['model.diffusion_model.double_blocks.0.img_attn.qkv.weight', 'a Flux model'],
  ['model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight', 'a Stable Diffusion 3 model'],
  ['encoder.down.0.block.0.norm1.weight', 'a VAE'],
  ['decoder.up_blocks.0.resnets.0.norm1.weight', 'a VAE'],
  ['first_stage_model.encoder.mid.attn_1.q.weight', 'a VAE'],
  ['text_model.encoder.layers.0.mlp.fc1.weight', 'a text encoder'],
  ['encoder.block.0.layer.0.SelfAttention.q.weight', 'a T5 text encoder'],
  ['something.else', undefined],
];

test('says what other models look like', () => {
  for (const [name, what] of KINDS) assert.is(looksLike([name]), what, name);
});

test('opens through links, as download caches lay files out', async () => {
  const folder = make('links', { 'blob.data': '' });
  cpSync(fixture('unet/sd15/diffusers/diffusion_pytorch_model.safetensors'), join(folder, 'blob.data'));
  mkdirSync(join(folder, 'unet'));
  symlinkSync('../blob.data', join(folder, 'unet/diffusion_pytorch_model.safetensors'));
  assert.is((await summary(folder)).size, 686);
  assert.ok(readFileSync(join(folder, 'blob.data')).length > 0);
});

test.run();
