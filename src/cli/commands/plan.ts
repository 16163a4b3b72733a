import type { Argv } from 'yargs';
import { planPage, planTables, siteStepTable } from '../../pages/index.ts';
import { planGraph, scheduleOf } from '../../reports/index.ts';
import { SAMPLERS, SIGMA_SCHEDULES } from '../../sampling/schedulers/index.ts';
import { defineCommand } from '../define-command.ts';
import { openGraph } from '../files/open-graph.ts';
import { readParameters, withParameterFlags } from '../flags/parameter-flags.ts';
import { printReport, withReportFlags } from '../flags/report-flags.ts';
import { readSize, withSizeFlags } from '../flags/size-flags.ts';

const BACKENDS = ['native', 'wasm', 'cpu'] as const;
const MIB = 1024 * 1024;

function options(cli: Argv<object>) {
  const model = cli.positional('model', {
    type: 'string',
    demandOption: true,
    describe: 'plain or patched model: its folder or model.json; weights are not needed',
  });
  return withParameterFlags(
    withReportFlags(
      withSizeFlags(model)
        .option('steps', { type: 'number', default: 20, describe: 'steps of the run' })
        .option('scheduler', { choices: SAMPLERS, describe: "sampler; default: the model's own" })
        .option('sigmas', { choices: SIGMA_SCHEDULES, describe: 'spacing of the noise levels' })
        .option('backend', { choices: BACKENDS, default: 'wasm' as const, describe: 'where logits are to be counted' })
        .option('logits-limit', { type: 'number', describe: "MiB of one logits tensor; default: the backend's" }),
    ),
  );
}

/** `slothful plan <model> --size WxH --steps N --scheduler S [parameters]` */
export const planCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const parameters = await readParameters(argv);
    const { graph, file, notes } = await openGraph(argv.model);
    const { steps, scheduler, sigmas, backend, logitsLimit } = argv;
    const report = planGraph(graph, {
      schedule: scheduleOf(graph, { steps, scheduler, sigmas }),
      parameters,
      model: file.place,
      size: readSize(argv, graph),
      backend,
      logitsLimit: logitsLimit === undefined ? undefined : logitsLimit * MIB,
      notes,
    });
    const title = `Plan for ${report.model}`;
    const tables = planTables(report);
    const main = siteStepTable(report);
    await printReport({ title, report, tables, main, notes: report.notes, html: () => planPage(report) }, argv);
  },
});
