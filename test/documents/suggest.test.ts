import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { suggest } from '../../src/documents/index.ts';

const test = suite('the name that was meant');

const ROWS: readonly [written: string, expected: string | undefined][] = [
  ['eulre', 'euler'],
  ['euler-a', 'euler'],
  ['x', undefined],
  // Found by the fuzzer: four million letters were compared with every name.
  ['euler'.repeat(1_000_000), undefined],
];
for (const [written, expected] of ROWS) {
  test(written.slice(0, 20), () => assert.is(suggest(written, ['euler', 'heun']), expected));
}

test.run();
