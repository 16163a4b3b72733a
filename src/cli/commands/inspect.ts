import type { Argv } from 'yargs';
import { inspectPage, inspectSummary, inspectTables, siteTable } from '../../pages/index.ts';
import { slothful } from '../../passes/index.ts';
import { type OpenedDocument, openDocument } from '../../pipeline/without-tfjs.ts';
import { type DrawnModel, inspectGraph } from '../../reports/index.ts';
import { defineCommand } from '../define-command.ts';
import { readReportSize, withReportSizeFlags } from '../flags/size-flags.ts';
import { printDrawings, printReport, siteDrawings, withReportFlags, withSiteFlags } from '../print-report.ts';
import { printLine, printTables } from '../printer.ts';

function options(cli: Argv<object>) {
  const model = cli.positional('model', {
    type: 'string',
    demandOption: true,
    describe: 'any TF.js graph model: its folder or model.json; weights are not needed',
  });
  return withReportFlags(withSiteFlags(withReportSizeFlags(model)));
}

/** `slothful inspect <model>` */
export const inspectCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const opened = await openDocument(argv.model);
    const { graph, place, notes } = opened;
    const size = readReportSize(argv, graph);
    const drawings = await siteDrawings(argv, () => beforeAndAfter(opened), size);
    if (printDrawings(argv, drawings)) return;
    const report = inspectGraph(graph, { model: place, size, notes });
    await printReport(
      {
        title: `Attentions of ${report.model}`,
        report,
        tables: inspectTables(report),
        main: siteTable(report),
        notes: report.notes,
        inputs: [argv.model],
        html: () => inspectPage(report, drawings),
      },
      argv,
    );
  },
});

/** The graph as it is, and as a patch makes it; a patched one only as it is. */
async function beforeAndAfter({ graph, patch }: OpenedDocument): Promise<DrawnModel[]> {
  if (patch) return [{ graph, label: 'patched' }];
  const after = await graph.clone().transform(slothful());
  return [
    { graph, label: 'before' },
    { graph: after, label: 'after the patch' },
  ];
}

/** Prints the table of attentions of a model, and a line that sums it up. */
export async function printSites(modelDir: string): Promise<void> {
  const { graph, place, notes } = await openDocument(modelDir);
  const report = inspectGraph(graph, { model: place, notes });
  printTables([siteTable(report)]);
  printLine(inspectSummary(report));
}
