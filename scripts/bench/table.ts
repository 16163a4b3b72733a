import { type Field, printTable, tableOf } from '../../src/pages/index.ts';
import { type Finding, isMet } from './finding.ts';

const FIELDS: readonly Field<Finding>[] = [
  { key: 'row', title: 'row', of: ({ row }) => row },
  { key: 'what', title: 'what', of: ({ what }) => what },
  { key: 'min', title: 'min', of: ({ min, unit }) => withUnit(min, unit) },
  { key: 'median', title: 'median', of: ({ median, unit }) => withUnit(median, unit) },
  { key: 'target', title: 'at most', of: ({ target, unit }) => (target === undefined ? '' : withUnit(target, unit)) },
  { key: 'verdict', title: '', of: verdictOf },
  { key: 'details', title: 'measured', of: detailsOf },
];

/** Findings as a text table, with targets and whether they are met. */
export function findingsTable(findings: readonly Finding[]): string {
  return printTable(tableOf('findings', 'ratios and amounts, each measured in one run', FIELDS, findings));
}

function verdictOf(finding: Finding): string {
  const met = isMet(finding);
  return met === undefined ? '' : met ? 'met' : 'MISSED';
}

function detailsOf({ details }: Finding): string {
  return Object.entries(details)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? short(value) : value}`)
    .join(', ');
}

function withUnit(value: number, unit: Finding['unit']): string {
  return unit === 'x' ? value.toFixed(2) : `${short(value)} ${unit}`;
}

/** Three digits that count, and no exponent. */
function short(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
