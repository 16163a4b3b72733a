import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { countNonFinite, flawNotes } from '../../converters/weights/index.ts';
import { bfloatOf, type FloatDtype, halfOf } from '../../src/tensors/index.ts';
import { failsWith } from '../support/errors.ts';
import { KOHYA } from '../support/lora-files.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('weights that are no numbers');

const { diffusers } = unetGoldens('sd15');
const FILE = 'diffusion_pytorch_model.safetensors';
const out = () => join(temporaryFolder(), 'model');

function bytesOf(values: readonly number[], dtype: FloatDtype): Uint8Array {
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  if (dtype === 'F32') return new Uint8Array(bits.buffer);
  return new Uint8Array(Uint16Array.from(bits, dtype === 'F16' ? halfOf : bfloatOf).buffer);
}

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
const LARGE = { F16: 65504, BF16: 3.38e38, F32: 3.4028234e38 };

for (const dtype of ['F16', 'BF16', 'F32'] as const) {
  test(`${dtype}: NaN and infinities are counted wherever they are, and nothing else is`, () => {
    const most = LARGE[dtype];
    const plain = [0, -0, 1, -1, most, -most, 1e-40, 6e-5];
    assert.is(countNonFinite(new Uint8Array(), dtype), 0);
    for (const count of [1, 2, 3, 8]) assert.is(countNonFinite(bytesOf(plain.slice(0, count), dtype), dtype), 0);
    for (const length of [1, 2, 5, 8]) {
      for (let at = 0; at < length; at++) {
        for (const value of [nan, infinity, -infinity]) {
          const values = plain.slice(0, length).with(at, value);
          assert.is(countNonFinite(bytesOf(values, dtype), dtype), 1, `${value} at ${at} of ${length}`);
        }
      }
    }
    const odd = new Uint8Array([0, 0, ...bytesOf([1, nan, infinity], dtype)]).subarray(2);
    assert.is(countNonFinite(odd, dtype), 2, 'bytes that begin between two words');
  });
}

test('a tensor is named once, however many weights are made of it', () => {
  const flaw = { place: 'a.safetensors tensor "w"', count: 2 };
  assert.equal(flawNotes([{ place: 'b', count: 0 }]), []);
  assert.match(
    flawNotes([flaw, flaw]).join(),
    /^a tensor has values that are NaN or infinite, .*: a\.safetensors tensor "w" \(4\)$/,
  );
  assert.match(flawNotes([flaw, { place: 'v', count: 1 }]).join(), /^2 tensors have .* \(2\), v \(1\)$/);
});

/** A copy of a file whose tensors of these names begin with NaN. */
function spoiled(from: string, to: string, names: readonly string[]): void {
  const tensors = readTensors(Uint8Array.from(readFileSync(from)));
  for (const name of names) {
    const tensor = tensors.get(name);
    assert.ok(tensor, name);
    if (tensor) tensor.bytes.fill(0xff, 0, tensor.dtype === 'F32' ? 4 : 2);
  }
  writeTensors(to, tensors);
}

test('conversion names them', async () => {
  const folder = join(temporaryFolder(), 'unet');
  mkdirSync(folder);
  copyFileSync(join(diffusers, 'config.json'), join(folder, 'config.json'));
  const ff = 'mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.weight';
  spoiled(join(diffusers, FILE), join(folder, FILE), ['conv_in.bias', ff]);
  const { notes } = await convertCheckpoint(folder, out());
  const [note = ''] = notes.filter((each) => each.includes('NaN'));
  assert.match(note, /^2 tensors have values/);
  for (const name of ['conv_in.bias', ff]) assert.ok(note.includes(`"${name}" (1)`), note);
  const { notes: sound } = await convertCheckpoint(diffusers, out());
  assert.equal(
    sound.filter((each) => each.includes('NaN')),
    [],
  );
});

test('a LoRA that has some is refused: it would spoil a sound weight', async () => {
  const file = join(temporaryFolder(), 'lora.safetensors');
  const name = [...readTensors(readFileSync(KOHYA)).keys()].find((each) => /^lora_unet_.*lora_up/.test(each)) ?? '';
  spoiled(KOHYA, file, [name]);
  await failsWith(
    'bad-checkpoint',
    /lora\.safetensors tensor "lora_unet_.*lora_up\.weight": holds NaN or infinity/,
    () => convertCheckpoint(diffusers, out(), { lora: [{ file }], loraPartial: true }),
  );
});

test.run();
