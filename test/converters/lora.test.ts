import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openCheckpoint } from '../../converters/checkpoint/index.ts';
import { convertCheckpoint, type LoraOption } from '../../converters/index.ts';
import { type FuseOptions, fuseLoras } from '../../converters/lora/fuse.ts';
import { isLcmLora } from '../../converters/lora/parse-lora.ts';
import { UNET, unetTensors } from '../../converters/unet/index.ts';
import { ldmNames } from '../../converters/unet/ldm-names.ts';
import { halfToFloat } from '../../src/tensors/index.ts';
import { companion } from '../support/companion-goldens.ts';
import { failsWith } from '../support/errors.ts';
import { KOHYA, respelled, withTensor } from '../support/lora-files.ts';
import { largestDifference } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type FamilyName, unetGoldens } from '../support/unet-goldens.ts';
import { floats, type RawTensor, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('LoRA');

const PEFT = companion('lora_sd15_peft.safetensors');
const SDXL = companion('lora_sdxl_kohya.safetensors');

const PATH = 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0';

/** The bytes of every tensor of a golden checkpoint with LoRAs in it that is not as in the checkpoint. */
async function fusedBytes(
  family: FamilyName,
  loras: readonly LoraOption[],
  options: Partial<FuseOptions> = {},
): Promise<Map<string, Uint8Array>> {
  const checkpoint = await openCheckpoint(unetGoldens(family).diffusers, UNET);
  try {
    const found = unetTensors(checkpoint);
    const fused = await fuseLoras(found, loras, { dtype: 'float32', partial: false, place: 'checkpoint', ...options });
    const changed = new Map<string, Uint8Array>();
    for (const [name, source] of fused.found.tensors) {
      if (source !== found.tensors.get(name)) changed.set(name, (await source.read()).slice());
    }
    await fused.close();
    return changed;
  } finally {
    await checkpoint.close();
  }
}

function floatsOf(bytes: Uint8Array | undefined): Float32Array {
  return new Float32Array((bytes ?? new Uint8Array()).slice().buffer);
}

/** Largest difference of two sets of fused weights, which must have the same names. */
function difference(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): number {
  assert.equal([...a.keys()].sort(), [...b.keys()].sort());
  return Math.max(...[...a].map(([name, bytes]) => largestDifference(floatsOf(bytes), floatsOf(b.get(name)))));
}

const processor = (name: string) => name.replace(/(to_[qkv]|to_out)(?:\.0)?\.lora_(A|B)/, 'processor.$1_lora.$2');

const SPELLINGS: Readonly<Record<string, (name: string) => string>> = {
  'diffusers .lora.down': (name) => name.replace('lora_A', 'lora.down').replace('lora_B', 'lora.up'),
  'attention processors': (name) => processor(name).replace('.A.', '.down.').replace('.B.', '.up.'),
  'PEFT, saved by itself': (name) =>
    name.replace('unet.', 'base_model.model.').replace(/lora_([AB])/, 'lora_$1.default'),
  'no prefix': (name) => name.replace('unet.', ''),
  kohya: (name) => {
    const [, path = '', side] = /^unet\.(.+)\.lora_([AB])\.weight$/.exec(name) ?? [];
    return `lora_unet_${path.replaceAll('.', '_')}.lora_${side === 'A' ? 'down' : 'up'}.weight`;
  },
};

for (const [spelling, rename] of Object.entries(SPELLINGS)) {
  test(`spelled as ${spelling}, a LoRA changes the same weights by the same amounts`, async () => {
    const expected = await fusedBytes('sd15', [{ file: PEFT }]);
    const actual = await fusedBytes('sd15', [{ file: respelled(PEFT, rename) }]);
    assert.is(expected.size, 128);
    assert.is(difference(actual, expected), 0);
  });
}

test('SDXL by diffusers paths is SDXL by LDM paths', async () => {
  const { toDiffusers } = ldmNames({ blocks: 3, layers: 2, upAttention: [true, true, false] });
  const { ldm } = unetGoldens('sdxl');
  const modules = new Map(
    [...readTensors(readFileSync(ldm)).keys()].map((name) => {
      const short = name.replace('model.diffusion_model.', '').replace(/\.\w+$/, '');
      return [
        short.replaceAll('.', '_'),
        toDiffusers(`${short}.weight`)
          ?.replace(/\.weight$/, '')
          .replaceAll('.', '_'),
      ];
    }),
  );
  const file = respelled(SDXL, (name) =>
    name.replace(/^lora_unet_([^.]+)/, (_, module) => `lora_unet_${modules.get(module)}`),
  );
  assert.is(difference(await fusedBytes('sdxl', [{ file }]), await fusedBytes('sdxl', [{ file: SDXL }])), 0);
});

test('the sum is that of the definition: linear, 1x1 and 3x3 convolution, alpha and scale', async () => {
  const fused = await fusedBytes('sd15', [{ file: KOHYA, scale: 0.8 }]);
  const lora = readTensors(readFileSync(KOHYA));
  const base = readTensors(readFileSync(join(unetGoldens('sd15').diffusers, 'diffusion_pytorch_model.safetensors')));
  const halves = (tensor?: RawTensor) =>
    Array.from(new Uint16Array((tensor?.bytes ?? new Uint8Array()).slice().buffer), halfToFloat);
  for (const [module, taps] of [
    [`${PATH.replace('to_out.0', 'to_q')}`, 1],
    ['down_blocks.0.attentions.0.proj_in', 1],
    ['up_blocks.3.resnets.1.conv2', 9],
  ] as const) {
    const part = (end: string) => lora.get(`lora_unet_${module.replaceAll('.', '_')}.${end}`);
    const [up, down, weight] = [part('lora_up.weight'), part('lora_down.weight'), base.get(`${module}.weight`)].map(
      halves,
    );
    const [alpha = Number.NaN] = floatsOf(part('alpha')?.bytes);
    const rank = part('lora_down.weight')?.shape[0] ?? 0;
    const columns = 16 * taps;
    const expected = (weight ?? []).map((value, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += (up?.[row * rank + k] ?? 0) * (down?.[k * columns + column] ?? 0);
      return value + ((0.8 * alpha) / rank) * sum;
    });
    assert.ok(largestDifference(floatsOf(fused.get(`${module}.weight`)), expected) < 1e-6, module);
  }
});

test('two LoRAs add up, whatever their order, and one taken away leaves nothing', async () => {
  const both = await fusedBytes('sd15', [{ file: KOHYA, scale: 0.5 }, { file: PEFT }]);
  const turned = await fusedBytes('sd15', [{ file: PEFT }, { file: KOHYA, scale: 0.5 }]);
  assert.ok(difference(both, turned) < 1e-6);
  const none = await fusedBytes('sd15', [{ file: KOHYA }, { file: KOHYA, scale: -1 }]);
  const zero = await fusedBytes('sd15', [{ file: KOHYA, scale: 0 }]);
  assert.ok(difference(none, zero) < 1e-6);
});

test('rows of a fused weight are those of the whole: value and gate of a feed-forward are stored apart', async () => {
  const checkpoint = await openCheckpoint(unetGoldens('sd15').diffusers, UNET);
  const found = unetTensors(checkpoint);
  const options = { dtype: 'float32', partial: false, place: 'checkpoint' } as const;
  const fused = await fuseLoras(found, [{ file: KOHYA }], options);
  const source = fused.found.tensors.get('mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.weight');
  const whole = (await source?.read())?.slice() ?? new Uint8Array();
  assert.is(whole.length, 4 * 384 * 48);
  const ranges = [
    [0, 192],
    [192, 384],
    [7, 8],
  ].map(([from = 0, to = 0]) => [from * 192, to * 192] as const);
  for (const [begin, end] of [...ranges, [5, 1003] as const]) {
    assert.equal(await source?.readRange(begin, end), whole.subarray(begin, end));
  }
  await fused.close();
  await checkpoint.close();
});

test('alphas that PEFT keeps in the settings count, by module too, and for rank-stabilised ones', async () => {
  const settings = (fields: object) => {
    const text = JSON.stringify(
      Object.fromEntries(Object.entries(fields).map(([name, value]) => [`unet.${name}`, value])),
    );
    return { file: respelled(PEFT, (name) => name, { lora_adapter_metadata: text }) };
  };
  const scaled = (scale: number) => fusedBytes('sd15', [{ file: PEFT, scale }]);
  const twice = await fusedBytes('sd15', [settings({ r: 4, lora_alpha: 8 })]);
  assert.ok(difference(twice, await scaled(2)) < 1e-6);
  const stable = await fusedBytes('sd15', [settings({ r: 4, lora_alpha: 8, use_rslora: true })]);
  assert.ok(difference(stable, await scaled(4)) < 1e-6);
  const byModule = await fusedBytes('sd15', [settings({ lora_alpha: 4, alpha_pattern: { 'attn1.to_q': 12 } })]);
  const name = `${PATH.replace('to_out.0', 'to_q')}.weight`;
  assert.ok(largestDifference(floatsOf(byModule.get(name)), floatsOf((await scaled(3)).get(name))) < 1e-6);
  await failsWith('unsupported', /modules by the pattern "\(a\|b\)\+"/, () =>
    fusedBytes('sd15', [settings({ alpha_pattern: { '(a|b)+': 1 } })]),
  );
  await failsWith('bad-checkpoint', /has no lora_magnitude_vector, and its settings say use_dora/, () =>
    fusedBytes('sd15', [settings({ use_dora: true })]),
  );
  await failsWith('bad-checkpoint', /"lora_adapter_metadata": lora_alpha must be a number, got "8"/, () =>
    fusedBytes('sd15', [settings({ lora_alpha: '8' })]),
  );
  await failsWith('bad-checkpoint', /alpha_pattern\["attn1.to_q"\] must be a number, got "12"/, () =>
    fusedBytes('sd15', [settings({ alpha_pattern: { 'attn1.to_q': '12' } })]),
  );
  await failsWith('bad-checkpoint', /"lora_adapter_metadata": is not JSON/, () =>
    fusedBytes('sd15', [{ file: respelled(PEFT, (name) => name, { lora_adapter_metadata: '{' }) }]),
  );
});

test('a LoRA with modules that the UNet lacks is fused in part when that is asked for', async () => {
  const file = withTensor('lora_unet_up_blocks_9_x.lora_down.weight', floats([4, 16], new Float32Array(64)));
  const tensors = readTensors(readFileSync(file));
  writeTensors(
    file,
    new Map([...tensors, ['lora_unet_up_blocks_9_x.lora_up.weight', floats([16, 4], new Float32Array(64))]]),
  );
  await failsWith('unsupported', /changes 1 of its 279 modules .*: up_blocks_9_x; .*--lora-partial/, () =>
    fusedBytes('sd15', [{ file }]),
  );
  const partial = await fusedBytes('sd15', [{ file }], { partial: true });
  assert.is(difference(partial, await fusedBytes('sd15', [{ file: KOHYA }])), 0);
  await failsWith('unsupported', /changes only .*; the LoRA was made for another model/, () =>
    fusedBytes('sd15', [{ file: respelled(PEFT, (name) => name.replace(/_blocks/, '_stages')) }], { partial: true }),
  );
});

test('what was fused is recorded, text encoders are counted, an LCM-LoRA suggests its sampler', async () => {
  const folder = join(temporaryFolder(), 'lcm-lora-tiny');
  await mkdir(folder);
  const text = floats([2, 2], [1, 2, 3, 4]);
  const tensors = readTensors(readFileSync(KOHYA));
  writeTensors(
    join(folder, 'pytorch_lora_weights.safetensors'),
    new Map([...tensors, ['lora_te_x.lora_up.weight', text]]),
  );
  const out = join(temporaryFolder(), 'model');
  const lora = [{ file: folder, scale: 0.5 }, { file: PEFT }];
  const { notes } = await convertCheckpoint(unetGoldens('sd15').diffusers, out, { lora });
  const { userDefinedMetadata: metadata } = JSON.parse(readFileSync(join(out, 'model.json'), 'utf8'));
  assert.equal(metadata.lora, [
    { file: 'pytorch_lora_weights.safetensors', scale: 0.5, modules: 278, rank: 4 },
    { file: 'lora_sd15_peft.safetensors', scale: 1, modules: 128, rank: 4 },
  ]);
  assert.equal(metadata.suggested_scheduler, { ...metadata.scheduler, _class_name: 'LCMScheduler' });
  assert.is(metadata.scheduler._class_name, 'DDIMScheduler', 'nothing is changed without being asked');
  assert.ok(notes.includes('left 1 tensors of pytorch_lora_weights.safetensors that are for text encoders'));
  assert.ok(notes.some((note) => note.includes('LCM sampler')));
});

const LCM: ReadonlyArray<readonly [path: string, metadata: Record<string, string>, expected: boolean]> = [
  ['/a/lcm-lora-sdv1-5.safetensors', {}, true],
  ['/a/LCM_SDXL.safetensors', {}, true],
  ['/lcm-lora-sdxl/pytorch_lora_weights.safetensors', {}, true],
  ['/a/style.safetensors', { ss_output_name: 'my lcm' }, true],
  ['/a/style.safetensors', {}, false],
  ['/a/calcmode.safetensors', {}, false],
];

for (const [path, metadata, expected] of LCM) {
  test(`${path} ${JSON.stringify(metadata)} is ${expected ? '' : 'not '}taken for an LCM-LoRA`, () => {
    assert.is(isLcmLora(path, new Map(Object.entries(metadata))), expected);
  });
}

test('stored halves are the sum rounded once', async () => {
  const full = await fusedBytes('sd15', [{ file: KOHYA }]);
  const half = await fusedBytes('sd15', [{ file: KOHYA }], { dtype: 'auto' });
  for (const [name, bytes] of half) {
    const values = Array.from(new Uint16Array(bytes.slice().buffer), halfToFloat);
    const exact = floatsOf(full.get(name));
    values.forEach((value, index) => {
      const wanted = exact[index] ?? Number.NaN;
      if (!(Math.abs(value - wanted) <= Math.max(Math.abs(wanted) * 2 ** -11, 2 ** -25)))
        assert.unreachable(`${name}: ${value}, not ${wanted}`);
    });
  }
  assert.is(half.size, 278);
});

test.run();
