import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { matchLora, WeightIndex } from '../../converters/lora/match.ts';
import { openLora } from '../../converters/lora/open.ts';
import { FAMILIES, type FamilyTensor, readFamily } from '../../scripts/checkpoint/family.ts';
import { RandomWeights } from '../../scripts/checkpoint/random-weights.ts';
import { type CheckpointLayout, writeCheckpoint, writeLora } from '../../scripts/checkpoint/write-checkpoint.ts';
import { toFloat32Array } from '../../src/tensors/index.ts';
import { type FloatDtype, openSafetensors } from '../../src/tensors/node.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('generated checkpoints');

const TENSORS: readonly FamilyTensor[] = [
  { name: 'conv_in.weight', ldmName: 'input_blocks.0.0.weight', shape: [40, 30, 3, 3] },
  { name: 'conv_in.bias', ldmName: 'input_blocks.0.0.bias', shape: [40] },
  { name: 'norm.weight', ldmName: 'out.0.weight', shape: [7] },
  { name: 'to_q.weight', ldmName: 'to_q.weight', shape: [700, 500] },
];
const CONFIG = { sample_size: 8 };

const PARAMETERS = { sd15: 859_520_964, sdxl: 2_567_463_684, ssd1b: 1_331_334_404 };

for (const family of FAMILIES) {
  test(`${family} has its parameters, each under two names`, async () => {
    const { tensors, parameters, config } = await readFamily(family);
    assert.is(parameters, PARAMETERS[family]);
    assert.is(new Set(tensors.map(({ name }) => name)).size, tensors.length);
    assert.is(new Set(tensors.map(({ ldmName }) => ldmName)).size, tensors.length);
    assert.type(config, 'object');
  });
}

async function write(
  layout: CheckpointLayout,
  dtype: FloatDtype,
): Promise<{ path: string; file: string; bytes: number }> {
  const folder = temporaryFolder();
  const plan = { config: CONFIG, tensors: TENSORS, layout, dtype };
  const { path, bytes } = await writeCheckpoint(folder, plan);
  return { path, bytes, file: layout === 'ldm' ? path : join(path, 'diffusion_pytorch_model.safetensors') };
}

for (const dtype of ['F16', 'BF16', 'F32'] as const) {
  test(`${dtype}: a file that can be opened, with values of the right size`, async () => {
    const { file: path, bytes } = await write('diffusers', dtype);
    const file = await openSafetensors(path);
    assert.is(file.bytes, bytes);
    const values = async (name: string) => toFloat32Array(await file.read(name), dtype);
    assert.ok((await values('conv_in.bias')).every((value) => value === 0));
    assert.ok((await values('norm.weight')).every((value) => value === 1));
    for (const { name, shape } of TENSORS.filter((tensor) => tensor.shape.length > 1)) {
      const [, ...inputs] = shape;
      const fanIn = inputs.reduce((product, size) => product * size, 1);
      assert.equal(file.tensors.get(name)?.shape, shape);
      const all = await values(name);
      const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
      const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length;
      assert.ok(Math.abs(mean) < 0.02 / Math.sqrt(fanIn) + 1e-3, `${name}: mean ${mean}`);
      assert.ok(Math.abs(variance * fanIn - 1) < 0.05, `${name}: variance ${variance * fanIn} / fan-in`);
    }
    await file.close();
  });
}

test('the layouts differ in names alone, and the folder has the config', async () => {
  const [diffusers, ldm] = [await write('diffusers', 'F16'), await write('ldm', 'F16')];
  const [a, b] = [await openSafetensors(diffusers.file), await openSafetensors(ldm.file)];
  for (const { name, ldmName } of TENSORS) {
    assert.equal(await a.read(name), await b.read(`model.diffusion_model.${ldmName}`));
  }
  await a.close();
  await b.close();
  assert.equal(JSON.parse(readFileSync(join(diffusers.path, 'config.json'), 'utf8')), CONFIG);
});

/** Ten of each transformer block, and two of each transformer: 16 and 16, 70 and 11, 34 and 10. */
const MODULES = { sd15: 192, sdxl: 722, ssd1b: 360 };

for (const family of FAMILIES) {
  for (const names of ['diffusers', 'ldm'] as const) {
    test(`a LoRA for ${family} by ${names} names fits every linear layer of its transformers`, async () => {
      const { tensors } = await readFamily(family);
      const { path } = await writeLora(temporaryFolder(), { tensors, names, rank: 1, dtype: 'F16' });
      const lora = await openLora({ file: path });
      const read = () => Promise.reject(new Error('is not read'));
      const sources = tensors.map(({ name, shape }) => {
        return [name, { name, dtype: 'F16', shape, file: 'model.safetensors', read, readRange: read }] as const;
      });
      const { changes, unmatched } = matchLora(lora, new WeightIndex(new Map(sources), 'model.safetensors'), false);
      assert.equal([changes.size, unmatched], [MODULES[family], []]);
      assert.ok([...changes.values()].flat().every(({ rank, factor }) => rank === 1 && factor === 1));
      await lora.close();
    });
  }
}

test('a tensor longer than a block repeats it, and no two rows are equal', () => {
  const shape = [600, 500];
  const pieces = [...new RandomWeights('F32').pieces('w', shape)];
  assert.ok(pieces.length > 1);
  const bytes = Buffer.concat(pieces);
  assert.is(bytes.length, 4 * 600 * 500);
  const rows = new Set(
    Array.from({ length: 600 }, (_, row) => bytes.subarray(2000 * row, 2000 * (row + 1)).toString('hex')),
  );
  assert.is(rows.size, 600);
});

test.run();
