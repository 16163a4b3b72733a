import type { Argv } from 'yargs';
import { inspectPage, inspectSummary, inspectTables, printTable, siteTable } from '../../pages/index.ts';
import { slothful } from '../../passes/index.ts';
import { readSlothfulMetadata } from '../../passes/slothful/index.ts';
import { type DrawnModel, inspectGraph } from '../../reports/index.ts';
import { defineCommand } from '../define-command.ts';
import { type OpenedGraph, openGraph } from '../files/open-graph.ts';
import { printReport, withReportFlags } from '../flags/report-flags.ts';
import { printDrawings, siteDrawings, withSiteFlags } from '../flags/site-flags.ts';
import { readSize, withSizeFlags } from '../flags/size-flags.ts';

function options(cli: Argv<object>) {
  const model = cli.positional('model', {
    type: 'string',
    demandOption: true,
    describe: 'any TF.js graph model: its folder or model.json; weights are not needed',
  });
  return withReportFlags(withSiteFlags(withSizeFlags(model)));
}

/** `slothful inspect <model>` */
export const inspectCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const opened = await openGraph(argv.model);
    const { graph, file, notes } = opened;
    const size = readSize(argv, graph);
    const drawings = await siteDrawings(argv, () => beforeAndAfter(opened), size);
    if (printDrawings(argv, drawings)) return;
    const report = inspectGraph(graph, { model: file.place, size, notes });
    await printReport(
      {
        title: `Attentions of ${report.model}`,
        report,
        tables: inspectTables(report),
        main: siteTable(report),
        notes: report.notes,
        html: () => inspectPage(report, drawings),
      },
      argv,
    );
  },
});

/** The graph as it is, and as a patch makes it; a patched one only as it is. */
async function beforeAndAfter({ graph, file }: OpenedGraph): Promise<DrawnModel[]> {
  if (readSlothfulMetadata(graph.metadata, file.place)) return [{ graph, label: 'patched' }];
  const after = await graph.clone().transform(slothful());
  return [
    { graph, label: 'before' },
    { graph: after, label: 'after the patch' },
  ];
}

/** Prints the table of attentions of a model, and a line that sums it up. */
export async function printSites(modelDir: string): Promise<void> {
  const { graph, file, notes } = await openGraph(modelDir);
  const report = inspectGraph(graph, { model: file.place, notes });
  console.log(printTable(siteTable(report)));
  console.log(inspectSummary(report));
}
