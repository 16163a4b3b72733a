import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { parametersLine } from '../../pipeline/index.ts';
import { type Axis, parseAxis, sweepTable } from '../../sweeps/index.ts';
import { type FolderSweep, sweepToFolder } from '../../sweeps/node.ts';
import { defineCommand } from '../define-command.ts';
import { jobReports, readJob, withJobModel, withSteeringFlags } from '../flags/job-flags.ts';
import { printJson, printLine, printTables, sayLine } from '../printer.ts';
import { interruptible, startBars } from '../terminal.ts';

function options(cli: Argv<object>) {
  return withSteeringFlags(
    withJobModel(cli)
      .option('x', {
        type: 'string',
        describe: 'across: name=value,value,... of any parameter, sampler, seed, ...',
      })
      .option('y', { type: 'string', describe: 'downwards: another one' })
      .option('out', { type: 'string', describe: 'folder for what is made; default: the next out/sweep-N' })
      .option('force', { type: 'boolean', default: false, describe: 'replace an earlier sweep' })
      .option('json', { type: 'boolean', default: false, describe: 'print sweep.json' }),
  );
}

/** `slothful sweep <model> --prompt words --x in_strength=0,3,6,12 --y out_v_blend=0,0.5,1` */
export const sweepCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const [x, y] = [axisOf(argv.x, '--x'), axisOf(argv.y, '--y')];
    const job = await readJob(argv);
    const bars = startBars();
    const swept = await interruptible(({ signal, begin }) =>
      sweepToFolder({
        ...job,
        ...{ x, y, signal },
        onBegin: (combinations) => {
          begin();
          sayLine(`sweeping ${combinations} combinations`);
        },
        ...jobReports(bars),
      }),
    ).finally(() => bars.end());
    print(swept, argv.json);
    if (swept.record.stopped) throw stoppedError(swept);
  },
});

function axisOf(text: string | undefined, flag: string): Axis | undefined {
  return text === undefined ? undefined : parseAxis(text, flag);
}

function stoppedError({ folder, record, combinations }: FolderSweep): SlothfulError {
  const problem = `stopped after ${record.cells.length} of ${combinations} combinations; what was done is there`;
  return new SlothfulError('aborted', folder, problem);
}

/** Prints the measures and where the sheet lies, or the record as JSON. */
function print({ folder, files, record, parameters }: FolderSweep, json: boolean): void {
  if (json) {
    printJson({ folder, ...record });
    return;
  }
  if (record.cells.length) printTables([sweepTable(record)]);
  printLine(`${parametersLine(parameters)}; the axes go over them`);
  printLine(`${folder}: ${[...files, 'sweep.json'].join(', ')}`);
}
