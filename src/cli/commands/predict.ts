import type { Argv } from 'yargs';
import { type PredictedSite, type PredictRecord, predictFile } from '../../jobs/node.ts';
import { type Field, tableOf } from '../../pages/index.ts';
import { parametersLine, passLines } from '../../pipeline/index.ts';
import { defineCommand } from '../define-command.ts';
import { parameterFiles, readParameterChanges, withParameterFlags } from '../flags/parameter-flags.ts';
import { readPasses, withPassFlags } from '../flags/pass-flags.ts';
import { withBackendFlag } from '../flags/run-flags.ts';
import { readTimestepInput, withTimestepFlag } from '../flags/timestep-flag.ts';
import { printJson, printLine, printTables, sayLine } from '../printer.ts';
import { printNote, startBars } from '../terminal.ts';

const LAYOUTS = ['nchw', 'nhwc'] as const;

function options(cli: Argv<object>) {
  return withPassFlags(
    withParameterFlags(
      withTimestepFlag(
        withBackendFlag(
          cli
            .positional('model', { type: 'string', demandOption: true, describe: 'converted model, patched or plain' })
            .option('inputs', {
              type: 'string',
              demandOption: true,
              describe: "safetensors file, names as diffusers has them or the model's own",
            })
            .option('out', { type: 'string', demandOption: true, describe: 'safetensors file for out_sample' })
            .option('timestep', { type: 'number', describe: 'timestep, where the inputs have none' })
            .option('sigma', {
              type: 'number',
              describe: 'noise level of the step, where it is not that of the timestep',
            })
            .option('output', {
              type: 'string',
              describe: "the model's name of the output to write, where it has several",
            })
            .option('force', { type: 'boolean', default: false, describe: 'replace an earlier prediction' })
            .option('layout', {
              choices: LAYOUTS,
              default: 'nchw' as const,
              describe: 'order of the axes in the files',
            })
            .option('json', { type: 'boolean', default: false, describe: 'print K/V tokens as JSON' }),
        ),
      ),
    ),
  );
}

/** `slothful predict <model> --inputs in.safetensors --timestep 601 --out out.safetensors [parameters]` */
export const predictCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const { model, inputs, out, output, force, timestep, sigma, layout, backend } = argv;
    const timestepInput = readTimestepInput(argv);
    const parameters = await readParameterChanges(argv);
    const passes = readPasses(argv);
    const alsoRead = parameterFiles(argv);
    const asked = {
      ...{ model, inputs, out, output, force, alsoRead, timestep, timestepInput, sigma, layout, backend },
      ...{ parameters, passes },
    };
    const bars = startBars();
    const onProgress = (done: number, total: number) => bars.update('loading', done, total);
    const told = { log: sayLine, onNote: printNote, onProgress };
    print(await predictFile({ ...asked, ...told }).finally(() => bars.end()), argv.json);
  },
});

const SITE_FIELDS: readonly Field<PredictedSite>[] = [
  { key: 'id', title: 'site', of: ({ id }) => id },
  { key: 'tokens', title: 'tokens', unit: 'count', of: ({ tokens }) => tokens },
  { key: 'kv_tokens', title: 'K/V tokens', unit: 'count', of: ({ kv_tokens }) => kv_tokens },
  { key: 'pooled', title: '', of: ({ pooled }) => (pooled ? 'pooled' : 'as it is') },
];

function print(record: PredictRecord, json: boolean): void {
  if (json) {
    printJson(record);
    return;
  }
  const { sites, parameters, out, output, shape, layout } = record;
  const table = tableOf('sites', 'self-attentions', SITE_FIELDS, sites);
  if (sites.length) printTables([table]);
  else printLine('the model is not patched: no K/V tokens to report');
  if (parameters) printLine(parametersLine(parameters));
  for (const line of passLines(record.passes)) printLine(line);
  printLine(`${out}: ${output} [${shape.join(', ')}] ${layout}`);
}
