import type { DiffSite, SiteChange } from './diff-report.ts';
import type { ReportSite } from './inspect-report.ts';

const COMPARED = ['block', 'level', 'channels', 'heads', 'headDim', 'contextChannels', 'tokens', 'kvTokens'] as const;

/** Pairs the attentions of two models by their ids; those of `a` first, in its order. */
export function diffSites(a: readonly ReportSite[], b: readonly ReportSite[]): DiffSite[] {
  const inA = new Set(a.map(({ id }) => id));
  const byId = new Map(b.map((site) => [site.id, site] as const));
  const paired = a.map((site) => compareSites(site, byId.get(site.id)));
  return [...paired, ...b.filter(({ id }) => !inA.has(id)).map((site) => compareSites(undefined, site))];
}

function compareSites(a: ReportSite | undefined, b: ReportSite | undefined): DiffSite {
  const details =
    a && b ? COMPARED.filter((name) => a[name] !== b[name]).map((name) => `${name} ${a[name]} -> ${b[name]}`) : [];
  const { id = '', kind = 'self', exporterName = '' } = a ?? b ?? {};
  return { id, kind, exporterName, change: changeOf(a, b, details), details, a: a ?? null, b: b ?? null };
}

function changeOf(a: ReportSite | undefined, b: ReportSite | undefined, details: readonly string[]): SiteChange {
  if (!a) return 'added';
  if (!b) return 'removed';
  if (details.length) return 'changed';
  if (a.patched === b.patched) return 'same';
  return b.patched ? 'patched' : 'unpatched';
}
