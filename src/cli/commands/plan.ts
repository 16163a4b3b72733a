import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { openModel, readStart, readText, readTextTable, type StartFiles, type TextChoice } from '../../jobs/node.ts';
import { planPage, planTables, siteStepTable } from '../../pages/index.ts';
import {
  backendToRun,
  type OpenedModel,
  planRun,
  type ResolvedRun,
  type RunChoices,
  resolvePipeline,
  resolveRun,
  startChoices,
} from '../../pipeline/index.ts';
import { defineCommand } from '../define-command.ts';
import { parameterFiles, readParameterChanges, withParameterFlags } from '../flags/parameter-flags.ts';
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
    const run = await resolve(model, { ...asked, parameters, passes }, argv.contextTokens);
    const report = planRun(model, run, {
      backend: argv.backend ?? (await backendToRun(model)),
      logitsLimit: argv.logitsLimit === undefined ? undefined : argv.logitsLimit * MIB,
    });
    const title = `Plan for ${report.model}`;
    const tables = planTables(report);
    const main = siteStepTable(report);
    const inputs = [argv.model, ...parameterFiles(argv), argv.cond, argv.uncond, argv.initImage, argv.mask];
    const { notes } = report;
    await printReport({ title, report, tables, main, notes, inputs, html: () => planPage(report) }, argv);
  },
});

/** The run as it would be decided; what it would be told, where the flags say so. */
async function resolve(
  model: OpenedModel,
  choices: RunChoices & TextChoice & StartFiles,
  contextTokens: number | undefined,
): Promise<ResolvedRun> {
  const { prompt, cond } = choices;
  const start = await readStart(choices);
  if (prompt === undefined && cond === undefined) {
    const tokens = contextTokens ?? (await tableLength(model));
    return resolveRun(model, { ...choices, ...startChoices(choices, start), contextTokens: tokens });
  }
  if (contextTokens !== undefined) {
    const problem = `cannot be combined with ${cond === undefined ? '--prompt' : '--cond'}`;
    throw new SlothfulError('usage', '--context-tokens', problem, 'the text tells its length');
  }
  return resolvePipeline(model, { ...choices, text: await readText(model, choices), start });
}

/** Where no text is given, the length of what the model's own table makes; undefined where it has none that can be read. */
async function tableLength(model: OpenedModel): Promise<number | undefined> {
  if (model.graph.metadata.text === undefined) return undefined;
  try {
    return (await readTextTable(model)).length;
  } catch (error) {
    if (error instanceof SlothfulError) return undefined;
    throw error;
  }
}
