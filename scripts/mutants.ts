import { availableParallelism } from 'node:os';
import yargs from 'yargs';
import { messageOf, SlothfulError } from '../src/errors.ts';
import { judgeAll } from './mutants/lanes.ts';
import { reportLines, summaryOf } from './mutants/report.ts';
import { MUTANT_ROOMS } from './mutants/rooms.ts';

const NAMES = MUTANT_ROOMS.map(({ name }) => name);

function parse(args: readonly string[]) {
  const rooms = MUTANT_ROOMS.map(({ name, sources }) => `  ${name.padEnd(10)} ${sources.join(' ')}`).join('\n');
  return yargs([...args])
    .scriptName('npm run mutants --')
    .usage(
      `$0\n\nPuts a fault of one token at a time into arithmetic, and runs the tests of its room. Rooms:\n${rooms}`,
    )
    .option('room', { type: 'string', array: true, default: NAMES, defaultDescription: 'all', choices: NAMES })
    .option('file', {
      type: 'string',
      array: true,
      default: [''],
      describe: 'parts of paths',
      defaultDescription: 'all',
    })
    .option('sample', { type: 'number', describe: 'try as many of each room', defaultDescription: 'all' })
    .option('seed', { type: 'number', default: 1, describe: 'decides the sample' })
    .option('lanes', { type: 'number', default: Math.min(2, availableParallelism()), describe: 'processes at a time' })
    .option('least', { type: 'number', default: 90, describe: 'percent of each room that have to be noticed' })
    .option('json', { type: 'boolean', default: false })
    .strict()
    .wrap(120)
    .parseAsync();
}

/** `npm run mutants -- [--room NAME] [--file PART] [--sample 40 --seed 1] [--json]` */
async function main(): Promise<void> {
  const { room: names, file: parts, sample, seed, lanes, least, json } = await parse(process.argv.slice(2));
  const rooms = MUTANT_ROOMS.filter(({ name }) => names.includes(name));
  const isWanted = (file: string) => parts.some((part) => file.includes(part));
  const reports = await judgeAll(rooms, { isWanted, sample, seed, lanes });
  if (!reports.length) throw new SlothfulError('usage', parts.join(' '), 'is in no path of a room');
  const summaries = reports.map(summaryOf);
  if (json) console.log(JSON.stringify({ seed, rooms: summaries }, undefined, 2));
  else for (const line of reportLines(summaries)) console.log(line);
  if (summaries.some(({ percent, stale }) => percent < least || stale.length)) process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`mutants: ${messageOf(error)}\n`);
  process.exitCode = 2;
});
