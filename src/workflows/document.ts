import {
  constant,
  type DocumentOf,
  either,
  flag,
  integer,
  list,
  nullable,
  number,
  object,
  optional,
  table,
  text,
} from '../documents/index.ts';
import type { RefusedNode } from './check.ts';
import type { WorkflowFreeU, WorkflowLatent, WorkflowPass, WorkflowPrompt, WorkflowRun } from './run.ts';

const SLOTHFUL = list(
  object({
    node: text({ description: "the node's class" }),
    params: table(either([number(), text(), flag()]), { description: 'as the node has them' }),
  }),
  { description: 'in the order in which they act' },
);
const FREE_U = nullable(object({ b1: number(), b2: number(), s1: number(), s2: number() }));
const SEED = text({ description: '0 to 2^64 - 1, as text: a double does not hold it' });
const STEPS = integer({ minimum: 1 });

/** What a pass of every sampler has; of KSampler it is also the document's own. */
const PASS_FIELDS = {
  ...{ prompt: text(), negative: text() },
  ...{ steps: STEPS, sampler: text(), scheduler: text(), seed: SEED, cfg: number() },
  ...{ freeu: FREE_U, slothful: SLOTHFUL },
};

const PASS = object({
  ...PASS_FIELDS,
  denoise: optional(number({ description: "KSampler's" })),
  add_noise: optional(flag({ description: "KSamplerAdvanced's, as the next three" })),
  start_at_step: optional(integer({ minimum: 0 })),
  end_at_step: optional(integer({ minimum: 0 })),
  return_with_leftover_noise: optional(flag()),
});

const PROMPT = object({
  text_g: text({ description: "for SDXL's second text encoder" }),
  ...{ width: integer(), height: integer(), crop_width: integer(), crop_height: integer() },
  ...{ target_width: integer(), target_height: integer() },
});

const SAMPLER = object({
  id: text(),
  freeu_version: nullable(integer({ minimum: 1, maximum: 2, description: '2: FreeU_V2' })),
  model_sampling: nullable(object({ sampling: text(), zsnr: flag() })),
  positive_sdxl: nullable(PROMPT, { description: 'of CLIPTextEncodeSDXL' }),
  negative_sdxl: nullable(PROMPT),
});

const UNDERSTOOD = object({
  schema: constant('slothful-workflow/1'),
  understood: constant(true),
  checkpoint: text(),
  vae: nullable(text(), { description: "null: the checkpoint's own" }),
  loras: list(object({ name: text(), model: number(), clip: number() })),
  clip_skip: integer({ description: "CLIPSetLastLayer's: -1 the last layer" }),
  ...PASS_FIELDS,
  input_image: nullable(text()),
  width: nullable(integer({ minimum: 1 }), { description: 'in pixels; null: of the image' }),
  height: nullable(integer({ minimum: 1 })),
  batch: integer({ minimum: 1 }),
  batch_index: nullable(list(integer({ minimum: 0 })), { description: 'which noises of a larger batch' }),
  denoise: number(),
  passes: list(PASS, { description: 'one a sampler; the values above are those of the first', minItems: 1 }),
  samplers: list(SAMPLER, { description: 'what else is known of each pass' }),
  tiles: nullable(object({ tile_size: integer(), overlap: integer() }), { description: 'of VAEDecodeTiled' }),
  output: object({ id: text(), filename_prefix: text() }),
  notes: list(text()),
});
const REFUSED = object({
  schema: constant('slothful-workflow/1'),
  understood: constant(false),
  refused: list(object({ class_type: text(), id: text(), because: text() })),
  because: text({ description: 'all of it in one line' }),
});

/** What `slothful workflow FILE --json` prints. */
export const WORKFLOW_DOCUMENT = either([UNDERSTOOD, REFUSED], { title: 'slothful workflow, version 1' });
/** A workflow that was understood, as a document. */
export type WorkflowDocument = DocumentOf<typeof UNDERSTOOD>;

type PassDocument = DocumentOf<typeof PASS>;

/** What a workflow asks for, as a document; the values at its top are those of its first pass. */
export function describeWorkflow(run: WorkflowRun): WorkflowDocument {
  const passes = run.passes.map(describePass);
  const [first] = run.passes;
  const [pass] = passes;
  if (!first || !pass) throw new RangeError('a run has at least one pass');
  const { prompt, negative, steps, sampler, scheduler, seed, cfg, freeu, slothful } = pass;
  return {
    ...{ schema: 'slothful-workflow/1', understood: true, checkpoint: run.checkpoint, vae: run.vae },
    ...{ loras: run.loras, clip_skip: run.clipSkip },
    ...{ prompt, negative, steps, sampler, scheduler, seed, cfg, freeu, slothful },
    ...describeLatent(run.latent),
    denoise: first.denoise,
    passes,
    samplers: run.passes.map(describeSampler),
    tiles: run.tiles && { tile_size: run.tiles.tileSize, overlap: run.tiles.overlap },
    output: { id: run.output.nodeId, filename_prefix: run.output.filenamePrefix },
    notes: run.notes,
  };
}

/** Why a workflow was not understood, as the document that stands in the place of the other. */
export function describeRefusal(refused: readonly RefusedNode[], because: string): DocumentOf<typeof REFUSED> {
  const nodes = refused.map(({ classType, id, because }) => ({ class_type: classType, id, because }));
  return { schema: 'slothful-workflow/1', understood: false, refused: nodes, because };
}

function describeLatent(latent: WorkflowLatent) {
  const { batch, batchIndex } = latent;
  const image = latent.kind === 'image' ? latent.image : null;
  const { width, height } = latent.kind === 'empty' ? latent : { width: null, height: null };
  return { input_image: image, width, height, batch, batch_index: batchIndex };
}

function describePass(pass: WorkflowPass): PassDocument {
  const { steps, sampler, scheduler, cfg, denoise, advanced } = pass;
  return {
    ...{ prompt: pass.positive.text, negative: pass.negative.text },
    ...{ steps, sampler, scheduler, seed: String(pass.seed), cfg },
    ...(advanced
      ? {
          add_noise: advanced.addNoise,
          start_at_step: advanced.startAtStep,
          end_at_step: advanced.endAtStep,
          return_with_leftover_noise: advanced.returnWithLeftoverNoise,
        }
      : { denoise }),
    freeu: pass.freeu && describeFreeU(pass.freeu),
    slothful: pass.slothful.map(({ node, params }) => ({ node, params })),
  };
}

function describeFreeU({ b1, b2, s1, s2 }: WorkflowFreeU) {
  return { b1, b2, s1, s2 };
}

function describeSampler({ nodeId, freeu, modelSampling, positive, negative }: WorkflowPass) {
  return {
    ...{ id: nodeId, freeu_version: freeu?.version ?? null, model_sampling: modelSampling },
    ...{ positive_sdxl: describePrompt(positive), negative_sdxl: describePrompt(negative) },
  };
}

function describePrompt({ textG, sizes }: WorkflowPrompt) {
  if (textG === undefined || !sizes) return null;
  const { width, height } = sizes;
  return {
    ...{ text_g: textG, width, height, crop_width: sizes.cropWidth, crop_height: sizes.cropHeight },
    ...{ target_width: sizes.targetWidth, target_height: sizes.targetHeight },
  };
}
