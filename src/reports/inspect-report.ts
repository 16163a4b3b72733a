import {
  anything,
  choice,
  type DocumentOf,
  flag,
  integer,
  list,
  named,
  nullable,
  number,
  object,
  ownDocument,
  table,
  text,
} from '../documents/index.ts';
import { COUNT, FAMILY, FLOPS, LOOK_SIZE, NAMES, REPORT_PARAMETERS, SITE_MAKE, SITE_PLACE } from './report-parts.ts';

const ENDPOINT = named(
  'endpoint',
  object({
    name: text(),
    shape: nullable(list(integer()), { description: '-1: any size; null where the document does not tell' }),
    dtype: nullable(text()),
    optional: flag({ description: 'it has a default' }),
  }),
);
/** One input or output of the model. */
export type ReportEndpoint = DocumentOf<typeof ENDPOINT>;

/** One attention, as `inspect` and `diff` have it. */
export const REPORT_SITE = named(
  'site',
  object({
    ...SITE_PLACE,
    node: text({ description: 'its softmax, or the node that it was patched to' }),
    ...SITE_MAKE,
    context_channels: integer({ minimum: 1 }),
    patched: flag(),
    stages: { ...NAMES, description: 'of the passes that act on it, in the order in which they do' },
    tokens: nullable(integer({ minimum: 1 }), { description: 'queries of one sample' }),
    kv_tokens: nullable(integer({ minimum: 1 }), { description: 'keys of one sample, unpooled' }),
    parameters: COUNT,
    flops: nullable(number(), { description: 'with the projections; at the size, for the whole batch' }),
    logits_bytes: nullable(number(), { description: 'all logits, float32' }),
    unknown: nullable(text(), { description: 'what could not be told, and why' }),
  }),
);
export type ReportSite = DocumentOf<typeof REPORT_SITE>;

const SHARE = named(
  'share',
  object({
    parameters: COUNT,
    parameter_share: number(),
    flops: number(),
    flop_share: nullable(number(), { description: 'null where the FLOPs of the whole are not known' }),
  }),
);
/** Parameters and FLOPs of one part of the model, and their share of all. */
export type ReportShare = DocumentOf<typeof SHARE>;

const WEIGHTS = object({
  count: {
    ...COUNT,
    description: "weights of the model itself: no shapes, axes and other constants of the graph's logic",
  },
  parameters: COUNT,
  stored_bytes: { ...COUNT, description: 'in the shards' },
  loaded_bytes: { ...COUNT, description: 'in memory: TF.js knows no half floats' },
  stored_as: table(integer({ minimum: 1 }), { description: 'parameters by the type that they are stored as' }),
  constants: { ...COUNT, description: "small constants of the graph's logic" },
  unused: { ...COUNT, description: 'entries of the manifest that no node uses' },
});
/** What the weights of a graph come to. */
export type WeightTotals = DocumentOf<typeof WEIGHTS>;

const PATCH = object(
  { control: text(), top: number(), deep: number(), parameters: REPORT_PARAMETERS },
  { description: 'what the model says of Slothful Attention in it' },
);

const PASS = object({
  name: text(),
  version: number(),
  options: anything({ description: 'its parameters' }),
});

const REJECTION = object({
  softmax: text(),
  reason: text(),
  node: text({ description: 'at which the match failed' }),
  reached: choice(['softmax', 'scores', 'values', 'projections', 'merge', 'grid']),
});

const TOTALS = object({
  self_sites: COUNT,
  cross_sites: COUNT,
  parameters: COUNT,
  flops: FLOPS,
  unknown_flops: { ...COUNT, description: 'nodes whose FLOPs are not known and not counted' },
  self: SHARE,
  cross: SHARE,
  convolutions: SHARE,
});

/** What `inspect` finds. */
export const INSPECT_REPORT = ownDocument('inspect', 3, {
  model: text(),
  family: FAMILY,
  generated_by: nullable(text()),
  converted_by: nullable(text()),
  size: LOOK_SIZE,
  inputs: list(ENDPOINT),
  outputs: list(ENDPOINT),
  nodes: COUNT,
  ops: table(integer({ minimum: 1 }), { description: 'how many nodes of each op, the commonest first' }),
  weights: WEIGHTS,
  passes: list(PASS, { description: 'that the model has been through, oldest first' }),
  patch: nullable(PATCH, { description: 'null where the model does not have Slothful Attention' }),
  top: nullable(number(), { description: 'downscale of the shallowest self-attention' }),
  deep: nullable(number(), { description: 'downscale of the deepest self-attention' }),
  sites: list(REPORT_SITE),
  rejections: list(REJECTION, { description: 'softmaxes that are not an attention that can be used' }),
  totals: TOTALS,
  notes: { ...NAMES, description: 'what could not be told, in words' },
});
export type InspectReport = DocumentOf<typeof INSPECT_REPORT>;
