import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { type FolderRun, type RunJob, readRunOf, runToFolder } from '../../jobs/node.ts';
import { formatFlops } from '../../pages/index.ts';
import type { Measures } from '../../pictures/index.ts';
import { parametersLine, passLines, type RunRecord, stepsDone } from '../../pipeline/index.ts';
import { pictureSeed } from '../../sampling/index.ts';
import { defineCommand } from '../define-command.ts';
import { givenOf } from '../flags/given.ts';
import { jobReports, readJob, withJobModel, withSteeringFlags } from '../flags/job-flags.ts';
import { printJson, printLine } from '../printer.ts';
import { interruptible, printNote, startBars } from '../terminal.ts';
import { readWorkflowJob, type WorkflowArguments } from '../workflow/read-workflow-job.ts';
import { prepareWorkflowModel } from '../workflow/workflow-model.ts';

function options(cli: Argv<object>) {
  return withSteeringFlags(
    withJobModel(cli)
      .option('batch', { type: 'number', describe: 'images at once; image i is that of seed + i' })
      .option('compare', {
        type: 'boolean',
        default: false,
        describe: 'also without Slothful Attention, same noise',
      })
      .option('workflow', {
        type: 'string',
        describe: 'a workflow of ComfyUI, or a PNG that it made: run it; flags go over what it says',
      })
      .option('models', {
        type: 'string',
        describe: "ComfyUI's folder of models: a model that is not there is converted from the workflow's checkpoint",
      })
      .option('output', { type: 'string', describe: "id of the workflow's SaveImage, where there are several" })
      .option('from', { type: 'string', describe: 'a PNG: make its run again; flags go over what it says' })
      .option('preview', { type: 'number', describe: 'write a picture every so many steps' })
      .option('out', { type: 'string', describe: 'folder for pictures and run.json; default: the next out/run-N' })
      .option('force', { type: 'boolean', default: false, describe: 'replace an earlier run' })
      .option('json', { type: 'boolean', default: false, describe: 'print run.json' }),
  );
}

/** `slothful run <model> --prompt words [parameters]` */
export const runCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const { compare, preview, from } = argv;
    const asked = await readJob(argv);
    const job = argv.workflow === undefined ? await withPicture(asked, from) : await withWorkflow(asked, argv);
    const bars = startBars();
    const done = await interruptible(({ signal, begin }) =>
      runToFolder({
        ...job,
        ...{ compare, preview, signal, alsoRead: [...(job.alsoRead ?? []), ...readBeside(argv)] },
        onBegin: begin,
        ...jobReports(bars),
      }),
    ).finally(() => bars.end());
    print(done, argv.json);
    if (done.record.stopped) throw stoppedError(done);
  },
});

/** Files that are no part of the job and were read for it. */
function readBeside({
  from,
  workflow,
}: {
  readonly from?: string | undefined;
  readonly workflow?: string | undefined;
}) {
  return [from, workflow].filter((path) => path !== undefined);
}

/** What a workflow asks for, under what the flags say; its model is made where it is not there. */
async function withWorkflow(
  job: RunJob,
  argv: WorkflowArguments & { readonly from?: string | undefined },
): Promise<RunJob> {
  const { workflow = '', models, from } = argv;
  if (from !== undefined) throw new SlothfulError('usage', '--from', 'cannot be combined with --workflow', 'give one');
  const { run, choices } = await readWorkflowJob(workflow, argv, job.initImage !== undefined);
  await prepareWorkflowModel(run, job.model, models);
  return underFlags(choices, job);
}

/** What a picture says of its run, under what the flags say. */
async function withPicture(job: RunJob, from: string | undefined): Promise<RunJob> {
  if (from === undefined) return job;
  const { choices, notes } = await readRunOf(from);
  const isOfImage = choices.definitions !== 'comfyui' || notes.some(({ flag }) => flag === 'initImage');
  if (choices.strength !== undefined && isOfImage && job.initImage === undefined) {
    const cure = 'give it with --init-image';
    throw new SlothfulError('usage', '--from', `${from} was made from an image, which it does not hold`, cure);
  }
  for (const { text, flag } of notes) if (!isGiven(flag && job[flag])) printNote(text);
  return underFlags(choices, job);
}

const isGiven = (value: unknown): boolean => value !== undefined && !(Array.isArray(value) && !value.length);

/** Choices with the flags over them, parameter by parameter. */
function underFlags(choices: Partial<RunJob>, job: RunJob): RunJob {
  const parameters = { ...choices.parameters, ...job.parameters };
  const passes = { ...choices.passes };
  for (const [name, values] of Object.entries(job.passes ?? {})) passes[name] = { ...passes[name], ...values };
  const isSized = job.size !== undefined || job.rows !== undefined;
  const isTold = job.cond !== undefined;
  return {
    ...job,
    ...choices,
    ...(isTold ? { prompt: undefined, negativePrompt: undefined, prompt2: undefined, negativePrompt2: undefined } : {}),
    ...(isTold ? { weights: undefined, clipSkip: undefined } : {}),
    ...(isSized ? { size: undefined } : {}),
    ...(job.sampler === undefined ? {} : { sigmas: undefined }),
    ...givenOf(job),
    ...(job.sizes || choices.sizes ? { sizes: { ...choices.sizes, ...givenOf(job.sizes ?? {}) } } : {}),
    ...(Object.keys(parameters).length ? { parameters } : {}),
    passes,
  };
}

function stoppedError({ folder, record }: FolderRun): SlothfulError {
  const { steps, plain } = record;
  const total = stepsAsked(record);
  const [count, which] =
    plain && plain.steps.length < total ? [plain.steps.length, 'the plain run '] : [steps.length, ''];
  const problem = `${which}stopped after ${count} of ${total} steps; what was done is there`;
  return new SlothfulError('aborted', folder, problem);
}

/** Prints what a run left and what it cost. */
function print({ folder, files, record, exact }: FolderRun, json: boolean): void {
  if (json) {
    printJson({ folder, ...record });
    return;
  }
  printLine(`${folder}: ${[...files, 'run.json'].join(', ')}`);
  printLine(stepsLine(record));
  if (record.parameters) {
    printLine(attentionLine(record));
    printLine(parametersLine(record.parameters));
  }
  for (const line of passLines(record.passes)) printLine(line);
  for (const [image, measures] of (record.measures ?? []).entries()) {
    printLine(measuresLine(measures, pictureSeed(record.settings, image), exact));
  }
}

/** Steps of the run and of those that go on from it. */
function stepsAsked({ settings, next = [] }: RunRecord): number {
  return [{ settings }, ...next].reduce((sum, part) => sum + stepsDone(part.settings), 0);
}

function stepsLine(record: RunRecord): string {
  const { steps, milliseconds, settings, plain } = record;
  const { type } = settings.scheduler;
  const each = (ms: number, count: number) =>
    `${(ms / 1000).toFixed(1)} s (${Math.round(ms / Math.max(1, count))} ms a step)`;
  const own = `${type}, ${steps.length} of ${stepsAsked(record)} steps in ${each(milliseconds, steps.length)}`;
  return plain ? `${own}; without Slothful Attention ${each(plain.milliseconds, plain.steps.length)}` : own;
}

function attentionLine({ steps, attention_flops: flops }: RunRecord): string {
  const [first] = steps;
  const tokens = first ? `${first.kv_tokens} of ${first.tokens} K/V tokens in the first step` : 'no step was done';
  if (!flops) return tokens;
  const share = Math.round((100 * flops.patched) / flops.plain);
  return `${tokens}; self-attention ${formatFlops(flops.patched)} of ${formatFlops(flops.plain)} (${share} %)`;
}

function measuresLine(measures: Measures, seed: string, exact: boolean): string {
  const { psnr, ssim, high_frequency_ratio: detail, gradient_similarity: gradients } = measures;
  const ratio = psnr === null ? 'the same' : `PSNR ${psnr.toFixed(1)} dB`;
  const fine = detail === null ? '' : `, fine detail ${detail.toFixed(2)}x`;
  const what = exact ? 'the plain picture' : 'the plain latents';
  return `seed ${seed} against ${what}: ${ratio}, SSIM ${ssim.toFixed(3)}${fine}, gradients ${gradients.toFixed(3)}`;
}
