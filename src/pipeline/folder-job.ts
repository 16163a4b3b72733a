import { type PassDefinition, registerPass } from '../passes/index.ts';
import type { BackendName, ModelStore, SlothfulHook, UNet } from '../runtime/index.ts';
import { NODE_PLATFORM } from '../runtime/node.ts';
import type { RunExtent } from '../sampling/index.ts';
import { VERSION } from '../version.ts';
import { type OpenedModel, openModelOn, pixelsOf } from './open-model.ts';
import { type ControlNetFiles, readControlNets, type TextChoice } from './read-inputs.ts';
import type { ResolvedRun, RunChoices } from './resolve-run.ts';
import type { RunSource } from './run-document.ts';
import { type SteeredUNet, steer } from './steer.ts';

/** What a run and a sweep are asked for in common, by the names of files, and who is told how they get on. */
export interface FolderJob extends TextChoice, Omit<RunChoices, 'conditioning' | 'contextTokens' | 'patched'> {
  /** Folder, model.json or URL of the model. */
  readonly model: string;
  /** Passes of the caller's own, to be known by their names. */
  readonly use?: readonly PassDefinition[] | undefined;
  readonly controlNets?: readonly ControlNetFiles[] | undefined;
  /** Patch the ControlNets' own self-attentions too, default false. */
  readonly patchControlNets?: boolean | undefined;
  readonly ipAdapterScale?: number | undefined;
  /** Use this one or fail; by default the first that works. */
  readonly backend?: BackendName | undefined;
  /** Decides every site's strides before a step, in the place of the parameters. */
  readonly hook?: SlothfulHook | undefined;
  /** Folder for what is made; by default the next free one under `out/`. */
  readonly out?: string | undefined;
  /** Replace what an earlier job left there. */
  readonly force?: boolean | undefined;
  /** Stops the job between two steps: what is done is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Told what was chosen for the user, in words. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Told which backend computes, in one line. */
  readonly log?: ((line: string) => void) | undefined;
  /** Called when all is loaded, before the first step. */
  readonly onBegin?: (() => void) | undefined;
  /** Told how far each part of the job is: loading in bytes, the rest in steps. */
  readonly onProgress?: ((progress: JobProgress) => void) | undefined;
}

/** How far a part of a job is. */
export interface JobProgress {
  readonly part: 'loading' | 'denoising' | 'plain' | 'patched' | 'sweeping';
  readonly done: number;
  readonly total: number;
}

/** Opens a model in Node: by path, by URL, or in a store of the caller's own. See the browser's `openModel`. */
export function openModel(source: string | ModelStore): Promise<OpenedModel> {
  return openModelOn(NODE_PLATFORM, source);
}

/** Opens the model of a job, and tells its notes. */
export async function openJob({ model, use = [], onNote }: FolderJob): Promise<OpenedModel> {
  for (const definition of use) registerPass(definition, 'use');
  const opened = await openModel(model);
  for (const note of opened.notes) onNote?.(note);
  return opened;
}

/** Loads the model of a job, and what steers it. */
export async function steerJob(
  job: FolderJob,
  model: OpenedModel,
  extent: RunExtent,
  { parameters, passes }: Partial<Pick<ResolvedRun, 'parameters' | 'passes'>>,
): Promise<SteeredUNet> {
  const { controlNets = [], patchControlNets, ipAdapterScale, backend, hook, log, onNote, onProgress } = job;
  return steer(model, {
    ...{ patchControlNets, ipAdapterScale, backend, hook, log, onNote, parameters, passes },
    pixels: pixelsOf(extent),
    controlNets: await readControlNets(controlNets),
    onProgress: (done, total) => onProgress?.({ part: 'loading', done, total }),
  });
}

/** Where the pictures of a job come from, for its record. */
export function sourceOf(job: FolderJob, { place, graph }: OpenedModel, { backend }: UNet): RunSource {
  const { family } = graph.metadata;
  return {
    version: VERSION,
    model: place,
    family: typeof family === 'string' ? family : null,
    backend: { name: backend.name, device: backend.device },
    prompt: job.prompt ?? null,
    negative_prompt: job.negativePrompt ?? null,
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
