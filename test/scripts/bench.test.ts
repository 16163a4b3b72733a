import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Finding, isMet, plainFinding, ratioFinding } from '../../scripts/bench/finding.ts';
import { parseReport } from '../../scripts/bench/report.ts';
import type { Row } from '../../scripts/bench/row.ts';
import { hookRow } from '../../scripts/bench/rows/hook.ts';
import { ROWS } from '../../scripts/bench/rows/index.ts';
import { runShares } from '../../scripts/bench/run-phases.ts';
import { chooseRows, runRows } from '../../scripts/bench/run-rows.ts';
import { median, minimum, ratioOf, seriesOf } from '../../scripts/bench/statistics.ts';
import { stepSizes, trainedSize } from '../../scripts/bench/step-sizes.ts';
import { stepTimes } from '../../scripts/bench/step-times.ts';
import { findingsTable } from '../../scripts/bench/table.ts';
import { SlothfulError } from '../../src/errors.ts';

const test = suite('benchmark');

test('statistics', () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])) && Number.isNaN(minimum([])));
  // The fastest of each: 2 / 4; in turns: 2 / 4, 9 / 6, 6 / 5.
  assert.equal(ratioOf([2, 9, 6], [4, 6, 5]), { min: 0.5, median: 1.2 });
});

const findings: Finding[] = [
  ratioFinding('step', 'sd15 512: t = 999 / plain', { min: 0.654, median: 0.7 }, { s: 4.321 }, 0.7),
  ratioFinding('convert', 'sdxl: time / cp', { min: 2.5, median: 3 }, {}, 2),
  plainFinding('hook', 'sdxl: a step', [0.3, 0.1, 0.2], 'ms'),
];

test('targets: met, missed, none', () => {
  assert.equal(findings.map(isMet), [true, false, undefined]);
  const lines = findingsTable(findings).split('\n');
  assert.match(lines[3] ?? '', /sd15 512: t = 999 \/ plain\s+0\.65\s+0\.70\s+0\.70\s+met\s+s 4\.32/);
  assert.match(lines[4] ?? '', /2\.50\s+3\.00\s+2\.00\s+MISSED/);
  assert.match(lines[5] ?? '', /0\.1 ms\s+0\.2 ms$/);
});

test('the report of a job is the marked line of its output', () => {
  const line = 'bench-report {"rss":5,"values":{"seconds":1.5,"odd":"text"}}';
  assert.equal(parseReport(`noise\n${line}\nmore noise`), { rss: 5, values: { seconds: 1.5 } });
  assert.is(parseReport('noise'), undefined);
  assert.is(parseReport('bench-report {"rss":"5"}'), undefined);
});

test('times of a way, without its first turn', () => {
  const values = { 'a/0/seconds': 9, 'a/1/seconds': 2, 'a/2/seconds': 3, 'a/0/cpu': 1, 'a/kv': 6, 'b/0/seconds': 4 };
  const a = stepTimes({ rss: 0, values }, 'a');
  assert.equal([a.seconds, a.cpu, a.kv], [[2, 3], [1], 6]);
  assert.equal(stepTimes({ rss: 0, values }, 'b').seconds, [4], 'the only turn counts');
});

test('numbered values end where one is missing', () => {
  const values = { '0/seconds': 3, '1/seconds': 4, '3/seconds': 5 };
  assert.equal(
    seriesOf(values, (turn) => `${turn}/seconds`),
    [3, 4],
  );
});

test('pictures are of the size that a family was trained on', () => {
  assert.equal([trainedSize('sd15').pixels, trainedSize('sdxl').pixels], [512, 1024]);
  assert.equal([stepSizes('sd15', true).length, stepSizes('sdxl', true).length], [1, 0]);
});

test('the shares of a run are those of its record, and the rest', () => {
  const phases = [
    { name: 'load text', milliseconds: 1000 },
    { name: 'text', milliseconds: 500 },
    { name: 'load unet', milliseconds: 2000 },
    { name: 'denoise', milliseconds: 4000 },
    { name: 'decode', milliseconds: 1000 },
    { name: 'what came later', milliseconds: 1000 },
  ];
  assert.equal(runShares({ phases }, 10), { load: 3, encode: 0.5, denoise: 4, decode: 1, rest: 1.5 });
  assert.throws(() => runShares({ phases: [] }, 10), /no phases/);
  assert.throws(() => runShares(null, 10), /no phases/);
});

test('rows are chosen by name, in their own order', () => {
  assert.equal(chooseRows(ROWS, []), ROWS);
  assert.equal(
    chooseRows(ROWS, ['step', 'convert']).map(({ name }) => name),
    ['convert', 'step'],
  );
  assert.throws(
    () => chooseRows(ROWS, ['stepp']),
    (error: unknown) => error instanceof SlothfulError && /did you mean step/.test(error.message),
  );
});

test('rows that need no full-size model run once, with all families', async () => {
  const runs: string[] = [];
  const row: Row = {
    name: 'a',
    describe: '',
    fullSize: false,
    async run({ families }) {
      runs.push(families.join());
      return findings.slice(0, 1);
    },
  };
  const found = await runRows([row], { families: ['sd15', 'sdxl'], quick: true, log: () => undefined });
  assert.equal(runs, ['sd15,sdxl']);
  assert.equal(found, findings.slice(0, 1));
});

test('the hook row measures the sites of the full-size families', async () => {
  const found = await hookRow.run({ families: ['sd15', 'ssd1b'], quick: true, log: () => undefined });
  assert.equal(
    found.map(({ details }) => details.sites),
    [16, 34],
  );
  assert.ok(found.every(({ min }) => min > 0));
});

test.run();
