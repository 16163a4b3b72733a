import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { messageOf } from '../../errors.ts';
import { locateWeights } from '../../graph/index.ts';
import type { ModelFile } from '../../models/index.ts';
import { diffPage, diffSiteTable, diffTables } from '../../pages/index.ts';
import { type OpenedDocument, openDocument } from '../../pipeline/without-tfjs.ts';
import { comparableWeights, diffGraphs, type WeightComparison } from '../../reports/index.ts';
import { defineCommand } from '../define-command.ts';
import { readReportSize, withReportSizeFlags } from '../flags/size-flags.ts';
import { printDrawings, printReport, siteDrawings, withReportFlags, withSiteFlags } from '../print-report.ts';
import { startProgress } from '../terminal.ts';

function options(cli: Argv<object>) {
  const model = (name: 'a' | 'b') => ({ type: 'string', demandOption: true, describe: `model ${name}` }) as const;
  return withReportFlags(
    withSiteFlags(withReportSizeFlags(cli.positional('a', model('a')).positional('b', model('b')))),
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
    const [a, b] = [await openDocument(argv.a), await openDocument(argv.b)];
    const size = readReportSize(argv, a.graph);
    const models = [
      { graph: a.graph, label: 'a' },
      { graph: b.graph, label: 'b' },
    ];
    const drawings = await siteDrawings(argv, async () => models, size);
    if (printDrawings(argv, drawings)) return;
    const compared = argv.weights ? await compare(a, b) : { weights: undefined, notes: [] };
    const side = ({ graph, place, notes }: OpenedDocument) => ({ graph, model: place, notes });
    const report = diffGraphs(side(a), side(b), { size, ...compared });
    const title = `${report.a.model} against ${report.b.model}`;
    const tables = diffTables(report);
    const main = diffSiteTable(report);
    await printReport(
      {
        title,
        report,
        tables,
        main,
        notes: report.notes,
        inputs: [argv.a, argv.b],
        html: () => diffPage(report, drawings),
      },
      argv,
    );
  },
});

/** Models may come without their weights; then shapes are all that can be compared. */
async function compare(
  a: OpenedDocument,
  b: OpenedDocument,
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

/**
 * Compares the bytes of the weights that two models both have, one weight in memory at a time. Weights at the same place
 * of the same file (patched models share theirs by hard links) are equal without reading.
 *
 * @param onProgress told how many weights are done, of how many
 * @throws SlothfulError `io`, `bad-model` where files are missing or too short
 */
async function compareWeights(
  a: ModelFile,
  b: ModelFile,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<WeightComparison> {
  const names = comparableWeights(a.graph, b.graph);
  const [inA, inB] = [await placesOf(a), await placesOf(b)];
  const isShared = (name: string) => inA.has(name) && inA.get(name) === inB.get(name);
  const rest = new Set(names.filter((name) => !isShared(name)));
  let done = 0;
  const tick = () => onProgress(++done, 2 * rest.size);
  const digests = await digestsOf(a, rest, tick);
  const others = await digestsOf(b, rest, tick);
  const isEqual = (name: string) => isShared(name) || digests.get(name) === others.get(name);
  return {
    equal: names.filter(isEqual),
    different: names.filter((name) => !isEqual(name)),
    shared: names.length - rest.size,
  };
}

async function digestsOf(file: ModelFile, wanted: ReadonlySet<string>, tick: () => void): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  if (!wanted.size) return digests;
  for await (const { spec, bytes } of file.weights(wanted)) {
    digests.set(spec.name, createHash('sha256').update(bytes).digest('hex'));
    tick();
  }
  return digests;
}

/** Where on disk each weight lies: its files and the offset in them. Empty for a model behind a URL. */
async function placesOf({ graph, store }: ModelFile): Promise<Map<string, string>> {
  const { folder } = store;
  if (folder === undefined) return new Map();
  const files = await Promise.all(
    graph.weightGroups.map(({ paths }) => Promise.all(paths.map((path) => identity(join(folder, path))))),
  );
  return new Map(
    [...locateWeights(graph.weightGroups)].map(([name, { group, offset }]) => [
      name,
      `${files[group]?.join(' ')} at ${offset}`,
    ]),
  );
}

/** Device and number of a file; the path where it cannot be asked, which no other model has. */
async function identity(path: string): Promise<string> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}
