import {
  type ControlRow,
  controlRow,
  decodeControl,
  type PassParameters,
  SLOTHFUL,
  type SlothfulMetadata,
  type SlothfulParameters,
  siteStride,
} from '../passes/index.ts';
import type { SiteRecord } from '../runtime/index.ts';
import type { DenoiseStep, EvaluatedCall } from '../sampling/index.ts';
import type { CallRecord, ExecutedSite, RecordedSite, StepRecord } from './run-document.ts';

/** What a patched model says of its patch, and the parameters of a run: the passes that act in it. */
export interface PatchInForce {
  /** Undefined where the model does not have Slothful Attention. */
  readonly metadata: SlothfulMetadata | undefined;
  /** Undefined: as without Slothful Attention. */
  readonly parameters: SlothfulParameters | undefined;
  /** The other passes that act, with their parameters. */
  readonly passes?: PassParameters | undefined;
  /** Names of passes that the model has and that shall do nothing. */
  readonly idle?: readonly string[] | undefined;
}

/**
 * What is kept of a step.
 *
 * @param patch undefined for a plain run
 */
export function recordStep(
  { index, timestep, sigma, milliseconds, calls }: DenoiseStep,
  patch: PatchInForce | undefined,
  latent: LatentSize,
): StepRecord {
  const [first = { timestep, sigma, sites: [] }, ...further] = calls;
  return {
    index,
    ...recordCall(first, patch, latent),
    milliseconds: Math.round(milliseconds * 10) / 10,
    ...(further.length ? { further: further.map((call) => recordCall(call, patch, latent)) } : {}),
  };
}

function recordCall(
  { timestep, sigma, sites, reused }: EvaluatedCall,
  patch: PatchInForce | undefined,
  latent: LatentSize,
): CallRecord {
  const kept = patch ? sites.map((site) => recordSite(site, patch, { sigma, latent })) : [];
  const total = (of: (site: RecordedSite) => number) => (patch ? kept.reduce((sum, site) => sum + of(site), 0) : null);
  return {
    ...{ timestep, sigma },
    kv_tokens: total(({ kv_tokens }) => kv_tokens),
    tokens: total(({ tokens }) => tokens),
    sites: kept,
    ...(reused ? { reused } : {}),
  };
}

/** All calls of the model that a step records. */
export function recordedCalls(step: StepRecord): CallRecord[] {
  return [step, ...(step.further ?? [])];
}

/** Rows and columns of the latents. */
interface LatentSize {
  readonly height: number;
  readonly width: number;
}

/** The call that a site was asked in. */
interface SiteOfCall {
  readonly sigma: number;
  readonly latent: LatentSize;
}

function recordSite(site: SiteRecord, patch: PatchInForce, of: SiteOfCall): RecordedSite {
  return { ...executedSite(site), stride: askedStride(site, patch, of) };
}

/** What a node reported, by the names of JSON. */
export function executedSite({ id, tokens, queries, kvTokens, items, rows }: SiteRecord): ExecutedSite {
  const row = slothfulRow(rows);
  const others = Object.entries(rows).filter(([name]) => name !== SLOTHFUL.name);
  return {
    ...{ id, tokens, kv_tokens: kvTokens },
    ...(queries === tokens ? {} : { queries }),
    ...(items === 1 ? {} : { items }),
    ...{ stride_rows: row.strideRows, stride_columns: row.strideColumns },
    ...{ window_rows: row.windowRows, window_columns: row.windowColumns },
    ...{ mode: row.mode, k_blend: shortest(row.kBlend), v_blend: shortest(row.vBlend) },
    ...(others.length ? { passes: Object.fromEntries(others) } : {}),
  };
}

/** The row that Slothful Attention's stage was given; the one that changes nothing where it was given none. */
function slothfulRow(rows: SiteRecord['rows']): ControlRow {
  const given = rows[SLOTHFUL.name] ?? {};
  const columns = SLOTHFUL.stage?.columns ?? [];
  return decodeControl(
    columns.map((column) => given[column.name] ?? column.default),
    0,
  );
}

/** The control input holds float32: 0.6 is 0.6000000238 there. */
function shortest(value: number): number {
  return Number(value.toPrecision(7));
}

/** The hook decides, and the node is told; the parameters' own stride belongs to the record where it is what ran. */
function askedStride({ id, rows }: SiteRecord, patch: PatchInForce, of: SiteOfCall): number | null {
  const { metadata, parameters } = patch;
  const site = metadata?.sites.find((each) => each.id === id);
  if (!site || !metadata || !parameters) return null;
  const { stride } = siteStride(parameters, site, metadata, of.sigma, of.latent);
  const asked = controlRow(parameters, site.block, stride);
  const row = slothfulRow(rows);
  return GEOMETRY.every((name) => asked[name] === row[name]) ? stride : null;
}

const GEOMETRY = ['strideRows', 'strideColumns', 'windowRows', 'windowColumns'] as const;
