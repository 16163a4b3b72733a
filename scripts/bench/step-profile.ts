import type { SiteClock } from './clock-step.ts';
import type { JobReport } from './report.ts';

/** One self-attention of a step: its clock, and the tokens that it had. */
export interface ProfiledSite extends SiteClock {
  readonly tokens: number;
  readonly kv: number;
}

/** What a profile job measured in one turn of one way. */
export interface StepProfile {
  /** Seconds of the step without clocks. */
  readonly seconds: number;
  /** Seconds of the step with clocks; all other seconds are of this one. */
  readonly clocked: number;
  /** Of products and convolutions outside of the self-attentions. */
  readonly products: number;
  readonly sites: readonly ProfiledSite[];
}

/** The turns of a way in the report of a profile job; none where it measured nothing. */
export function stepProfiles({ values }: JobReport, way: string): StepProfile[] {
  return upTo((turn) => {
    const [place, seconds] = [`${way}/${turn}`, values[`${way}/${turn}/seconds`]];
    if (seconds === undefined) return undefined;
    const value = (name: string) => values[`${place}/${name}`] ?? Number.NaN;
    const sites = upTo((site) => (values[`${place}/${site}/tokens`] === undefined ? undefined : readSite(value, site)));
    return { seconds, clocked: value('clocked'), products: value('products'), sites };
  });
}

function readSite(value: (name: string) => number, site: number): ProfiledSite {
  const of = (name: string) => value(`${site}/${name}`);
  const seconds = {
    query: of('query'),
    keysValues: of('keysValues'),
    logits: of('logits'),
    softmax: of('softmax'),
    product: of('product'),
    other: of('other'),
  };
  return { seconds, flops: of('flops'), tokens: of('tokens'), kv: of('kv') };
}

function upTo<T>(read: (index: number) => T | undefined): T[] {
  const found: T[] = [];
  for (let next = read(0); next !== undefined; next = read(found.length)) found.push(next);
  return found;
}

/** The turn that others on the machine disturbed least. */
export function fastest(turns: readonly StepProfile[]): StepProfile | undefined {
  return turns.toSorted((a, b) => a.clocked - b.clocked)[0];
}

/**
 * Seconds that a self-attention spends on what its K/V tokens may have a part in: all of its node but the projection of
 * the queries. What is left of the step does not depend on them.
 */
export function attentionSeconds({ seconds }: ProfiledSite): number {
  return seconds.keysValues + seconds.logits + seconds.softmax + seconds.product + seconds.other;
}

/** The same of a step as it would be if every site's time were in proportion to its K/V tokens in another step. */
export function secondsByTokens(profile: StepProfile, other: StepProfile): number {
  return sum(profile.sites, (site, index) => {
    const { kv, tokens } = other.sites[index] ?? { kv: Number.NaN, tokens: Number.NaN };
    return (attentionSeconds(site) * kv) / tokens;
  });
}

/** Seconds of a step outside of `attentionSeconds`. */
export function restSeconds(profile: StepProfile): number {
  return profile.clocked - sum(profile.sites, attentionSeconds);
}

/** Seconds of the products and convolutions in the rest of a step; the projections of the queries are some. */
export function restProducts({ products, sites }: StepProfile): number {
  return products + sum(sites, ({ seconds }) => seconds.query);
}

/** Adds up a number of every item. */
export function sum<T>(items: readonly T[], value: (item: T, index: number) => number): number {
  return items.reduce((total, item, index) => total + value(item, index), 0);
}
