import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { predictFile } from '../../src/jobs/node.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';
import { floats, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('one evaluation, from a file to a file');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

test.before(() => {
  const { graph, weights } = tinyGraph();
  writeTiny(at('model'), graph, weights);
});

interface Inputs {
  readonly sample?: readonly number[];
  readonly shape?: readonly number[];
  readonly context?: readonly number[];
}

/** Predicts of a file with these values. */
async function predict(name: string, { sample = [1, 2, 3, 4], shape = [1, 1, 2, 2], context = [1, 1, 1] }: Inputs) {
  const inputs = at(`${name}.safetensors`);
  writeTensors(
    inputs,
    new Map([
      ['sample', floats(shape, sample)],
      ['encoder_hidden_states', floats([1, 1, 3], context)],
    ]),
  );
  const job = { model: at('model'), inputs, out: at(`${name}-out.safetensors`), timestep: 1, backend: 'cpu' } as const;
  return predictFile({ ...job, layout: 'nhwc' });
}

test('what is finite is written', async () => {
  const { out } = await predict('plain', {});
  const { shape, bytes } = readTensors(readFileSync(out)).get('out_sample') ?? floats([], []);
  assert.equal(shape, [1, 1, 2, 2]);
  const values = new Float32Array(bytes.slice().buffer);
  assert.ok(Math.abs((values[0] ?? 0) - 2.501) < 1e-5, String(values));
});

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

/** What goes in, and what is said of it. */
const REFUSED: readonly (readonly [what: string, inputs: Inputs, code: 'bad-input' | 'bad-model', message: RegExp])[] =
  [
    [
      'NaN',
      { sample: [1, nan, 3, 4] },
      'bad-input',
      /safetensors tensor "sample": value 1 is NaN, not a finite number/,
    ],
    ['infinity', { context: [0, 0, -infinity] }, 'bad-input', /tensor "encoder_hidden_states": value 2 is -Infinity/],
    [
      'no samples',
      { sample: [], shape: [0, 1, 2, 2] },
      'bad-input',
      /tensor "sample": has the shape \[0, 1, 2, 2\], which/,
    ],
    [
      'an overflow',
      { sample: [1, 3e38, 3, 4] },
      'bad-model',
      /answers with 1 of 4 values that are NaN .*, value 1 the first/,
    ],
  ];
for (const [what, inputs, code, message] of REFUSED) {
  test(`${what}: it says so, and nothing is written`, async () => {
    const name = what.replaceAll(' ', '-');
    await failsWith(code, message, () => predict(name, inputs));
    assert.not.ok(existsSync(at(`${name}-out.safetensors`)));
  });
}

test.run();
