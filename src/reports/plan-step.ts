import type { AttentionSize, Grid, PatchedSite, StageRow } from '../attention/index.ts';
import { type DocumentOf, flag, integer, number, object } from '../documents/index.ts';
import {
  type AnyParameters,
  type BatchPart,
  expectPass,
  type PassDefinition,
  type PassParameters,
  rowsAt,
  SLOTHFUL,
  type SlothfulParameters,
  UNTOUCHED_REASONS,
} from '../passes/index.ts';

/*
 * What passes do to self-attentions at a step. This file, the verdict and the idle settings are all that a plan knows of
 * Slothful Attention: the rest of the plan counts with tokens and keys, whoever made them fewer.
 */

/** What Slothful Attention says of a step besides tokens, keys and reason: these fields stand beside those in the report. */
export const STEP_FACTS = {
  asked: number({ description: 'stride that the parameters ask for: a reduction of the number of keys' }),
  stride_rows: integer({ minimum: 1, description: 'with stride_columns, what realises it' }),
  stride_columns: integer({ minimum: 1 }),
  clipped: flag({ description: 'the window was larger than the grid' }),
};
const FACTS = object(STEP_FACTS);
const NO_FACTS: DocumentOf<typeof FACTS> = { asked: 1, stride_rows: 1, stride_columns: 1, clipped: false };

/** The reason of a site that does not run at a step. */
export const NOT_RUN = 'not_run';

const REASONS: Readonly<Record<string, string>> = {
  ...UNTOUCHED_REASONS,
  [NOT_RUN]: 'it does not run: what was kept of an earlier evaluation is taken',
  keep_middle: `${UNTOUCHED_REASONS.keep_middle} (keep_middle)`,
  grid: 'its grid is a single token',
};

/** Why a site is left alone, in words. */
export function reasonText(reason: string): string {
  return REASONS[reason] ?? reason;
}

type Facts = Readonly<Record<string, number | boolean | string | null>>;

/** What one self-attention does at one noise level. */
export interface SiteStep extends DocumentOf<typeof FACTS> {
  /** Queries of one item. */
  readonly tokens: number;
  /** Keys and values of one item. */
  readonly kv_tokens: number;
  /** Items that a sample makes: tiles. */
  readonly items: number;
  /** A word for why it is left alone (`grid`: it has one token); null where keys and values are sampled or pooled. */
  readonly reason: string | null;
  /** What the stages of other passes do, by their names; absent where there are none. */
  readonly passes?: Readonly<Record<string, Facts>>;
}

/** A self-attention of a plan. */
export interface PlannedSite {
  readonly site: PatchedSite;
  readonly grid: Grid;
}

/** What all steps of a plan share. */
export interface StepSettings {
  readonly sites: readonly PlannedSite[];
  readonly parameters: SlothfulParameters;
  /** Of the other passes that act. */
  readonly passes: PassParameters;
  readonly depth: { readonly top: number; readonly deep: number };
  readonly latent: { readonly height: number; readonly width: number };
  /** Of the batch. */
  readonly parts?: readonly BatchPart[] | undefined;
  /** How many there are. */
  readonly steps: number;
}

/** The step that is planned. */
export interface StepTime {
  readonly index: number;
  readonly timestep: number;
  readonly sigma: number;
}

/** Foresees every self-attention at one step, by asking the passes for the rows that they would feed. */
export function planStep(settings: StepSettings, time: StepTime): SiteStep[] {
  const acting: [PassDefinition, AnyParameters][] = [
    [SLOTHFUL, settings.parameters],
    ...Object.entries(settings.passes).map(([name, own]): [PassDefinition, AnyParameters] => [
      expectPass(name, 'plan'),
      own,
    ]),
  ];
  const planned = acting.map(([definition, own]) => planPass(definition, own, settings, time));
  return settings.sites.map(({ site, grid }) => {
    const tokens = grid[0] * grid[1];
    const start: AttentionSize = { queries: tokens, keys: tokens, grid };
    const ordered = planned.toSorted((a, b) => a.order - b.order);
    const size = ordered.reduce((before, pass) => pass.size(before, site), start);
    const [slothful, ...others] = planned.map((pass) => ({ name: pass.name, ...pass.explain(site, grid) }));
    const peers = others
      .filter(({ facts }) => facts !== undefined)
      .map(({ name, facts }) => [name, facts ?? {}] as const);
    return {
      tokens: size.queries,
      kv_tokens: size.keys,
      items: size.items ?? 1,
      reason: slothful?.reason ?? (tokens === 1 ? 'grid' : null),
      ...readFacts(slothful?.facts),
      ...(peers.length ? { passes: Object.fromEntries(peers) } : {}),
    };
  });
}

/** One pass at one step: what it makes of a site's size, and what it says of it. */
interface PlannedPass {
  readonly name: string;
  readonly order: number;
  size(before: AttentionSize, site: PatchedSite): AttentionSize;
  explain(site: PatchedSite, grid: Grid): { readonly facts: Facts | undefined; readonly reason: string | null };
}

function planPass(
  definition: PassDefinition,
  parameters: AnyParameters,
  settings: StepSettings,
  time: StepTime,
): PlannedPass {
  const { name, stage } = definition;
  const sites = settings.sites.map(({ site }) => site).filter((site) => definition.selects?.(site) ?? true);
  const { timestep, sigma, index: stepIndex } = time;
  const { depth, latent, parts, steps } = settings;
  const step = { timestep, sigma, stepIndex, steps, parts, sites, ...depth, latent, parameters };
  const rows = new Map<PatchedSite, StageRow>();
  const given = stage ? rowsAt(definition, step) : [];
  sites.forEach((site, index) => {
    const row = given[index];
    if (row) rows.set(site, row);
  });
  return {
    name,
    order: stage?.order ?? 0,
    size: (before, site) => {
      const row = rows.get(site);
      return (row && stage?.size?.(before, row)) ?? before;
    },
    explain(site, grid) {
      const row = rows.get(site);
      if (definition.explain) return definition.explain(step, site, grid);
      const facts = row && stage?.columns.map((column, index) => [column.name, row[index] ?? column.default] as const);
      return { facts: facts && Object.fromEntries(facts), reason: null };
    },
  };
}

/** Slothful Attention's facts by the names of the report. */
function readFacts(facts: Facts = {}): DocumentOf<typeof FACTS> {
  const { asked, stride_rows, stride_columns, clipped } = facts;
  const number = (value: unknown, fallback: number) => (typeof value === 'number' ? value : fallback);
  return {
    asked: number(asked, NO_FACTS.asked),
    stride_rows: number(stride_rows, NO_FACTS.stride_rows),
    stride_columns: number(stride_columns, NO_FACTS.stride_columns),
    clipped: clipped === true,
  };
}
