import { formatPythonJson } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { sentPrompt } from './dynamic-prompt.ts';
import { type Draft, type DraftLink, layOut } from './layout.ts';
import type { WorkflowLatent, WorkflowPass, WorkflowPrompt, WorkflowRun } from './run.ts';

/** Adds a node, or finds the one that is the same: prompts and models of several samplers are drawn once. */
type Add = (classType: string, inputs: Draft['inputs'], id?: string) => Draft;

/**
 * A workflow that ComfyUI's page opens (schema 0.4) and that asks for this run. Reading it gives the run again, but for its
 * notes: the seeds are set to stay as they are. Ids of samplers and of the output are kept where they are numbers.
 *
 * @returns what `formatPythonJson` writes with all digits of seeds, which are bigints where a double does not hold them
 * @throws SlothfulError `unsupported` for noises of a batch that do not follow each other
 */
export function writeWorkflow(run: WorkflowRun): object {
  const drafts: Draft[] = [];
  const add: Add = (classType, inputs, id) => {
    const same = drafts.find((draft) => draft.classType === classType && isSame(draft.inputs, inputs));
    const draft = same ?? { classType, inputs, id };
    if (!same) drafts.push(draft);
    return draft;
  };
  const loaded = addLoaded(add, run);
  let latent = addLatent(add, run.latent, loaded.vae);
  for (const pass of run.passes) latent = output(addSampler(add, pass, loaded, latent));
  const decode = { samples: latent, vae: loaded.vae };
  const picture = run.tiles
    ? add('VAEDecodeTiled', { ...decode, tile_size: run.tiles.tileSize, overlap: run.tiles.overlap })
    : add('VAEDecode', decode);
  const { nodeId, filenamePrefix } = run.output;
  add('SaveImage', { images: output(picture), filename_prefix: filenamePrefix }, nodeId);
  return layOut(drafts);
}

/** The same as the text of a file. */
export function workflowText(run: WorkflowRun): string {
  return formatPythonJson(writeWorkflow(run));
}

/** What every sampler shares. */
interface Loaded {
  readonly model: DraftLink;
  readonly clip: DraftLink;
  readonly vae: DraftLink;
}

const output = (from: Draft, slot = 0): DraftLink => ({ from, slot });

function isSame(a: Draft['inputs'], b: Draft['inputs']): boolean {
  const isEqual = (one: unknown, other: unknown) => {
    return isLink(one) && isLink(other) ? one.from === other.from && one.slot === other.slot : one === other;
  };
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => isEqual(a[name], b[name]));
}

function isLink(value: unknown): value is DraftLink {
  return typeof value === 'object' && value !== null;
}

function addLoaded(add: Add, { checkpoint, vae, loras, clipSkip }: WorkflowRun): Loaded {
  const loader = add('CheckpointLoaderSimple', { ckpt_name: checkpoint });
  let model = output(loader);
  let clip = output(loader, 1);
  for (const lora of loras) {
    const strengths = { lora_name: lora.name, strength_model: lora.model };
    if (lora.clip === 0) {
      model = output(add('LoraLoaderModelOnly', { model, ...strengths }));
      continue;
    }
    const both = add('LoraLoader', { model, clip, ...strengths, strength_clip: lora.clip });
    model = output(both);
    clip = output(both, 1);
  }
  if (clipSkip !== -1) clip = output(add('CLIPSetLastLayer', { clip, stop_at_clip_layer: clipSkip }));
  return { model, clip, vae: vae === null ? output(loader, 2) : output(add('VAELoader', { vae_name: vae })) };
}

function addLatent(add: Add, latent: WorkflowLatent, vae: DraftLink): DraftLink {
  const { batch, batchIndex } = latent;
  const from = batchIndex?.[0] ?? 0;
  if (batchIndex?.some((index, at) => index !== from + at)) {
    const problem = `noises ${batchIndex.join(', ')} of a batch do not follow each other`;
    throw new SlothfulError('unsupported', 'workflow', problem);
  }
  const all = from + batch;
  const samples =
    latent.kind === 'empty'
      ? output(add('EmptyLatentImage', { width: latent.width, height: latent.height, batch_size: all }))
      : addPicture(add, latent.image, vae, all);
  if (!batchIndex) return samples;
  return output(add('LatentFromBatch', { samples, batch_index: from, length: batch }));
}

function addPicture(add: Add, image: string, vae: DraftLink, copies: number): DraftLink {
  const pixels = output(add('LoadImage', { image }));
  const samples = output(add('VAEEncode', { pixels, vae }));
  return copies === 1 ? samples : output(add('RepeatLatentBatch', { samples, amount: copies }));
}

function addSampler(add: Add, pass: WorkflowPass, loaded: Loaded, latent: DraftLink): Draft {
  const { nodeId, steps, cfg, advanced, denoise } = pass;
  const shared = {
    ...{ model: addModel(add, pass, loaded.model), steps, cfg },
    ...{ sampler_name: pass.sampler, scheduler: pass.scheduler, latent_image: latent },
    positive: addPrompt(add, pass.positive, loaded.clip),
    negative: addPrompt(add, pass.negative, loaded.clip),
  };
  const seed = Number.isSafeInteger(Number(pass.seed)) ? Number(pass.seed) : pass.seed;
  if (!advanced) return add('KSampler', { ...shared, seed, denoise }, nodeId);
  const inputs = {
    ...{ noise_seed: seed, add_noise: enable(advanced.addNoise) },
    ...{ start_at_step: advanced.startAtStep, end_at_step: advanced.endAtStep },
    return_with_leftover_noise: enable(advanced.returnWithLeftoverNoise),
  };
  return add('KSamplerAdvanced', { ...shared, ...inputs }, nodeId);
}

function enable(value: boolean): string {
  return value ? 'enable' : 'disable';
}

function addModel(add: Add, { modelSampling, freeu, slothful }: WorkflowPass, loaded: DraftLink): DraftLink {
  let model = loaded;
  if (modelSampling) model = output(add('ModelSamplingDiscrete', { model, ...modelSampling }));
  if (freeu) {
    const { version, ...scales } = freeu;
    model = output(add(version === 1 ? 'FreeU' : 'FreeU_V2', { model, ...scales }));
  }
  for (const { node, params } of slothful) model = output(add(node, { model, ...params }));
  return model;
}

function addPrompt(add: Add, { text, textG, sizes }: WorkflowPrompt, clip: DraftLink): DraftLink {
  if (!sizes) return output(add('CLIPTextEncode', { clip, text: addText(add, text) }));
  const inputs = {
    ...{ width: sizes.width, height: sizes.height, crop_w: sizes.cropWidth, crop_h: sizes.cropHeight },
    ...{ target_width: sizes.targetWidth, target_height: sizes.targetHeight },
    ...{ text_g: addText(add, textG ?? text), text_l: addText(add, text) },
  };
  return output(add('CLIPTextEncodeSDXL', { clip, ...inputs }));
}

/** A text that the page would not send as it is, if it stood in the prompt's own widget, is a node of its own. */
function addText(add: Add, text: string): string | DraftLink {
  return sentPrompt(text).text === text ? text : output(add('PrimitiveStringMultiline', { value: text }));
}
