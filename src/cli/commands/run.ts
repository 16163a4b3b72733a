import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { readSlothfulMetadata, type SlothfulParameters } from '../../passes/slothful/index.ts';
import {
  executeRun,
  type Look,
  lookOf,
  type RunConditioning,
  type RunOutcome,
  type RunSettings,
} from '../../pipeline/index.ts';
import type { UNet } from '../../runtime/index.ts';
import type { DenoisingModel } from '../../sampling/index.ts';
import { defineCommand } from '../define-command.ts';
import { withBackendFlag } from '../flags/backend-flag.ts';
import { readParameterChanges, withParameterFlags } from '../flags/parameter-flags.ts';
import { readRequest, withRunFlags } from '../flags/run-flags.ts';
import { startProgress } from '../print/progress.ts';
import { loadSteered } from '../running/load-steered.ts';
import { withCompanionFlags } from '../running/run-companions.ts';
import { readConditioner } from '../running/run-conditioning.ts';
import { RunFolder } from '../running/run-folder.ts';
import { stoppable } from '../running/run-interrupt.ts';
import { writePreview, writeRun } from '../running/run-output.ts';
import { openSession, parametersOver, settingsOf, sourceOf } from '../running/run-session.ts';
import { printRun } from '../running/run-summary.ts';

function options(cli: Argv<object>) {
  return withParameterFlags(
    withBackendFlag(
      withCompanionFlags(withRunFlags(cli))
        .option('batch', { type: 'number', describe: 'images at once; image i is that of seed + i' })
        .option('compare', { type: 'boolean', default: false, describe: 'also without Slothful Attention, same noise' })
        .option('preview', { type: 'number', describe: 'write a picture every so many steps' })
        .option('out', { type: 'string', describe: 'folder for pictures and run.json; default: the next out/run-N' })
        .option('force', { type: 'boolean', default: false, describe: 'replace an earlier run' })
        .option('json', { type: 'boolean', default: false, describe: 'print run.json' }),
    ),
  );
}

/** `slothful run <model> --prompt words [parameters]` */
export const runCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const request = readRequest(argv);
    checkPreview(argv.preview);
    const changes = await readParameterChanges(argv);
    const session = await openSession(argv);
    const { record, extent, graph, place } = session;
    const isPatched = record !== undefined || changes !== undefined || argv.compare;
    const parameters = isPatched ? parametersOver(record, changes) : undefined;
    const conditioning = (await readConditioner(argv, session, [argv.prompt]))(argv.prompt);
    const settings = settingsOf(session, request, conditioning.uncond !== undefined);
    const look = lookOf(graph.metadata, extent, place);
    const folder = await RunFolder.open(argv.out, { name: 'run', record: 'run.json', force: argv.force });
    const { unet, model, dispose } = await loadSteered(argv, extent, parameters);
    try {
      const task = {
        unet,
        model,
        settings,
        conditioning,
        parameters,
        look,
        folder,
        preview: argv.preview,
      };
      const outcomes = await stoppable((signal) => runBoth(task, argv.compare, signal));
      const source = sourceOf(argv, session, unet);
      const written = await writeRun({ ...task, ...outcomes, source, graph });
      printRun(written, folder, { json: argv.json, exact: look.exact });
      if (written.stopped) throw stoppedError(outcomes, settings, folder);
    } finally {
      dispose();
    }
  },
});

function checkPreview(preview: number | undefined): void {
  if (preview === undefined || (Number.isInteger(preview) && preview >= 1)) return;
  throw new SlothfulError('usage', '--preview', `must be an integer from 1, got ${preview}`);
}

interface BothTask {
  readonly unet: UNet;
  /** The UNet with what steers it. */
  readonly model: DenoisingModel;
  readonly settings: RunSettings;
  readonly conditioning: RunConditioning;
  readonly parameters: SlothfulParameters | undefined;
  readonly look: Look;
  readonly folder: RunFolder;
  readonly preview: number | undefined;
}

interface BothOutcomes {
  readonly plain: RunOutcome | undefined;
  readonly outcome: RunOutcome;
}

const NOT_BEGUN: RunOutcome = { stopped: true, steps: [], latents: undefined, predictedOriginal: undefined };

/** The run, after the plain one where they are to be compared. */
async function runBoth(task: BothTask, compare: boolean, signal: AbortSignal): Promise<BothOutcomes> {
  const plain = compare ? await runOne({ ...task, parameters: undefined }, 'plain', signal) : undefined;
  if (plain?.stopped) return { plain, outcome: NOT_BEGUN };
  return { plain, outcome: await runOne(task, compare ? 'patched' : 'denoising', signal) };
}

async function runOne(task: BothTask, label: string, signal: AbortSignal): Promise<RunOutcome> {
  const { unet, model, settings, conditioning, parameters, preview, look, folder } = task;
  const metadata = readSlothfulMetadata(unet.metadata);
  const progress = startProgress(label);
  try {
    return await executeRun({
      ...{ unet: model, settings, conditioning, signal },
      patch: metadata && parameters && { metadata, parameters },
      async onStep(step) {
        progress.update(step.index + 1, settings.steps, 'step');
        const isDue = preview !== undefined && (step.index + 1) % preview === 0;
        if (isDue) await writePreview(folder, look, step, label === 'plain' ? 'plain-preview' : 'preview');
      },
    });
  } finally {
    progress.end();
  }
}

function stoppedError({ plain, outcome }: BothOutcomes, { steps }: RunSettings, { path }: RunFolder): SlothfulError {
  const [done, which] = plain?.stopped ? [plain.steps.length, 'the plain run '] : [outcome.steps.length, ''];
  return new SlothfulError('aborted', path, `${which}stopped after ${done} of ${steps} steps; what was done is there`);
}
