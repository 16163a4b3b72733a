import { choice, type DocumentOf, list, named, nullable, object, ownDocument, text } from '../documents/index.ts';
import { REPORT_SITE } from './inspect-report.ts';
import { COUNT, FLOPS, LOOK_SIZE, NAMES, REPORT_PARAMETERS, SITE_PLACE } from './report-parts.ts';

const SIDE = named(
  'side',
  object({
    model: text(),
    family: nullable(text()),
    nodes: COUNT,
    parameters: COUNT,
    stored_bytes: { ...COUNT, description: 'of the weights that its nodes use' },
    loaded_bytes: COUNT,
    flops: FLOPS,
    passes: { ...NAMES, description: 'that it has been through' },
    slothful: nullable(REPORT_PARAMETERS, { description: 'null where it does not have Slothful Attention' }),
  }),
);
/** One of the two models. */
export type DiffSide = DocumentOf<typeof SIDE>;

const CHANGE = choice(['same', 'same_result', 'patched', 'unpatched', 'changed', 'added', 'removed'], {
  description: 'same_result: one attention node in place of stock ops, or the other way round, on which no pass acts',
});
export type SiteChange = DocumentOf<typeof CHANGE>;

const SITE = object({
  ...SITE_PLACE,
  change: CHANGE,
  details: { ...NAMES, description: 'what is not the same, in words: heads 8 -> 10' },
  a: nullable(REPORT_SITE),
  b: nullable(REPORT_SITE),
});
/** One attention in both models, or in one. */
export type DiffSite = DocumentOf<typeof SITE>;

const COUNTS = object({
  attentions: COUNT,
  can_differ: { ...COUNT, description: 'whose results can change: patched, unpatched, changed, added, removed' },
  same_result: { ...COUNT, description: 'made another way, which computes the same' },
  same: COUNT,
});
/** How many attentions there are of each kind of change. */
export type DiffCounts = DocumentOf<typeof COUNTS>;

const CHANGED_NAMES = named('names', object({ added: NAMES, removed: NAMES }));
/** What is in one list and not in the other. */
export type ChangedNames = DocumentOf<typeof CHANGED_NAMES>;

const WEIGHTS = object({
  compared_by: choice(['bytes', 'shapes'], { description: 'where the files were not read by shape and type only' }),
  equal: COUNT,
  equal_parameters: COUNT,
  shared: nullable(COUNT, { description: 'equal ones that lie in the same file on disk' }),
  different: NAMES,
  reshaped: { ...NAMES, description: 'same name, another shape or stored as another type' },
  added: NAMES,
  removed: NAMES,
});

/** What two models have in common and what not. */
export const DIFF_REPORT = ownDocument('diff', 3, {
  a: SIDE,
  b: SIDE,
  size: LOOK_SIZE,
  counts: COUNTS,
  sites: list(SITE),
  nodes: object({
    same: COUNT,
    added: NAMES,
    removed: NAMES,
    changed: { ...NAMES, description: 'other op, inputs or attributes under the same name' },
  }),
  ops: list(object({ op: text(), a: COUNT, b: COUNT }), { description: 'ops whose number of nodes is not the same' }),
  inputs: CHANGED_NAMES,
  outputs: CHANGED_NAMES,
  parameters: list(object({ name: text(), a: nullable(text()), b: nullable(text()) }), {
    description:
      'parameters of passes that are not the same, those of others as pass.name; null where a model has none',
  }),
  weights: WEIGHTS,
  notes: NAMES,
});
export type DiffReport = DocumentOf<typeof DIFF_REPORT>;

/** How the bytes of weights of the same name, shape and type compare. */
export interface WeightComparison {
  readonly equal: readonly string[];
  readonly different: readonly string[];
  /** Of the equal ones, how many lie in the same file on disk. */
  readonly shared: number;
}
