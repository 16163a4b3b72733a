import { hasSigmas, SAMPLERS, type SamplerName, type SigmaSchedule } from '../sampling/index.ts';

/** The samplers as A1111 spells them in its menus and its infotexts. */
const TITLES: Readonly<Record<SamplerName, string>> = {
  ddim: 'DDIM',
  euler: 'Euler',
  euler_ancestral: 'Euler a',
  dpmpp_2m: 'DPM++ 2M',
  lcm: 'LCM',
};

/** Before version 1.9, A1111 had the schedule in the name of the sampler. */
const KARRAS = ' Karras';

/** A sampler in A1111's spelling. */
export function samplerTitle(name: SamplerName): string {
  return TITLES[name];
}

/**
 * The sampler that A1111 spells like this, in letters of any case, and its schedule where the title has it:
 * "DPM++ 2M Karras". Nothing where it is no sampler of ours, or one that knows no such schedule.
 */
export function readSamplerTitle(title: string): { sampler: SamplerName; sigmas?: SigmaSchedule } | undefined {
  const plain = named(title);
  if (plain) return { sampler: plain };
  const start = title.length - KARRAS.length;
  if (!isSame(title.slice(Math.max(0, start)), KARRAS)) return undefined;
  const sampler = named(title.slice(0, start));
  return sampler && hasSigmas(sampler) ? { sampler, sigmas: 'karras' } : undefined;
}

function named(title: string): SamplerName | undefined {
  return SAMPLERS.find((name) => isSame(TITLES[name], title));
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
