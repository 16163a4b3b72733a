import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MOST_PAGES } from '../../converters/lora/kernel/layout.ts';
import { assemble, kernelBinaryModule } from '../../scripts/kernel.ts';

const test = suite('the LoRA kernel, assembled');

const FOLDER = new URL('../../converters/lora/kernel/', import.meta.url);

test('the binary in the repository is what kernel.wat gives', async () => {
  const kept = readFileSync(new URL('kernel-binary.ts', FOLDER), 'utf8');
  assert.is(kept, await kernelBinaryModule(), 'run `npm run kernel`, and commit what it writes');
});

test('kernel.wat takes a memory of the most pages that a pool makes, and no larger one', async () => {
  const module = new WebAssembly.Module(await assemble(readFileSync(new URL('kernel.wat', FOLDER), 'utf8')));
  const instance = (maximum: number) => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
    return new WebAssembly.Instance(module, { env: { memory } });
  };
  const { exports } = instance(MOST_PAGES);
  assert.equal(Object.keys(exports).sort(), ['addProduct', 'fromBfloats', 'fromHalves', 'toHalves']);
  assert.throws(() => instance(MOST_PAGES + 1), /maximum/);
});

const BROKEN: ReadonlyArray<readonly [text: string, problem: RegExp]> = [
  ['(module (func (loop $next (br $gone))))', /kernel\.wat:1:.*undefined label variable "\$gone"/s],
  ['(module (func (result i32) (v128.const i32x4 0 0 0 0)))', /expected i32, got .128/],
];

for (const [text, problem] of BROKEN) {
  test(`refuses ${text}`, async () => {
    const error = await assemble(text).catch((thrown: unknown) => thrown);
    assert.match(String(error), problem);
  });
}

test.run();
