import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openCheckpoint } from '../../converters/checkpoint/index.ts';
import { type FuseOptions, fuseLoras } from '../../converters/lora/fuse.ts';
import type { LoraOption } from '../../converters/lora/open.ts';
import { UNET, unetTensors } from '../../converters/unet/index.ts';
import { fixture } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { type RawTensor, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('adapters in the weights of a UNet, against those that merged them');

interface AdapterCase {
  readonly name: string;
  readonly scale: number;
  /** PEFT's settings, which lie beside the file. */
  readonly config?: object;
}

const CASES: readonly AdapterCase[] = JSON.parse(readFileSync(fixture('adapters/cases.json'), 'utf8'));
const GOLDENS = fixture('adapters/goldens.safetensors');
const RAW = readTensors(readFileSync(GOLDENS));
const VALUES = readSafetensors(GOLDENS);

/** What of the goldens begins with a prefix, without it. */
function under<T>(tensors: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  const found = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** The adapter of a case as its program writes it. */
function adapterOf({ name, config }: AdapterCase): string {
  const folder = temporaryFolder();
  const file = join(folder, config ? 'adapter_model.safetensors' : 'lora.safetensors');
  writeTensors(file, under<RawTensor>(RAW, `${name}/lora/`));
  if (!config) return file;
  // Python writes what JSON does not know.
  const text = JSON.stringify({ ...config, lora_dropout: 0 });
  writeFileSync(
    join(folder, 'adapter_config.json'),
    `\ufeff${text.replace('"lora_dropout":0', '"lora_dropout": NaN')}`,
  );
  return folder;
}

/** The values of every tensor that LoRAs change. */
async function fusedValues(
  loras: readonly LoraOption[],
  options: Partial<FuseOptions> = {},
): Promise<Map<string, Float32Array>> {
  const checkpoint = await openCheckpoint(unetGoldens('sd15').diffusers, UNET);
  try {
    const found = unetTensors(checkpoint);
    const fused = await fuseLoras(found, loras, { dtype: 'float32', partial: false, place: 'checkpoint', ...options });
    const changed = new Map<string, Float32Array>();
    for (const [name, source] of fused.found.tensors) {
      if (source === found.tensors.get(name)) continue;
      changed.set(name, new Float32Array((await source.read()).slice().buffer));
    }
    await fused.close();
    return changed;
  } finally {
    await checkpoint.close();
  }
}

/** The largest differences of tensors, by name. */
function differences(actual: ReadonlyMap<string, Float32Array>, name: string): Map<string, number> {
  const expected = under(VALUES, `${name}/expected/`);
  assert.equal([...actual.keys()].sort(), [...expected.keys()].sort());
  return new Map([...expected].map(([each, { data }]) => [each, largestDifference(actual.get(each) ?? [], data)]));
}

for (const each of CASES) {
  test(`${each.name} at scale ${each.scale}`, async () => {
    const values = await fusedValues([{ file: adapterOf(each), scale: each.scale }]);
    for (const [name, difference] of differences(values, each.name)) {
      assert.ok(difference < 5e-6, `${name} differs by ${difference}`);
    }
  });
}

const byName = (name: string): AdapterCase => {
  const found = CASES.find((each) => each.name === name);
  if (!found) throw new Error(`no case ${name}`);
  return found;
};

test('rows that are read by themselves are those of the whole, and halves are the floats rounded once', async () => {
  const checkpoint = await openCheckpoint(unetGoldens('sd15').diffusers, UNET);
  const found = unetTensors(checkpoint);
  const file = adapterOf(byName('locon_dora_inputs'));
  const options = { dtype: 'float32', partial: false, place: 'checkpoint' } as const;
  const fused = await fuseLoras(found, [{ file }], options);
  const name = 'down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj.weight';
  const source = fused.found.tensors.get(name);
  const whole = (await source?.read())?.slice() ?? new Uint8Array();
  assert.is(whole.length, 4 * 128 * 16);
  for (const [begin, end] of [
    [0, 4096],
    [4096, 8192],
    [5, 1003],
  ] as const) {
    assert.equal((await source?.readRange(begin, end))?.slice(), whole.slice(begin, end));
  }
  await fused.close();
  await checkpoint.close();
});

test('a difference is added to what a LoRA before it made, and a DoRA stretches that', async () => {
  const [plain, dora] = ['locon', 'locon_dora_part'].map((name) => adapterOf(byName(name)));
  const both = await fusedValues([{ file: plain ?? '' }, { file: dora ?? '', scale: 0 }]);
  for (const [name, difference] of differences(both, 'locon')) assert.ok(difference < 5e-6, name);
});

test.run();
