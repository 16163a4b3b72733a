import {
  choice,
  type DocumentOf,
  flag,
  integer,
  list,
  named,
  nullable,
  number,
  object,
  optional,
  ownDocument,
  parameterSchema,
  table,
  text,
} from '../documents/index.ts';
import { ALL_PARAMETERS, PASS_PARAMETERS } from '../passes/index.ts';
import { MEASURES } from '../pictures/index.ts';
import { RUN_SETTINGS } from '../sampling/index.ts';
import { PROMPT_WEIGHTS } from '../text/index.ts';

/** The parameters in force, all of them, and in what they follow the node's first release. */
export const RUN_PARAMETERS = named('parameters', parameterSchema(ALL_PARAMETERS));

const SIZE = object({ width: integer({ minimum: 1 }), height: integer({ minimum: 1 }) });
const CROP = object({ top: integer({ minimum: 0 }), left: integer({ minimum: 0 }) });

/** The companions of a run; none: an empty list and nulls. */
export const RUN_COMPANIONS = named(
  'companions',
  object({
    controlnets: list(object({ model: text(), image: text(), scale: number() })),
    controlnets_patched: flag({ description: "whether the ControlNets' own self-attentions were patched" }),
    image_embeds: nullable(text(), { description: "file of an IP-Adapter's image embeddings" }),
    ip_adapter_scale: nullable(number()),
  }),
);
export type RunCompanions = DocumentOf<typeof RUN_COMPANIONS>;

/** How words became what the model was told. */
const TEXT = object(
  {
    weights: optional(choice([...PROMPT_WEIGHTS], { description: 'how weights in prompts act' })),
    clip_skip: optional(integer({ minimum: 1, description: 'layers of the text encoder, 1 the last' })),
    prompt_2: optional(list(text(), { description: "for SDXL's second text encoder" })),
    negative_prompt_2: optional(list(text())),
    sizes: optional(object({ original: optional(SIZE), crop: optional(CROP), target: optional(SIZE) })),
  },
  { description: 'what was asked beside the prompts' },
);

/** Files that a run started from. */
const START = object(
  { init_image: optional(text()), mask: optional(text()), noise: optional(text()) },
  { description: "files that it started from in the place of the seed's noise alone" },
);

const SOURCE_FIELDS = {
  version: text({ description: 'of this package' }),
  model: text(),
  family: nullable(text()),
  backend: object({ name: text(), device: text() }),
  prompt: nullable(text({ description: 'of several, the first' })),
  negative_prompt: nullable(text({ description: 'of several, the first; null: none was given' })),
  prompts: optional(list(text(), { description: 'where there are several, for as many pictures' })),
  negative_prompts: optional(list(text(), { description: 'one for each, where there are several' })),
  text: optional(TEXT),
  start: optional(START),
  cond: nullable(text(), { description: 'file of tensors' }),
  uncond: nullable(text(), { description: 'file of tensors' }),
  companions: RUN_COMPANIONS,
};

/** What the run of a user was, in words and names. */
export const RUN_SOURCE = named('source', object(SOURCE_FIELDS));
export type RunSource = DocumentOf<typeof RUN_SOURCE>;

/** FLOPs of all self-attentions over a whole run, projections and all, two for each multiply-add. */
export const ATTENTION_FLOPS = object({ plain: number(), patched: number() });
export type AttentionFlops = DocumentOf<typeof ATTENTION_FLOPS>;

const EXECUTED_FIELDS = {
  id: text(),
  tokens: integer({ minimum: 1 }),
  kv_tokens: integer({ minimum: 1, description: 'keys and values that every query attends' }),
  queries: optional(integer({ minimum: 1, description: 'of one item, where they are not the tokens' })),
  items: optional(number({ description: 'of the batch that an image made, where that is not 1: tiles' })),
  stride_rows: integer({ minimum: 1, description: 'the row of the control input that ran: strides by rows of tokens' }),
  stride_columns: integer({ minimum: 1 }),
  window_rows: integer({ minimum: 1 }),
  window_columns: integer({ minimum: 1 }),
  mode: text(),
  k_blend: number(),
  v_blend: number(),
  passes: optional(table(table(number()), { description: 'what the stages of other passes were told, by columns' })),
};

/** What one self-attention did in one step, as its node reported when it ran. */
export const EXECUTED_SITE = named('executed_site', object(EXECUTED_FIELDS));
export type ExecutedSite = DocumentOf<typeof EXECUTED_SITE>;

/** The same, beside what the parameters asked of it. */
export const RECORDED_SITE = named(
  'recorded_site',
  object({
    ...EXECUTED_FIELDS,
    stride: nullable(number(), { description: 'what the parameters ask for; null where a hook decided otherwise' }),
  }),
);
export type RecordedSite = DocumentOf<typeof RECORDED_SITE>;

/** One evaluation of the model. */
const CALL_FIELDS = {
  timestep: number({ description: 'that the model was told' }),
  sigma: number({ minimum: 0, description: 'noise level, by which the strides went' }),
  kv_tokens: nullable(integer(), { description: 'of all patched self-attentions; null for a plain run' }),
  tokens: nullable(integer(), { description: 'how many they would be without' }),
  sites: list(RECORDED_SITE, { description: 'that ran' }),
  reused: optional(
    flag({ description: 'parts of the model were left out: a pass took what it kept of an earlier call' }),
  ),
};
const CALL_RECORD = named('model_call', object(CALL_FIELDS));
export type CallRecord = DocumentOf<typeof CALL_RECORD>;

/** One step as run.json has it. */
export const STEP_RECORD = named(
  'step',
  object({
    index: integer({ minimum: 0 }),
    ...CALL_FIELDS,
    milliseconds: number({ minimum: 0 }),
    further: optional(
      list(CALL_RECORD, { description: 'of samplers that ask the model more than once in a step: the other times' }),
    ),
  }),
);
export type StepRecord = DocumentOf<typeof STEP_RECORD>;

/** run.json: all that is needed to make the same pictures again, and what every step did. */
export const RUN_DOCUMENT = ownDocument('run', 1, {
  ...SOURCE_FIELDS,
  settings: RUN_SETTINGS,
  parameters: nullable(RUN_PARAMETERS, { description: "Slothful Attention's; null for a plain run" }),
  passes: PASS_PARAMETERS,
  next: optional(
    list(
      object({
        prompt: nullable(text()),
        negative_prompt: nullable(text()),
        text: optional(TEXT),
        settings: RUN_SETTINGS,
        parameters: nullable(RUN_PARAMETERS),
        passes: PASS_PARAMETERS,
        first_step: integer({ minimum: 0, description: 'its first in the list of steps' }),
      }),
      { description: 'runs that went on from the latents of the one before' },
    ),
  ),
  stopped: flag({ description: 'true where the run was stopped before its last step' }),
  milliseconds: number({ minimum: 0 }),
  attention_flops: nullable(ATTENTION_FLOPS, {
    description: 'of the steps that were done, as they ran; null where the graph does not tell',
  }),
  steps: list(STEP_RECORD),
  plain: nullable(object({ milliseconds: number({ minimum: 0 }), steps: list(STEP_RECORD) }), {
    description: 'the plain run beside it, where one was asked for',
  }),
  measures: nullable(list(MEASURES), { description: 'how each image compares with that of the plain run' }),
  decoder: optional(
    object({ name: text(), tile: nullable(integer({ description: 'edge in pixels; null: decoded in one go' })) }),
  ),
  phases: optional(
    list(object({ name: text(), milliseconds: number({ minimum: 0 }) }), { description: 'how long each part took' }),
  ),
  files: list(text(), { description: 'what lies beside run.json' }),
});
export type RunRecord = DocumentOf<typeof RUN_DOCUMENT>;
