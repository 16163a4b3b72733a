import { openSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCase } from '../../scripts/fuzz/case.ts';
import { changeJson, printJson } from '../../scripts/fuzz/changes/json.ts';
import { encodePngChunks } from '../../scripts/fuzz/changes/png.ts';
import { encodeTensors, takeApart } from '../../scripts/fuzz/changes/tensors.ts';
import { judge } from '../../scripts/fuzz/judge.ts';
import { filesOf, type Part } from '../../scripts/fuzz/plan.ts';
import { FuzzReport } from '../../scripts/fuzz/report.ts';
import type { Place, Target } from '../../scripts/fuzz/target.ts';
import { TARGETS } from '../../scripts/fuzz/targets/index.ts';
import { filesOfPlan, planOf, readyTarget } from '../../scripts/fuzz/tries.ts';
import { tryTargets } from '../../scripts/fuzz/try-targets.ts';
import type { Verdict } from '../../scripts/fuzz/verdict.ts';
import { type Outcome, watchLane } from '../../scripts/fuzz/watch.ts';
import { SlothfulError } from '../../src/errors.ts';
import { decodePng, encodePng } from '../../src/pictures/node.ts';
import { decodeStored, encodeSafetensors } from '../../src/tensors/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('the fuzzer');

const DOCUMENT: Part = { kind: 'json', value: { steps: 20, names: ['a', 'b'] } };

/** A target whose reader is given the text of its only file. */
function planted(read: (text: string, place: Place) => unknown, more: Partial<Target> = {}): Target {
  return {
    name: 'planted',
    describe: 'a reader of this test',
    bases: () => [{ file: DOCUMENT }],
    read: (files, place) => read(new TextDecoder().decode(files.get('file')), place),
    ...more,
  };
}

const refusing = (problem: string) => () => {
  throw new SlothfulError('bad-input', 'file', problem);
};

let left = 0;

const RULES: readonly [kind: string, target: Target][] = [
  ['taken', planted(() => 'read')],
  ['refused', planted(refusing('is wrong'))],
  ['foreign error', planted(() => Object.keys(JSON.parse('null')))],
  ['foreign error', planted(() => Promise.reject(new SlothfulError('bug', 'file', 'cannot be')))],
  ['slow', planted(() => busyFor(2500))],
  ['memory', planted(() => Buffer.alloc(700 * 2 ** 20, 1).length)],
  ['left behind', planted(() => left++, { count: () => left })],
  ['left behind', planted((_, { out }) => writeFileSync(`${dirname(out)}/.out.new-1`, ''), { isOnDisk: true })],
  ['left behind', planted((_, place) => writeFileSync(join(place.in, 'more'), ''), { isOnDisk: true })],
  ['left behind', planted((_, place) => openSync(join(place.in, 'file'), 'r'), { isOnDisk: true })],
  [
    'left behind',
    planted(
      (_, { out }) => {
        writeFileSync(out, '');
        refusing('is half written')();
      },
      { isOnDisk: true },
    ),
  ],
];

/** Of the processor, not of the clock. */
function busyFor(ms: number): void {
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < 1000 * ms);
}

for (const [kind, target] of RULES) {
  test(`a rule: ${kind}, ${target.isOnDisk ? 'on disk' : 'in memory'}`, async () => {
    const root = temporaryFolder();
    const verdict = await judge(target, filesOf({ file: DOCUMENT }), root);
    assert.is(typeof verdict === 'object' ? verdict.kind : verdict, kind);
    assert.equal(readdirSync(root), []);
  });
}

/** Tries a target in this process. */
async function tried(target: Target, seed: number, tries: number, save = temporaryFolder()) {
  const found: { index: number; verdict: Verdict; file: string | undefined }[] = [];
  const order = { seed, tries, starts: {}, until: Date.now() + 60_000, root: temporaryFolder(), save };
  await tryTargets([await readyTarget(target)], order, {
    begun: () => {},
    ended: ({ index }, verdict, file) => found.push({ index, verdict, file }),
  });
  return found;
}

/** Falls over a number of steps that is none: one change of a thousand that there are. */
const FRAGILE = planted((text) => {
  if (text.startsWith('{"steps":1e8,')) throw new TypeError('Invalid array length');
});

test('a planted fault is found, kept with the changes that it needs, and made again by its seed', async () => {
  const found = await tried(FRAGILE, 1, 1500);
  const { index = -1, file = '' } = found.find(({ verdict }) => isFault(verdict, /Invalid array length/)) ?? {};
  const kept = await readCase(file);
  assert.is(kept.target, 'planted');
  assert.equal(JSON.parse(new TextDecoder().decode(kept.files.get('file'))), { steps: 1e8, names: ['a', 'b'] });
  const ready = await readyTarget(FRAGILE);
  assert.throws(() => FRAGILE.read(filesOfPlan(ready, planOf(ready, 1, index)), { in: '', out: '' }), /Invalid array/);
});

function isFault(verdict: Verdict, detail: RegExp): boolean {
  return typeof verdict === 'object' && detail.test(verdict.detail);
}

test('a seed makes the same tries again, another one others', async () => {
  const texts = async (seed: number) => {
    const read: string[] = [];
    await tried(
      planted((text) => read.push(text)),
      seed,
      150,
    );
    return read;
  };
  const [first, again, other] = [await texts(5), await texts(5), await texts(6)];
  assert.is(first.length, 150);
  assert.equal(again, first);
  assert.ok(other.filter((text, index) => text !== first[index]).length > 100);
});

/** What the process of a lane is given: text/javascript, as it shall hang and die there. */
const DEADLY = `data:text/javascript,${encodeURIComponent(`
  const bases = () => [{ file: { kind: 'text', value: 'steps: 20' } }];
  let tries = -1;
  const deadly = (name, die) => ({ name, describe: name, bases, read() { if (++tries === 2) die(); } });
  export const TARGETS = [
    deadly('hanging', () => { for (;;); }),
    deadly('dying', () => process.exit(7)),
  ];
`)}`;

test('a try that hangs or ends its process is found, and the next ones are made', async () => {
  const order = { module: DEADLY, seed: 1, starts: {}, tries: 3, until: Date.now() + 60_000, save: temporaryFolder() };
  for (const [target, kind] of [
    ['hanging', 'hang'],
    ['dying', 'crash'],
  ] as const) {
    const outcomes: Outcome[] = [];
    await watchLane({ ...order, targets: [target], hangMs: 1000 }, (outcome) => outcomes.push(outcome));
    const report = new FuzzReport();
    for (const outcome of outcomes) report.add(outcome);
    assert.equal(
      outcomes.map(({ id, verdict }) => [id.index, typeof verdict === 'object' ? verdict.kind : verdict]),
      [
        [0, 'taken'],
        [1, kind],
        [2, 'taken'],
      ],
    );
    assert.is(report.tries, 3);
    assert.is(report.faults, 1);
    assert.match(report.lines().join('\n'), new RegExp(`${target}: ${kind}:.* \\(1 times\\): --seed 1, try 1`));
  }
});

test('what is changed stays what it was otherwise', () => {
  const value = { a: [1, { b: 2 }], c: 'x0' };
  const printed = (path: number[], edit: Parameters<typeof changeJson>[1]['edit']) =>
    printJson(changeJson(value, { path, edit }));
  assert.is(printed([0, 1, 0], { does: 'set', json: '1e400' }), '{"a":[1,{"b":1e400}],"c":"x0"}');
  assert.is(printed([1], { does: 'digits', digits: '99' }), '{"a":[1,{"b":2}],"c":"x99"}');
  assert.is(printed([0], { does: 'rename', name: '__proto__' }), '{"__proto__":[1,{"b":2}],"c":"x0"}');
  assert.is(printed([0, 0], { does: 'drop' }), '{"a":[{"b":2}],"c":"x0"}');
  assert.is(printed([1], { does: 'graft', from: [0, 1] }), '{"a":[1,{"b":2}],"c":{"b":2}}');
});

test('files taken apart and put together are the files', () => {
  const tensors = new Map([['w', { dtype: 'F32', shape: [2], bytes: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]) }]]);
  const parts = takeApart(encodeSafetensors(tensors, { rank: '4' }));
  assert.equal(parts.metadata, { rank: '4' });
  assert.equal([...(decodeStored(encodeTensors(parts, [])).get('w')?.bytes ?? [])], [1, 2, 3, 4, 5, 6, 7, 8]);
  const picture = { width: 1, height: 1, rgba: Uint8ClampedArray.of(1, 2, 3, 255) };
  const part: Part = { kind: 'bytes', value: encodePng(picture) };
  const bytes = filesOf({ file: part }).get('file') ?? new Uint8Array();
  assert.equal(decodePng(bytes, 'file'), picture);
  assert.ok(encodePngChunks([]).length === 8);
});

for (const target of TARGETS) {
  test(`${target.name}: its bases are taken as they are, and nothing is left`, async () => {
    const { bases } = await readyTarget(target);
    const root = temporaryFolder();
    // The first time some things are loaded that stay.
    await judge(target, filesOf(bases[0] ?? {}), root);
    for (const base of bases) assert.is(await judge(target, filesOf(base), root), 'taken');
  });
}

test.run();
