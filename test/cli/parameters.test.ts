import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { controlNetInputs, patchModel, slothful as slothfulPass } from '../../src/node.ts';
import { DEFAULT_PARAMETERS, DEFAULT_SIMPLE_PARAMETERS } from '../../src/passes/slothful/index.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothfulHere as slothful } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('parameters in force');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const OWN = { in_strength: 9, time_decay: 2, out_k_blend: 0.5 };

test.before(async () => {
  await convertCheckpoint(fixturePath('demo'), at('plain'), { dataSpace: 'premultiplied-rgba' });
});

test('a model is patched by one call, which says what it did', async () => {
  const done = await patchModel(at('plain'), at('patched'), [slothfulPass(OWN), controlNetInputs()]);
  assert.equal(
    [done.passes, done.wasPatched, done.sharing, done.shards],
    [['attention', 'slothful', 'control-net'], false, 'linked', 1],
  );
  assert.equal(done.parameters, { ...DEFAULT_PARAMETERS, ...OWN });
  assert.is(done.sites.length, 16);
  assert.ok(done.newBytes > 0 && done.newBytes < statSync(at('plain/weights-00001.bin')).size);
  assert.is(statSync(at('patched/weights-00001.bin')).ino, statSync(at('plain/weights-00001.bin')).ino);
  const again = await patchModel(at('patched'), at('again'), [slothfulPass({ in_mode: '2D_MAX' })]);
  assert.equal([again.wasPatched, again.parameters?.in_mode, again.parameters?.in_strength], [true, '2D_MAX', 6]);
  const other = await patchModel(at('plain'), at('open'), [controlNetInputs()]);
  assert.equal([other.sites, other.parameters, other.wasPatched], [[], undefined, false]);
});

async function inputs(): Promise<string> {
  const values = (shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)),
  });
  const tensors = new Map([
    ['sample', values([1, 4, 16, 16])],
    ['encoder_hidden_states', values([1, 4, 64])],
  ]);
  await writeSafetensors(at('in.safetensors'), tensors);
  return at('in.safetensors');
}

/** Each command, with what it needs beside the model and the parameters. */
const COMMANDS: Readonly<Record<string, (model: string) => Promise<string[]>>> = {
  plan: async (model) => ['plan', model, '--steps', '1', '--backend', 'wasm'],
  run: async (model) => [
    ...['run', model, '--prompt', 'cat', '--steps', '1', '--size', '16x16', '--backend', 'wasm'],
    ...['--out', at('run'), '--force'],
  ],
  predict: async (model) => [
    ...['predict', model, '--inputs', await inputs(), '--out', at('out.safetensors'), '--force', '--timestep', '900'],
    ...['--backend', 'wasm'],
  ],
  patch: async (model) => ['patch', model, at('once more'), '--force'],
};

const SIMPLE = { in_strength: DEFAULT_SIMPLE_PARAMETERS.in_strength, keep_middle: true };
const CASES: readonly (readonly [title: string, flags: string[], expected: Record<string, unknown>])[] = [
  ["the model's own", [], OWN],
  ['flags over the model', ['--in-strength', '3'], { ...OWN, in_strength: 3 }],
  ['a preset over the model', ['--preset', 'simple', '--out-blend', '1'], { ...SIMPLE, time_decay: 1, out_k_blend: 1 }],
];

for (const [name, argsOf] of Object.entries(COMMANDS)) {
  for (const [title, flags, expected] of CASES) {
    test(`${name}: ${title}`, async () => {
      const { code, stdout, stderr } = await slothful([...(await argsOf(at('patched'))), ...flags, '--json']);
      assert.is(code, 0, stderr);
      const { parameters } = JSON.parse(stdout);
      assert.equal(parameters, { ...parameters, ...expected });
    });
  }
}

for (const name of ['run', 'predict', 'patch']) {
  test(`${name} prints them for people`, async () => {
    const args = (await COMMANDS[name]?.(at('patched'))) ?? [];
    const { code, stdout, stderr } = await slothful([...args, '--out-v-blend', '0.25']);
    assert.is(code, 0, stderr);
    assert.match(stdout, /^parameters: time_decay 2, .*in_strength 9, .*out_v_blend 0\.25$/m);
  });
}

test('help says where a parameter comes from', async () => {
  const { stdout } = await slothful(['predict', '--help']);
  assert.match(stdout.replaceAll(/\s+/g, ' '), /--in-strength.*\[default: the model's; node default 6\]/);
});

test('predict --json has the names that all our JSON has', async () => {
  const args = (await COMMANDS.predict?.(at('patched'))) ?? [];
  const { sites } = JSON.parse((await slothful([...args, '--json'])).stdout);
  const wanted = 'id tokens kv_tokens stride_rows stride_columns window_rows window_columns mode k_blend v_blend';
  assert.equal(Object.keys(sites[0]), [...wanted.split(' '), 'logits_bytes', 'pooled']);
  const metadata = JSON.parse(readFileSync(at('patched/model.json'), 'utf8')).userDefinedMetadata;
  assert.equal(
    sites.map(({ id }: { id: string }) => id),
    metadata.attention.sites.flatMap(({ id, kind }: { id: string; kind: string }) => (kind === 'self' ? [id] : [])),
  );
});

test.run();
