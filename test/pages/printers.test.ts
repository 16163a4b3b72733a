import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  diffTables,
  formatBytes,
  formatCount,
  formatFlops,
  formatValue,
  inspectTables,
  planTables,
  printCsv,
  printMarkdown,
  printTable,
  siteStepTable,
  type Table,
} from '../../src/pages/index.ts';
import { slothful } from '../../src/passes/index.ts';
import { scheduleOf } from '../../src/pipeline/index.ts';
import { diffGraphs, inspectGraph, planGraph } from '../../src/reports/index.ts';
import { goldenGraph } from '../support/golden-graph.ts';

const test = suite('printers');

const TABLE: Table = {
  name: 'things',
  title: 'Things',
  columns: [
    { key: 'name', title: 'name' },
    { key: 'tokens', title: 'tokens', unit: 'count' },
    { key: 'logits', title: 'logits', unit: 'bytes' },
    { key: 'share', title: 'share', unit: 'share' },
  ],
  rows: [
    ['plain', 12, 3_400_000, 0.5],
    ['with "quotes", and commas', null, 1, 1],
    ['=cmd()|<b>_x_', 0, 0, 0],
  ],
};

test('text: numbers to the right, a dash for what is not known', () => {
  assert.is(
    printTable(TABLE),
    [
      'Things',
      'name                       tokens   logits  share',
      '-------------------------  ------  -------  -----',
      'plain                          12  3.40 MB   50 %',
      'with "quotes", and commas       -      1 B  100 %',
      '=cmd()|<b>_x_                   0      0 B    0 %',
    ].join('\n'),
  );
  assert.is(printTable({ ...TABLE, rows: [] }), 'Things: none');
});

test('CSV: base units, quoted, and no formulas', () => {
  assert.is(
    printCsv(TABLE),
    [
      'name,tokens,logits_bytes,share',
      'plain,12,3400000,0.5',
      '"with ""quotes"", and commas",,1,1',
      "'=cmd()|<b>_x_,0,0,0",
      '',
    ].join('\r\n'),
  );
});

test('CSV headings of every table are in snake_case, and none is there twice', async () => {
  const plain = goldenGraph('ssd1b');
  const patched = await plain.clone().transform(slothful());
  const plan = planGraph(plain, { schedule: scheduleOf(plain, { steps: 2 }) });
  const compared = diffGraphs({ graph: plain, model: 'a' }, { graph: patched, model: 'b' });
  const tables = [...inspectTables(inspectGraph(patched)), ...planTables(plan), siteStepTable(plan)];
  for (const table of [...tables, ...diffTables(compared)]) {
    const headings = printCsv(table).split('\r\n')[0]?.split(',') ?? [];
    assert.equal(
      headings.filter((heading) => !/^[a-z]+(_[a-z]+)*$/.test(heading)),
      [],
      table.name,
    );
    assert.is(new Set(headings).size, table.columns.length, table.name);
  }
});

test('Markdown: nothing of a name becomes markup', () => {
  const text = printMarkdown('a_b', [TABLE], ['careful']);
  assert.match(text, /^# a\\_b\n\n> careful\n\n## Things\n\n\| name \| tokens \|/);
  assert.ok(text.includes('| =cmd()\\|\\<b\\>\\_x\\_ | 0 | 0 B | 0 % |'));
  assert.ok(text.includes('| --- | ---: | ---: | ---: |'));
  assert.match(printMarkdown('t', [{ ...TABLE, rows: [] }]), /None\./);
});

const FORMATS: readonly (readonly [string, string])[] = [
  [formatBytes(0), '0 B'],
  [formatBytes(999), '999 B'],
  [formatBytes(1000), '1.00 kB'],
  [formatBytes(999_600), '1.00 MB'],
  [formatBytes(5_142_000_000), '5.14 GB'],
  [formatFlops(173_700_000_000), '174 GFLOP'],
  [formatFlops(12), '12 FLOP'],
  [formatCount(860), '860'],
  [formatCount(859_520_964), '860 M'],
  [formatValue(null, 'bytes'), '-'],
  [formatValue(0.123_45, 'share'), '12.3 %'],
  [formatValue(6.4, 'factor'), '6.4x'],
  [formatValue(6, 'factor'), '6x'],
  [formatValue(0.041_3, 'number'), '0.041'],
  [formatValue(999, 'number'), '999'],
  [formatValue(100, 'number'), '100'],
];

for (const [index, [actual, expected]] of FORMATS.entries()) {
  test(`format ${index}: ${expected}`, () => assert.is(actual, expected));
}

test.run();
