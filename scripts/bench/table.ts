import { textTable } from '../../src/cli/print/table.ts';
import { type Finding, isMet } from './finding.ts';

/** Findings as a text table, with targets and whether they are met. */
export function findingsTable(findings: readonly Finding[]): string {
  const number = (title: string) => ({ title, align: 'right' as const });
  const columns = [
    { title: 'row' },
    { title: 'what' },
    number('min'),
    number('median'),
    number('at most'),
    { title: '' },
    { title: 'measured' },
  ];
  return textTable(columns, findings.map(cellsOf));
}

function cellsOf(finding: Finding): string[] {
  const { row, what, unit, min, median, target, details } = finding;
  const met = isMet(finding);
  const verdict = met === undefined ? '' : met ? 'met' : 'MISSED';
  const numbers = Object.entries(details).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? short(value) : value}`,
  );
  const limit = target === undefined ? '' : withUnit(target, unit);
  return [row, what, withUnit(min, unit), withUnit(median, unit), limit, verdict, numbers.join(', ')];
}

function withUnit(value: number, unit: Finding['unit']): string {
  return unit === 'x' ? value.toFixed(2) : `${short(value)} ${unit}`;
}

/** Three digits that count, and no exponent. */
function short(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
