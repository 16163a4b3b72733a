import { basename } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { parseParameters, SLOTHFUL_SECOND } from '../passes/index.ts';
import type { RunRecord } from '../pipeline/index.ts';
import { drawsBatchAtOnce, isSolverConfig, parseSeed } from '../sampling/index.ts';
import {
  type SlothfulNode,
  type WorkflowFreeU,
  type WorkflowPass,
  type WorkflowRun,
  workflowText,
} from '../workflows/index.ts';

/** The text of the workflow of a run, for its pictures; undefined of a run that a workflow cannot say. */
export function pictureWorkflow(record: RunRecord, models: WorkflowModels): string | undefined {
  try {
    return workflowText(workflowOfRun(record, models));
  } catch (error) {
    if (error instanceof SlothfulError && error.code === 'unsupported') return undefined;
    throw error;
  }
}

/** What a record does not say of the models, and of how ComfyUI saves. */
export interface WorkflowModels
  extends Pick<WorkflowRun, 'checkpoint' | 'loras'>,
    Partial<Pick<WorkflowRun, 'vae' | 'tiles'>> {
  readonly filenamePrefix?: string | undefined;
}

type Part = NonNullable<RunRecord['next']>[number];

/**
 * A workflow for ComfyUI that makes the run of a record; in its notes, in what the picture will differ.
 *
 * @throws SlothfulError `unsupported` for several prompts, or where it was told tensors
 */
export function workflowOfRun(record: RunRecord, models: WorkflowModels): WorkflowRun {
  if (record.prompts || record.cond !== null) {
    const problem = record.prompts ? 'was made of several prompts' : 'was told tensors, not words';
    throw new SlothfulError('unsupported', 'run.json', `${problem}, which a workflow cannot say`);
  }
  const { checkpoint, loras, vae = null, tiles = null, filenamePrefix = 'slothful' } = models;
  const { settings, parameters, passes, prompt, negative_prompt, text } = record;
  const first: Part = {
    prompt,
    negative_prompt,
    ...(text ? { text } : {}),
    settings,
    parameters,
    passes,
    first_step: 0,
  };
  const parts = [first, ...(record.next ?? [])];
  const clipSkip = text?.clip_skip ?? 1;
  return {
    ...{ checkpoint, loras, vae, tiles },
    clipSkip: -clipSkip,
    latent: latentOf(record),
    passes: parts.map((part, index) => passOf(part, String(index + 1))),
    output: { nodeId: String(parts.length + 1), filenamePrefix },
    notes: [...new Set([...recordNotes(record), ...parts.flatMap(partNotes)])],
  };
}

function latentOf({ settings, start }: RunRecord): WorkflowRun['latent'] {
  const { rows, columns, scale, batch, batch_index } = settings;
  const many = { batch, batchIndex: batch_index ?? null };
  if (start?.init_image !== undefined) return { kind: 'image', image: basename(start.init_image), ...many };
  return { kind: 'empty', width: columns * scale, height: rows * scale, ...many };
}

function passOf({ prompt, negative_prompt, text, settings, parameters, passes }: Part, nodeId: string): WorkflowPass {
  const { scheduler, seed, steps, guidance_scale, strength = 1, part } = settings;
  const second = passes[SLOTHFUL_SECOND.name];
  return {
    nodeId,
    positive: promptOf(prompt, text?.prompt_2?.[0], text?.sizes, settings),
    negative: promptOf(negative_prompt, text?.negative_prompt_2?.[0], text?.sizes, settings),
    ...{ seed: parseSeed(seed, 'run.json settings.seed'), steps, cfg: guidance_scale, denoise: strength },
    ...{ sampler: scheduler.type, scheduler: scheduler.sigmas },
    advanced: part
      ? {
          ...{ addNoise: part.add_noise, startAtStep: part.start_at_step, endAtStep: part.end_at_step },
          returnWithLeftoverNoise: part.return_with_leftover_noise,
        }
      : null,
    slothful: [parameters, second].flatMap((values) => (values ? [slothfulNode(values)] : [])),
    freeu: freeuOf(passes.freeu),
    modelSampling: modelSamplingOf(settings),
  };
}

type Sizes = NonNullable<RunRecord['text']>['sizes'];

/** SDXL's own node holds a second prompt and sizes; where one of them is given, both are. */
function promptOf(words: string | null, second: string | undefined, sizes: Sizes, settings: RunRecord['settings']) {
  const text = words ?? '';
  if (second === undefined && !sizes) return { text };
  const own = { width: settings.columns * settings.scale, height: settings.rows * settings.scale };
  const { original = own, crop = { top: 0, left: 0 }, target = own } = sizes ?? {};
  return {
    ...{ text, textG: second ?? text },
    sizes: {
      ...{ width: original.width, height: original.height, cropWidth: crop.left, cropHeight: crop.top },
      ...{ targetWidth: target.width, targetHeight: target.height },
    },
  };
}

function slothfulNode(values: Readonly<Record<string, unknown>>): SlothfulNode {
  const parameters = { ...parseParameters(values), compat: 'comfyui' as const };
  const { compat: _, ...params } = parameters;
  return { node: 'SlothfulAttention', params, parameters };
}

function freeuOf(values: Readonly<Record<string, unknown>> | undefined): WorkflowFreeU | null {
  if (!values) return null;
  const { b1, b2, s1, s2, variant } = values;
  const numbers = { b1: Number(b1), b2: Number(b2), s1: Number(s1), s2: Number(s2) };
  return { version: String(variant).endsWith('v2') ? 2 : 1, ...numbers };
}

function modelSamplingOf({ scheduler }: RunRecord['settings']): WorkflowPass['modelSampling'] {
  if (!isSolverConfig(scheduler)) return null;
  const { model_sampling, rescale_betas_zero_snr: zsnr = false, prediction_type } = scheduler;
  if (model_sampling) return { sampling: model_sampling, zsnr };
  return zsnr ? { sampling: prediction_type === 'epsilon' ? 'eps' : prediction_type, zsnr } : null;
}

function recordNotes({ companions, start, text, settings }: RunRecord): string[] {
  const { weights = 'comfyui' } = text ?? {};
  return [
    ...(companions.controlnets.length ? ['its ControlNets are left out'] : []),
    ...(companions.image_embeds === null ? [] : ['its IP-Adapter is left out']),
    ...(start?.mask === undefined ? [] : ['its mask is left out']),
    ...(settings.image_guidance_scale === undefined ? [] : ['its image guidance is left out']),
    ...(start?.noise === undefined ? [] : ['it was made of given noise, which a workflow does not hold']),
    ...(weights === 'comfyui' ? [] : [`weights in prompts act as in ComfyUI there, and were ${weights} here`]),
    ...(drawsBatchAtOnce(settings.rng) ? [] : ['the noise of a seed is another one in ComfyUI: so is the picture']),
  ];
}

/** Names of passes that a workflow has nodes for. */
const KNOWN = new Set<string>([SLOTHFUL_SECOND.name, 'freeu']);

function partNotes({ settings: { scheduler }, parameters, passes }: Part): string[] {
  const others = Object.keys(passes).filter((name) => !KNOWN.has(name));
  const isCompat = !parameters || parameters.compat === 'comfyui';
  return [
    ...others.map((name) => `the pass ${name} is left out`),
    ...(isSolverConfig(scheduler) ? [] : [`${scheduler.type} was diffusers' here, and is ComfyUI's there`]),
    ...(isCompat ? [] : ['the original node differs on odd sizes and at blends of 1']),
    ...(passes.freeu?.variant === 'diffusers' ? ["FreeU was diffusers' here, and is ComfyUI's there"] : []),
  ];
}
