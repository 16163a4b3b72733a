import { suggest } from '../../src/documents/index.ts';
import { SlothfulError } from '../../src/errors.ts';
import type { FamilyName } from '../checkpoint/family.ts';
import { keepOnly } from './cache.ts';
import type { Finding } from './finding.ts';
import type { Row, RowOptions } from './row.ts';

/** The rows that are named, in the order of the benchmark; all of them where none is. @throws SlothfulError `usage` */
export function chooseRows(rows: readonly Row[], names: readonly string[]): readonly Row[] {
  const known = rows.map(({ name }) => name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const close = suggest(name, known);
    throw new SlothfulError(
      'usage',
      name,
      'is not a row',
      close ? `did you mean ${close}?` : `name ${known.join(', ')}`,
    );
  }
  return names.length ? rows.filter(({ name }) => names.includes(name)) : rows;
}

/**
 * Runs rows: those on full-size models family by family, and of the families' files only the running one's are kept, so
 * that the disk holds one at a time.
 */
export async function runRows(rows: readonly Row[], options: RowOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const row of rows.filter(({ fullSize }) => !fullSize)) findings.push(...(await row.run(options)));
  const heavy = rows.filter(({ fullSize }) => fullSize);
  if (!heavy.length) return findings;
  for (const family of options.families) findings.push(...(await runFamily(heavy, family, options)));
  return findings;
}

async function runFamily(rows: readonly Row[], family: FamilyName, options: RowOptions): Promise<Finding[]> {
  await keepOnly(family);
  const findings: Finding[] = [];
  for (const row of rows) findings.push(...(await row.run({ ...options, families: [family] })));
  return findings;
}
