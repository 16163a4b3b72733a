import type { Argv } from 'yargs';
import { inspectGraph, inspectPage, inspectSummary, inspectTables, printTable, siteTable } from '../report/index.ts';
import { defineCommand } from './define-command.ts';
import { openGraph } from './open-graph.ts';
import { printReport, withReportFlags } from './report-flags.ts';
import { readSize, withSizeFlags } from './size-flags.ts';

function options(cli: Argv<object>) {
  return withReportFlags(
    withSizeFlags(
      cli.positional('model', {
        type: 'string',
        demandOption: true,
        describe: 'any TF.js graph model: its folder or model.json; weights are not needed',
      }),
    ),
  );
}

/** `slothful inspect <model>` */
export const inspectCommand = defineCommand({
  command: 'inspect <model>',
  describe: 'list the attentions of a model, with their cost at a size',
  builder: options,
  async handler(argv) {
    const { graph, file, notes } = await openGraph(argv.model);
    const report = inspectGraph(graph, { model: file.place, size: readSize(argv, graph), notes });
    await printReport(
      {
        title: `Attentions of ${report.model}`,
        report,
        tables: inspectTables(report),
        main: siteTable(report),
        notes: report.notes,
        html: () => inspectPage(report),
      },
      argv,
    );
  },
});

/** Prints the table of attentions of a model, and a line that sums it up. */
export async function printSites(modelDir: string): Promise<void> {
  const { graph, file, notes } = await openGraph(modelDir);
  const report = inspectGraph(graph, { model: file.place, notes });
  console.log(printTable(siteTable(report)));
  console.log(inspectSummary(report));
}
