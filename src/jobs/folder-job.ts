import { type PassDefinition, registerPass } from '../passes/index.ts';
import {
  isImageEmbeds,
  type NextRun,
  type OpenedModel,
  openModelOn,
  type PipelineSetup,
  type RunChoices,
  type RunSource,
} from '../pipeline/index.ts';
import type { ModelSource } from '../runtime/index.ts';
import { NODE_PLATFORM } from '../runtime/node.ts';
import { type Prompts, promptList } from '../text/index.ts';
import { VERSION } from '../version.ts';
import { type OnNote, readAsked } from './asked-tensors.ts';
import { type ControlNetFiles, readControlNets, readText, type TextChoice } from './read-inputs.ts';
import { readStart, type StartFiles } from './read-start.ts';
import { RunFolder } from './run-folder.ts';

/** What a run and a sweep are asked for in common, by the names of files, and who is told how they get on. */
export interface FolderJob
  extends TextChoice,
    StartFiles,
    Omit<RunChoices, 'conditioning' | 'contextTokens' | 'guidable' | 'patched'>,
    Omit<PipelineSetup, 'text' | 'start' | 'imageEmbeds' | 'controlNets'> {
  /** Folder, model.json or URL of the model, or of a whole pipeline. */
  readonly model: string;
  /** Passes of the caller's own, to be known by their names. */
  readonly use?: readonly PassDefinition[] | undefined;
  readonly controlNets?: readonly ControlNetFiles[] | undefined;
  /** Safetensors file with an IP-Adapter's `image_embeds`. */
  readonly imageEmbeds?: string | undefined;
  /** Safetensors file with the noise to start from: see `readNoise`. */
  readonly noise?: string | undefined;
  /** Folder for what is made; by default the next free one under `out/`. */
  readonly out?: string | undefined;
  /** Replace what an earlier job left there, when this one is done and if nothing else is there. */
  readonly force?: boolean | undefined;
  /** Other files that were read for it (parameters, a workflow), which the folder may not hold. */
  readonly alsoRead?: readonly string[] | undefined;
  /** Called when all is loaded, before the first step. */
  readonly onBegin?: (() => void) | undefined;
}

/** A run that goes on from the latents of another, with choices of its own. */
export interface NextJob extends TextChoice, Omit<NextRun, 'text' | 'prompt'> {}

/** Opens a model in Node: by path, by URL, or in a store of the caller's own. See the browser's `openModel`. */
export function openModel(source: ModelSource): Promise<OpenedModel> {
  return openModelOn(NODE_PLATFORM, source);
}

/** Opens the model of a job, and tells its notes. */
export async function openJob({ model, use = [], onNote }: FolderJob): Promise<OpenedModel> {
  for (const definition of use) registerPass(definition, 'use');
  const opened = await openModel(model);
  for (const note of opened.notes) onNote?.(note);
  return opened;
}

/**
 * Reads the files that a job names.
 *
 * @throws SlothfulError `io`, `bad-input`, `bad-checkpoint`, `bad-model`, `usage`
 */
export async function setupOf(job: FolderJob, model: OpenedModel): Promise<PipelineSetup> {
  const { imageEmbeds: place, patchControlNets, ipAdapterScale, timestepInput, sizes, decoder, tile } = job;
  const { hook, backend, signal, onNote, log, onProgress } = job;
  return {
    text: await readText(model, job),
    start: await readStart(job),
    controlNets: await readControlNets(job.controlNets ?? []),
    imageEmbeds: place === undefined ? undefined : await readImageEmbeds(place, onNote),
    ...{ patchControlNets, ipAdapterScale, timestepInput, sizes, decoder, tile },
    ...{ hook, backend, signal, onNote, log, onProgress },
  };
}

async function readImageEmbeds(place: string, onNote: OnNote): Promise<PipelineSetup['imageEmbeds']> {
  const { tensors } = await readAsked(place, isImageEmbeds, onNote);
  return { tensors, place };
}

/** The folder of a job, which is none of what the job reads. @throws SlothfulError `exists`, `io` */
export function openFolder(job: FolderJob, name: 'run' | 'sweep'): Promise<RunFolder> {
  const { out, force, onNote } = job;
  return RunFolder.open(out, { name, record: `${name}.json`, force, onNote, inputs: filesOf(job) });
}

/** The paths and URLs of everything that a job reads. */
function filesOf({ model, noise, cond, uncond, initImage, mask, imageEmbeds, ...job }: FolderJob): string[] {
  const nets = (job.controlNets ?? []).flatMap((net) => [net.model, net.image]);
  const named = [model, noise, cond, uncond, initImage, mask, imageEmbeds, ...nets, ...(job.alsoRead ?? [])];
  return named.filter((path) => path !== undefined);
}

/** Where the pictures of a job come from, for its record. */
export function sourceOf(job: FolderJob, { place, graph }: OpenedModel, backend: RunSource['backend']): RunSource {
  const { family } = graph.metadata;
  return {
    version: VERSION,
    model: place,
    family: typeof family === 'string' ? family : null,
    backend: { name: backend.name, device: backend.device },
    ...promptsOf(job),
    cond: job.cond ?? null,
    uncond: job.uncond ?? null,
    companions: {
      controlnets: (job.controlNets ?? []).map(({ model, image, scale = 1 }) => ({ model, image, scale })),
      controlnets_patched: job.patchControlNets ?? false,
      image_embeds: job.imageEmbeds ?? null,
      ip_adapter_scale: job.ipAdapterScale ?? null,
    },
  };
}

type Told = Pick<RunSource, 'prompt' | 'negative_prompt' | 'prompts' | 'negative_prompts' | 'text' | 'start'>;

function promptsOf(job: FolderJob): Told {
  const [prompts, negative] = [promptList(job.prompt), promptList(job.negativePrompt)];
  const start = { init_image: job.initImage, mask: job.mask, noise: job.noise };
  return {
    prompt: prompts[0] ?? null,
    negative_prompt: negative[0] ?? null,
    ...{ prompts: several(job.prompt, 2), negative_prompts: several(job.negativePrompt, 2) },
    ...textOf(job),
    ...(isAsked(start) ? { start } : {}),
  };
}

/** What was asked of a text beside the prompts, for a record; nothing where nothing was. */
export function textOf(job: TextChoice & Pick<PipelineSetup, 'sizes'>): Pick<RunSource, 'text'> {
  const text = {
    ...{ weights: job.weights, clip_skip: job.clipSkip },
    ...{ prompt_2: several(job.prompt2, 1), negative_prompt_2: several(job.negativePrompt2, 1) },
    sizes: job.sizes && { original: job.sizes.original, crop: job.sizes.crop, target: job.sizes.target },
  };
  return isAsked(text) ? { text } : {};
}

const isAsked = (fields: object): boolean => Object.values(fields).some((value) => value !== undefined);

function several(prompts: Prompts | undefined, least: number): string[] | undefined {
  const all = promptList(prompts);
  return all.length >= least ? [...all] : undefined;
}
