import { cpus, totalmem } from 'node:os';
import yargs from 'yargs';
import { messageOf } from '../src/errors.ts';
import { atomicFile } from '../src/models/node.ts';
import { cacheFolder, cleanCache } from './bench/cache.ts';
import { isMet } from './bench/finding.ts';
import { ROWS } from './bench/rows/index.ts';
import { chooseRows, runRows } from './bench/run-rows.ts';
import { findingsTable } from './bench/table.ts';
import { FAMILIES } from './checkpoint/family.ts';

function parse(args: readonly string[]) {
  const rows = ROWS.map(({ name, describe }) => `  ${name.padEnd(9)} ${describe}`).join('\n');
  return yargs([...args])
    .scriptName('npm run bench --')
    .usage(`$0 [rows..]\n\nMeasures the toolkit, in ratios. Rows:\n${rows}`)
    .option('family', { choices: FAMILIES, array: true, describe: 'full-size models to measure; all by default' })
    .option('json', { type: 'string', describe: 'write the findings to this file too' })
    .option('quick', { type: 'boolean', default: false, describe: 'fewer turns, and no pictures above 512 pixels' })
    .option('clean', { type: 'boolean', default: false, describe: `remove ${cacheFolder()} and stop` })
    .strictOptions()
    .wrap(120)
    .parseAsync();
}

/** `npm run bench -- [rows] [--family sdxl] [--json FILE] [--quick] [--clean]` */
async function main(): Promise<void> {
  const argv = await parse(process.argv.slice(2));
  if (argv.clean) return cleanCache();
  const rows = chooseRows(ROWS, argv._.map(String));
  const families = argv.family?.length ? argv.family : FAMILIES;
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const findings = await runRows(rows, { families, quick: argv.quick, log });
  console.log(findingsTable(findings));
  if (argv.json === undefined) return;
  const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, memory: totalmem(), node: process.version };
  const results = findings.map((finding) => ({ ...finding, met: isMet(finding) }));
  await atomicFile(argv.json, `${JSON.stringify({ machine, findings: results }, null, 2)}\n`, { force: true });
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
