import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EqualMutants } from '../../scripts/mutants/equal.ts';
import { faultsOf } from '../../scripts/mutants/faults.ts';
import type { Fate, Judged } from '../../scripts/mutants/judge.ts';
import { type Mutant, mutantsOf, mutatedText, sample } from '../../scripts/mutants/mutants.ts';
import { reportLines, summaryOf } from '../../scripts/mutants/report.ts';
import { MUTANT_ROOMS, sourcesOf, testsOf } from '../../scripts/mutants/rooms.ts';
import { eachSource } from '../../scripts/mutants/sources.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('mutants');

/** Every fault of a line of code, as `before -> after`. */
const FAULTS: ReadonlyArray<readonly [code: string, faults: readonly string[]]> = [
  ['let x = a + b * c;', ['+ -> -', '* -> /']],
  ['let x = a < b && c >= d;', ['&& -> ||', '< -> <=', '>= -> >']],
  ['let x = 7;', ['7 -> 8', '7 -> 6']],
  ['let x = 0;', ['0 -> 1']],
  ['let x = 0.00085;', ['0.00085 -> 0.00086']],
  ['let x = 1.9e-5;', ['1.9e-5 -> 1.8e-5']],
  ['let x = Math.max(a, Math.ceil(b));', ['max -> min', 'ceil -> floor']],
  ['if (a) return b;', ['a -> false']],
  ['if (a) b();', []],
  ['let x = a.toString();', []],
  ['let x = a ? b : c;', ['a -> !(a)']],
  ['let x = !a;', ['!a -> a']],
  ['let x = -a;', ['-a -> a']],
  ['let x = values[i] ?? 0;', ['?? -> &&']],
  ['let x = given ?? 0;', ['?? -> &&', '0 -> 1']],
  ['for (let i = 0; i < n; i += step) f(i);', ['0 -> 1', '< -> <=']],
  ['sum += a;', ['+= -> -=']],
  ["let x = a + ' of ' + b;", ['+ -> -']],
  ["throw new RangeError('of ' + 3);", []],
  ['type X = 3 | 4;', []],
  ['// 1 + 2', []],
];

test('a fault of one token at a time, in code only', () => {
  const folder = temporaryFolder();
  const paths = FAULTS.map(([code], index) => {
    const path = join(folder, `line${index}.ts`);
    writeFileSync(path, code);
    return path;
  });
  eachSource(paths, (path, source) => {
    const [code, faults] = FAULTS[paths.indexOf(path)] ?? ['', []];
    const found = faultsOf(source).map(({ before, after }) => `${before.trim()} -> ${after.trim()}`);
    assert.equal(found.toSorted(), faults.toSorted(), code);
    for (const { start, end, before } of faultsOf(source)) assert.is(code.slice(start, end), before);
  });
});

test('every room has files, and tests that there are', () => {
  for (const room of MUTANT_ROOMS) {
    assert.ok(sourcesOf(room).length > 0 && testsOf(room).length > 0, room.name);
    for (const start of room.tests)
      assert.ok(
        testsOf(room).some((path) => path.startsWith(`test/${start}`)),
        start,
      );
  }
});

test('what is listed as equal is a fault that the files have, once, with a reason', () => {
  const known = new EqualMutants();
  const files = new Set(known.entries.map(({ file }) => file));
  const mutants = MUTANT_ROOMS.flatMap((room) => mutantsOf(room, (file) => files.has(file)));
  assert.equal(known.stale(mutants), []);
  for (const { file, why } of known.entries) assert.ok(mutants.some((each) => each.file === file) && why.length > 10);
  assert.is(
    new Set(known.entries.map(({ file, text, faults, nth }) => `${file} ${text} ${faults} ${nth}`)).size,
    known.entries.length,
  );
});

const mutant = (line: number): Mutant => ({
  file: 'src/a.ts',
  line,
  text: `line ${line}`,
  fault: '+ -> -',
  nth: 1,
  place: { start: 0, end: 1, before: '+', after: '-' },
});

test('a seed decides the sample, and a larger one holds the smaller', () => {
  const all = Array.from({ length: 50 }, (_, index) => mutant(index));
  const lines = (size: number, seed: number) => sample(all, size, seed).map(({ line }) => line);
  assert.equal(lines(10, 1), lines(10, 1));
  assert.equal(lines(20, 1).slice(0, 10), lines(10, 1));
  assert.not.equal(lines(10, 1), lines(10, 2));
  assert.is(lines(99, 1).length, 50);
});

test('the mutated text differs by the token alone', () => {
  const [room] = MUTANT_ROOMS;
  if (!room) throw new Error('no rooms');
  const [file = ''] = sourcesOf(room);
  const [first] = mutantsOf(room, (each) => each === file);
  if (!first) throw new Error('no mutants');
  const { start, end, before, after } = first.place;
  const text = mutatedText(first);
  assert.is(text.slice(start, start + after.length), after);
  assert.is(`${text.slice(0, start)}${before}${text.slice(start + after.length)}`.slice(start, end), before);
});

test('a room in numbers: what is no TypeScript and what is equal is not counted', () => {
  const fates: Fate[] = ['noticed', 'noticed', 'hung', 'survived', 'untested', 'invalid'];
  const judged = fates.map((fate, index): Judged => ({ mutant: mutant(6 - index), fate }));
  const summary = summaryOf({ room: 'a', all: 99, judged, equal: [mutant(9)], stale: [] });
  const { tried, noticed, hung, equal, percent } = summary;
  assert.equal([tried, noticed, hung, equal, percent], [5, 3, 1, 1, 60]);
  const lines = reportLines([summary]);
  assert.equal(lines.slice(0, 2), ['src/a.ts:2 + -> -  untested: line 2', 'src/a.ts:3 + -> -  survived: line 3']);
  assert.match(lines.at(-1) ?? '', /^a +99 +5 +3 +1 +1 +2 +60\.0$/);
});

test.run();
