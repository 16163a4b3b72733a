import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { messageOf, SlothfulError } from '../src/errors.ts';
import { readCase, saveCase } from './fuzz/case.ts';
import { FuzzReport } from './fuzz/report.ts';
import { TARGETS } from './fuzz/targets/index.ts';
import { filesOfPlan, planOf, readyTarget } from './fuzz/tries.ts';
import { type Outcome, watchLane } from './fuzz/watch.ts';

const MODULE = new URL('fuzz/targets/index.ts', import.meta.url).href;
const NAMES = TARGETS.map(({ name }) => name);

function parse(args: readonly string[]) {
  const targets = TARGETS.map(({ name, describe }) => `  ${name.padEnd(14)} ${describe}`).join('\n');
  return yargs([...args])
    .scriptName('npm run fuzz --')
    .usage(
      `$0 [targets..]\n\nTries what reads files with broken and hostile ones. Targets, all by default:\n${targets}`,
    )
    .option('minutes', { type: 'number', default: 1 })
    .option('seed', { type: 'number', default: 1, describe: 'the same seed makes the same inputs' })
    .option('tries', { type: 'number', describe: 'stop after as many of each target' })
    .option('lanes', { type: 'number', default: Math.min(4, availableParallelism()), describe: 'processes at a time' })
    .option('save', { type: 'string', default: join(tmpdir(), 'slothful-fuzz'), describe: 'where faults are kept' })
    .option('replay', { type: 'string', describe: 'try an input again that was kept' })
    .strictOptions()
    .wrap(120)
    .parseAsync();
}

/** `npm run fuzz -- [targets..] [--minutes 5] [--seed 1] [--replay FILE]` */
async function main(): Promise<void> {
  const { _: asked, minutes, seed, tries, lanes, save, replay } = await parse(process.argv.slice(2));
  const report = new FuzzReport();
  const base = { module: MODULE, seed, tries, save, starts: {}, until: Date.now() + minutes * 60_000 };
  if (replay !== undefined) {
    const { target } = await readCase(replay);
    await watchLane({ ...base, targets: [target], replay }, (outcome) => report.add({ ...outcome, file: replay }));
  } else {
    const killed: Outcome[] = [];
    const hear = (outcome: Outcome) => {
      const isKilled = typeof outcome.verdict === 'object' && outcome.file === undefined;
      if (isKilled) killed.push(outcome);
      else report.add(outcome);
    };
    const targets = chosen(asked.map(String));
    await Promise.all(shares(targets, lanes).map((share) => watchLane({ ...base, targets: share }, hear)));
    for (const outcome of killed) report.add({ ...outcome, file: await saveKilled(outcome, save) });
  }
  for (const line of report.lines()) console.log(line);
  if (report.faults) process.exitCode = 1;
}

function chosen(names: readonly string[]): readonly string[] {
  const stranger = names.find((name) => !NAMES.includes(name));
  if (stranger === undefined) return names.length ? names : NAMES;
  throw new SlothfulError('usage', stranger, 'is no target of the fuzzer', `there are ${NAMES.join(', ')}`);
}

/** Every lane has targets of its own, so that a seed makes the same tries however many there are. */
function shares(targets: readonly string[], lanes: number): string[][] {
  const dealt = Array.from({ length: lanes }, (_, lane) => targets.filter((_name, index) => index % lanes === lane));
  return dealt.filter((share) => share.length);
}

/** A process that was killed kept nothing: its input is made once more. */
async function saveKilled({ id, verdict }: Outcome, save: string): Promise<string | undefined> {
  const target = TARGETS.find(({ name }) => name === id.target);
  if (!target || typeof verdict !== 'object') return undefined;
  const ready = await readyTarget(target);
  const plan = planOf(ready, id.seed, id.index);
  return saveCase(save, { id, fault: verdict, changes: plan.changes, files: filesOfPlan(ready, plan) });
}

main().catch((error: unknown) => {
  process.stderr.write(`fuzz: ${messageOf(error)}\n`);
  process.exitCode = 2;
});
