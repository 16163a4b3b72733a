import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startProgress } from '../../src/cli/terminal.ts';

const test = suite('how far a long work is');

interface Work {
  readonly label?: string;
  readonly isTTY?: boolean;
  readonly unit?: string;
  readonly total: number;
  /** Milliseconds that each takes. */
  readonly each: number;
}

/** What is written of a work. */
function written({ label = 'denoising', isTTY = false, unit, total, each }: Work): string {
  let [now, text] = [0, ''];
  const write = (part: string | Uint8Array) => {
    text += String(part);
    return true;
  };
  const progress = startProgress(label, { isTTY, write }, () => now);
  for (let done = 1; done <= total; done++) {
    now += each;
    progress.update(done, total, unit);
  }
  progress.end();
  return text;
}

test('where stderr is no terminal, a plain line every tenth of the way', () => {
  const lines = written({ unit: 'step', total: 20, each: 5833 }).split('\n');
  assert.is(lines.length, 11);
  assert.is(lines[0], 'denoising: step 2 of 20, 12 s');
  assert.is(lines[2], 'denoising: step 6 of 20, 35 s');
  assert.is(lines[9], 'denoising: step 20 of 20, 117 s');
});

test('few steps have a line each, bytes their share', () => {
  const steps = written({ unit: 'step', total: 4, each: 3000 });
  assert.is(steps, [1, 2, 3, 4].map((step) => `denoising: step ${step} of 4, ${3 * step} s\n`).join(''));
  const bytes = written({ label: 'loading', total: 1000, each: 10 });
  assert.is(
    bytes,
    [20, 30, 40, 50, 60, 70, 80, 90, 100].map((share) => `loading: ${share} %, ${share / 10} s\n`).join(''),
  );
});

test('short work says nothing, wherever', () => {
  assert.is(
    written({ unit: 'tile', total: 1, each: 60_000 }),
    '',
    'nor that it is done, where nothing was said before',
  );
  for (const isTTY of [false, true]) assert.is(written({ isTTY, unit: 'step', total: 20, each: 90 }), '');
});

test('what no terminal reads has no control characters; a terminal has one line, which is taken away', () => {
  const plain = written({ label: 'a\u001b[2Jb\n', unit: 'step', total: 9, each: 900 });
  assert.ok(
    [...plain].every((sign) => sign === '\n' || sign >= ' '),
    JSON.stringify(plain),
  );
  const drawn = written({ isTTY: true, unit: 'step', total: 9, each: 900 });
  assert.not.match(drawn, /\n/);
  assert.ok(drawn.endsWith('\r\u001b[K'));
});

test.run();
