import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { planPage, planTables, siteStepTable } from '../../pages/index.ts';
import { backendToRun, extentOf, type OpenedModel, pixelsOf, planRun, resolveRun } from '../../pipeline/index.ts';
import { openModel, readConditioner, readTextTable, type TextChoice } from '../../pipeline/node.ts';
import type { RunConditioning } from '../../sampling/index.ts';
import { defineCommand } from '../define-command.ts';
import { readParameterChanges, withParameterFlags } from '../flags/parameter-flags.ts';
import { readPasses, withPassFlags } from '../flags/pass-flags.ts';
import { readRun, withBackendFlag, withRunFlags } from '../flags/run-flags.ts';
import { readExtent, withSizeFlags } from '../flags/size-flags.ts';
import { printReport, withReportFlags } from '../print-report.ts';

const MIB = 1024 * 1024;

function options(cli: Argv<object>) {
  const model = cli.positional('model', {
    type: 'string',
    demandOption: true,
    describe: 'plain or patched model: its folder or model.json; weights are not needed',
  });
  return withPassFlags(
    withParameterFlags(
      withReportFlags(
        withBackendFlag(withRunFlags(withSizeFlags(model)))
          .option('batch', { type: 'number', describe: 'images at once, 1; guidance doubles what is evaluated' })
          .option('context-tokens', { type: 'number', describe: 'tokens of the text, where none is given' })
          .option('logits-limit', { type: 'number', describe: "MiB of one logits tensor; default: the backend's" }),
      ),
    ),
  );
}

/** `slothful plan <model> --size WxH --steps N --sampler S [parameters]` */
export const planCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const asked = { ...readRun(argv), ...readExtent(argv) };
    const parameters = await readParameterChanges(argv);
    const passes = readPasses(argv);
    const model = await openModel(argv.model);
    const conditioning = await readConditioning(model, asked, argv.contextTokens);
    const contextTokens = argv.contextTokens ?? (await textLength(model, conditioning));
    const run = resolveRun(model, { ...asked, conditioning, contextTokens, parameters, passes });
    const report = planRun(model, run, {
      backend: argv.backend ?? (await backendToRun(model)),
      logitsLimit: argv.logitsLimit === undefined ? undefined : argv.logitsLimit * MIB,
    });
    const title = `Plan for ${report.model}`;
    const tables = planTables(report);
    const main = siteStepTable(report);
    await printReport({ title, report, tables, main, notes: report.notes, html: () => planPage(report) }, argv);
  },
});

/** What the run would be told, where the flags say so. */
async function readConditioning(
  model: OpenedModel,
  asked: TextChoice & Parameters<typeof extentOf>[1],
  contextTokens: number | undefined,
): Promise<RunConditioning | undefined> {
  const { prompt, cond } = asked;
  if (prompt === undefined && cond === undefined) return undefined;
  if (contextTokens !== undefined) {
    const flag = cond === undefined ? '--prompt' : '--cond';
    throw new SlothfulError(
      'usage',
      '--context-tokens',
      `cannot be combined with ${flag}`,
      'the text tells its length',
    );
  }
  return (await readConditioner(model, asked, pixelsOf(extentOf(model, asked)), [prompt]))(prompt);
}

/** Where no text is given, the length of what the model's own table makes; undefined where it has none that can be read. */
async function textLength(model: OpenedModel, given: RunConditioning | undefined): Promise<number | undefined> {
  if (given || model.graph.metadata.text === undefined) return undefined;
  try {
    return (await readTextTable(model)).length;
  } catch (error) {
    if (error instanceof SlothfulError) return undefined;
    throw error;
  }
}
