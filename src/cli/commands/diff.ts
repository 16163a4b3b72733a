import type { Argv } from 'yargs';
import { messageOf } from '../../errors.ts';
import { diffPage, diffSiteTable, diffTables } from '../../pages/index.ts';
import { diffGraphs, type WeightComparison } from '../../reports/index.ts';
import { defineCommand } from '../define-command.ts';
import { compareWeights } from '../files/compare-weights.ts';
import { type OpenedGraph, openGraph } from '../files/open-graph.ts';
import { printReport, withReportFlags } from '../flags/report-flags.ts';
import { printDrawings, siteDrawings, withSiteFlags } from '../flags/site-flags.ts';
import { readSize, withSizeFlags } from '../flags/size-flags.ts';
import { startProgress } from '../print/progress.ts';

function options(cli: Argv<object>) {
  const model = (name: 'a' | 'b') => ({ type: 'string', demandOption: true, describe: `model ${name}` }) as const;
  return withReportFlags(
    withSiteFlags(withSizeFlags(cli.positional('a', model('a')).positional('b', model('b')))),
  ).option('weights', {
    type: 'boolean',
    default: true,
    describe: 'compare the bytes of weights too (--no-weights: shapes only)',
  });
}

/** `slothful diff <a> <b>` */
export const diffCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const [a, b] = [await openGraph(argv.a), await openGraph(argv.b)];
    const size = readSize(argv, a.graph);
    const models = [
      { graph: a.graph, label: 'a' },
      { graph: b.graph, label: 'b' },
    ];
    const drawings = await siteDrawings(argv, async () => models, size);
    if (printDrawings(argv, drawings)) return;
    const compared = argv.weights ? await compare(a, b) : { weights: undefined, notes: [] };
    const side = ({ graph, file, notes }: OpenedGraph) => ({ graph, model: file.place, notes });
    const report = diffGraphs(side(a), side(b), { size, ...compared });
    const title = `${report.a.model} against ${report.b.model}`;
    const tables = diffTables(report);
    const main = diffSiteTable(report);
    await printReport(
      { title, report, tables, main, notes: report.notes, html: () => diffPage(report, drawings) },
      argv,
    );
  },
});

/** Models may come without their weights; then shapes are all that can be compared. */
async function compare(
  a: OpenedGraph,
  b: OpenedGraph,
): Promise<{ weights: WeightComparison | undefined; notes: string[] }> {
  const progress = startProgress('comparing weights');
  try {
    return { weights: await compareWeights(a.file, b.file, progress.update), notes: [] };
  } catch (error) {
    return { weights: undefined, notes: [`the bytes of weights were not compared: ${messageOf(error)}`] };
  } finally {
    progress.end();
  }
}
