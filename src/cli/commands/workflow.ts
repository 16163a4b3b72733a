import type { Argv } from 'yargs';
import { messageOf, SlothfulError } from '../../errors.ts';
import { type Field, type Table, tableOf } from '../../pages/index.ts';
import {
  describeRefusal,
  describeWorkflow,
  type RefusedNode,
  readWorkflow,
  type WorkflowDocument,
  type WorkflowReading,
} from '../../workflows/index.ts';
import { readWorkflowFile } from '../../workflows/node.ts';
import { defineCommand } from '../define-command.ts';
import { printJson, printJsonText, printTables } from '../printer.ts';
import { printNote } from '../terminal.ts';

function options(cli: Argv<object>) {
  return cli
    .positional('file', {
      type: 'string',
      describe: 'a workflow that ComfyUI has saved or exported, or a PNG that it has made',
    })
    .option('from', { type: 'string', describe: 'a run.json instead: print a workflow that makes that run in ComfyUI' })
    .option('checkpoint', { type: 'string', describe: "with --from: ComfyUI's name of the checkpoint" })
    .option('output', { type: 'string', describe: 'id of the SaveImage or PreviewImage, where there are several' })
    .option('json', { type: 'boolean', default: false, describe: 'print what was understood as JSON' });
}

/** `slothful workflow <file>`, `slothful workflow --from run.json` */
export const workflowCommand = defineCommand({
  builder: options,
  async handler({ file, output, json, from, checkpoint }) {
    if (from !== undefined) {
      if (file !== undefined) throw new SlothfulError('usage', '--from', 'cannot be combined with a file', 'give one');
      // Only here: what reads runs brings TF.js along.
      const { workflowFromRun } = await import('../workflow/workflow-from-run.ts');
      printJsonText(await workflowFromRun(from, checkpoint));
      return;
    }
    if (file === undefined) {
      throw new SlothfulError('usage', 'file', 'is missing', 'give a workflow, or a run by --from run.json');
    }
    const reading = await readOrRefuse(file, output);
    if ('run' in reading) return print(describeWorkflow(reading.run), json);
    // Programs that asked for JSON get some whatever is wrong; the line is for people.
    if (json) printJson(describeRefusal(reading.refused, messageOf(reading.error)));
    throw reading.error;
  },
});

/** What is wrong with the file as a whole is of no node. */
async function readOrRefuse(file: string, output: string | undefined): Promise<WorkflowReading | Failure> {
  try {
    const { value, place } = await readWorkflowFile(file);
    return readWorkflow(value, place, { output });
  } catch (error) {
    return { refused: [], error };
  }
}

interface Failure {
  readonly refused: readonly RefusedNode[];
  readonly error: unknown;
}

function print(document: WorkflowDocument, json: boolean): void {
  if (json) {
    printJson(document);
    return;
  }
  for (const note of document.notes) printNote(note);
  printTables(tablesOf(document));
}

type Setting = readonly [name: string, value: string];

const SETTING_FIELDS: readonly Field<Setting>[] = [
  { key: 'setting', title: '', of: ([name]) => name },
  { key: 'value', title: '', of: ([, value]) => value },
];

function tablesOf(document: WorkflowDocument): Table[] {
  const passes = document.passes.flatMap((pass, index) => {
    const sampler = document.samplers[index];
    if (!sampler) return [];
    const title = `pass ${index + 1} (node ${sampler.id})`;
    return [tableOf(`pass_${index + 1}`, title, SETTING_FIELDS, passSettings(pass, sampler))];
  });
  return [tableOf('workflow', 'workflow', SETTING_FIELDS, settingsOf(document)), ...passes];
}

function settingsOf(document: WorkflowDocument): Setting[] {
  const { checkpoint, vae, loras, clip_skip, input_image, width, height, batch, tiles, output } = document;
  return [
    ['checkpoint', checkpoint],
    ['VAE', vae ?? "the checkpoint's"],
    ...loras.map(({ name, model, clip }): Setting => ['LoRA', `${name}, model ${model}, CLIP ${clip}`]),
    ...(clip_skip === -1 ? [] : [['CLIPSetLastLayer', String(clip_skip)] as const]),
    ['starts from', input_image ?? `noise of ${width} x ${height}`],
    ['pictures', String(batch)],
    ...(tiles ? [['decoded in tiles of', String(tiles.tile_size)] as const] : []),
    ['output', `node ${output.id}, ${output.filename_prefix}`],
  ];
}

type Pass = WorkflowDocument['passes'][number];
type Sampler = WorkflowDocument['samplers'][number];

function passSettings(pass: Pass, sampler: Sampler): Setting[] {
  const { add_noise, start_at_step, end_at_step, return_with_leftover_noise, freeu } = pass;
  const part = `steps ${start_at_step} to ${end_at_step}, ${add_noise ? 'with' : 'without'} noise at first`;
  const left = return_with_leftover_noise ? 'what is left of it kept' : 'all of it taken away';
  const { freeu_version, model_sampling, positive_sdxl, negative_sdxl } = sampler;
  return [
    ['prompt', oneLine(pass.prompt)],
    ...(positive_sdxl ? [['prompt, SDXL', valuesOf(positive_sdxl)] as const] : []),
    ['negative', oneLine(pass.negative)],
    ...(negative_sdxl ? [['negative, SDXL', valuesOf(negative_sdxl)] as const] : []),
    ['seed', pass.seed],
    ['sampler', `${pass.sampler}, ${pass.scheduler}, ${pass.steps} steps, cfg ${pass.cfg}`],
    pass.denoise === undefined ? ['part', `${part}, ${left}`] : ['denoise', String(pass.denoise)],
    ...(model_sampling ? [['ModelSamplingDiscrete', valuesOf(model_sampling)] as const] : []),
    ...(freeu ? [[freeu_version === 2 ? 'FreeU_V2' : 'FreeU', valuesOf(freeu)] as const] : []),
    ...pass.slothful.map(({ node, params }): Setting => [node, valuesOf(params)]),
  ];
}

function oneLine(text: string): string {
  return JSON.stringify(text);
}

function valuesOf(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value.replace(/\s+/g, ' ') : value}`)
    .join(', ');
}
