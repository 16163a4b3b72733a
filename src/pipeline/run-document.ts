import {
  type DocumentOf,
  flag,
  integer,
  list,
  named,
  nullable,
  number,
  object,
  ownDocument,
  parameterSchema,
  text,
} from '../documents/index.ts';
import { PARAMETERS } from '../passes/slothful/index.ts';
import { MEASURES } from '../pictures/measures/index.ts';
import { SCHEDULER_CONFIG } from '../sampling/index.ts';

/** Everything that decides a run besides the model, what it is told, and Slothful Attention's parameters. */
export const RUN_SETTINGS = named(
  'settings',
  object({
    rows: integer({ minimum: 1, description: 'height of the sample, in its own pixels' }),
    columns: integer({ minimum: 1, description: 'width of the sample, in its own pixels' }),
    batch: integer({ minimum: 1, description: 'images at once' }),
    scale: number({ exclusiveMinimum: 0, description: 'pixels of the picture for one of the sample, by side' }),
    steps: integer({ minimum: 1 }),
    scheduler: SCHEDULER_CONFIG,
    guidance_scale: number({ description: 'classifier-free guidance; 1: none' }),
    seed: integer({ description: 'image i is the picture of seed + i' }),
  }),
);
export type RunSettings = DocumentOf<typeof RUN_SETTINGS>;

/** How large a run is. */
export type RunExtent = Pick<RunSettings, 'rows' | 'columns' | 'batch' | 'scale'>;

/** The parameters in force, all of them, and in what they follow the node's first release. */
export const RUN_PARAMETERS = named(
  'parameters',
  parameterSchema({
    ...PARAMETERS,
    compat: { type: 'choice', default: undefined, choices: ['comfyui'], help: 'blends of 1 as in the first release' },
  }),
);

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

const SOURCE_FIELDS = {
  version: text({ description: 'of this package' }),
  model: text(),
  family: nullable(text()),
  backend: object({ name: text(), device: text() }),
  prompt: nullable(text()),
  negative_prompt: nullable(text()),
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

/** What one self-attention did in one step. */
export const SITE_STEP = named(
  'site_step',
  object({
    id: text(),
    tokens: integer({ minimum: 1 }),
    kv_tokens: integer({ minimum: 1 }),
    stride: number({ description: 'the stride that the parameters ask for' }),
    stride_rows: integer({ minimum: 1, description: 'the stride that realises it, by rows of tokens' }),
    stride_columns: integer({ minimum: 1 }),
  }),
);
export type SiteStep = DocumentOf<typeof SITE_STEP>;

/** One step as run.json has it. */
export const STEP_RECORD = named(
  'step',
  object({
    index: integer({ minimum: 0 }),
    timestep: number(),
    sigma: number({ minimum: 0 }),
    milliseconds: number({ minimum: 0 }),
    kv_tokens: nullable(integer(), { description: 'of all patched self-attentions; null for a plain run' }),
    tokens: nullable(integer(), { description: 'how many they would be without' }),
    sites: list(SITE_STEP),
  }),
);
export type StepRecord = DocumentOf<typeof STEP_RECORD>;

/** run.json: all that is needed to make the same pictures again, and what every step did. */
export const RUN_DOCUMENT = ownDocument('run', 1, {
  ...SOURCE_FIELDS,
  settings: RUN_SETTINGS,
  parameters: nullable(RUN_PARAMETERS, { description: "Slothful Attention's; null for a plain run" }),
  stopped: flag({ description: 'true where the run was stopped before its last step' }),
  milliseconds: number({ minimum: 0 }),
  attention_flops: nullable(ATTENTION_FLOPS, { description: 'of the whole run; null where the graph does not tell' }),
  steps: list(STEP_RECORD),
  plain: nullable(object({ milliseconds: number({ minimum: 0 }), steps: list(STEP_RECORD) }), {
    description: 'the plain run beside it, where one was asked for',
  }),
  measures: nullable(list(MEASURES), { description: 'how each image compares with that of the plain run' }),
  files: list(text(), { description: 'what lies beside run.json' }),
});
export type RunRecord = DocumentOf<typeof RUN_DOCUMENT>;
