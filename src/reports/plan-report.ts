import { BACKEND_NAMES, STRATEGIES } from '../backends/index.ts';
import {
  anything,
  choice,
  type DocumentOf,
  integer,
  list,
  named,
  nullable,
  number,
  object,
  optional,
  ownDocument,
  table,
  text,
} from '../documents/index.ts';
import { PASS_PARAMETERS } from '../passes/index.ts';
import { RUN_SETTINGS } from '../sampling/run-settings.ts';
import { STEP_FACTS } from './plan-step.ts';
import { FAMILY, FLOPS, NAMES, REPORT_PARAMETERS, REPORT_SIZE, SITE_MAKE, SITE_PLACE } from './report-parts.ts';

const tokens = (description: string) => integer({ minimum: 1, description });
const bytes = (description: string) => nullable(number(), { description });

const BACKEND = object(
  {
    name: choice(BACKEND_NAMES),
    strategy: choice(STRATEGIES),
    logits_limit: number({ description: 'most bytes of one logits tensor' }),
  },
  { description: 'it decides how much of the logits is there at once' },
);
/** The backend that a plan is for. */
export type PlanBackend = DocumentOf<typeof BACKEND>;

const STEP = named(
  'step',
  object({
    tokens: tokens('queries of one item'),
    kv_tokens: tokens('keys and values that every query attends'),
    items: optional(number({ description: 'of the batch that a sample makes, where that is not 1: tiles' })),
    reason: nullable(text(), { description: 'why the site is left alone, see reasons; null where it is not' }),
    ...STEP_FACTS,
    passes: optional(table(table(anything()), { description: 'what the stages of other passes do, by their names' })),
    reduction: number({ description: 'keys of the unpatched model by keys' }),
    flops: FLOPS,
    logits_bytes: bytes('all logits of the attention'),
    peak_logits_bytes: bytes('the largest logits tensor that is there at once'),
  }),
);
/** What one self-attention does at one step. */
export type PlanStep = DocumentOf<typeof STEP>;

const SITE = named(
  'site',
  object({
    ...SITE_PLACE,
    ...SITE_MAKE,
    tokens: tokens('queries of one sample'),
    kv_tokens: tokens('keys of one sample in the unpatched model'),
    plain: object({ flops: FLOPS, logits_bytes: bytes('all logits, which are one tensor') }),
    steps: list(STEP, { description: 'one entry a step, none for a cross-attention' }),
    peak_logits_bytes: bytes('of a patched cross-attention, or of the patched site at its costliest step'),
    verdict: text({ description: 'what happens to it over the run, in words' }),
  }),
);
/** One attention over the whole run. */
export type PlanSite = DocumentOf<typeof SITE>;

const PAIR = named('pair', object({ plain: number(), patched: number() }));
/** Plain against patched. */
export type PlanPair = DocumentOf<typeof PAIR>;

const SCHEDULED = object({ timestep: number(), sigma: number() });
/** One step of the run. */
export type ScheduledStep = DocumentOf<typeof SCHEDULED>;

const TOTALS = object({
  ...SCHEDULED.properties,
  time: number({
    minimum: 0,
    maximum: 1,
    description: 'how far denoising is from its end: what time_decay is the exponent of',
  }),
  kv_tokens: PAIR,
  flops: PAIR,
  self_flops: PAIR,
  peak_logits_bytes: PAIR,
});
/** One step of the whole model: keys and FLOPs of all self-attentions, FLOPs of all, the largest logits tensor. */
export type PlanTotals = DocumentOf<typeof TOTALS>;

const IDLE = object({ setting: text(), reason: text() });
/** A setting that changes nothing in a run. */
export type IdleSetting = DocumentOf<typeof IDLE>;

/** What `plan` foresees. */
export const PLAN_REPORT = ownDocument('plan', 2, {
  model: text(),
  family: FAMILY,
  size: REPORT_SIZE,
  parameters: REPORT_PARAMETERS,
  passes: PASS_PARAMETERS,
  top: number({ description: 'downscale of the shallowest self-attention' }),
  deep: number({ description: 'downscale of the deepest self-attention' }),
  schedule: text({ description: 'sampler and spacing in words' }),
  settings: optional(RUN_SETTINGS),
  backend: BACKEND,
  sites: list(SITE),
  reasons: table(text(), { description: 'the reasons of steps in words' }),
  steps: list(TOTALS),
  run: object({ flops: PAIR, self_flops: PAIR, peak_logits_bytes: PAIR }),
  idle: list(IDLE, { description: 'settings that change nothing in this run, and why' }),
  notes: NAMES,
});
export type PlanReport = DocumentOf<typeof PLAN_REPORT>;

/** The steps of a run, and what they are in words: sampler and spacing. */
export interface Schedule {
  readonly name: string;
  readonly steps: readonly ScheduledStep[];
  readonly notes: readonly string[];
}
