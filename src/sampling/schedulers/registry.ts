import { ddim } from './ddim.ts';
import { dpmpp2m } from './dpmpp-2m.ts';
import { euler } from './euler.ts';
import { eulerAncestral } from './euler-ancestral.ts';
import { lcm } from './lcm.ts';
import type { Sampler } from './scheduler.ts';

/** The samplers, under the names that users of Stable Diffusion's tools know. All else is told from this table. */
const REGISTRY = {
  ddim,
  euler,
  euler_ancestral: eulerAncestral,
  dpmpp_2m: dpmpp2m,
  lcm,
} as const satisfies Readonly<Record<string, Sampler>>;

export type SamplerName = keyof typeof REGISTRY;

/** Whether it is the name of a sampler by diffusers' definitions. */
export const isSampler = (name: string): name is SamplerName => Object.hasOwn(REGISTRY, name);

/** The names of the samplers. */
export const SAMPLERS: readonly SamplerName[] = Object.keys(REGISTRY).filter(isSampler);

/** What is known of a sampler. */
export function samplerOf(name: SamplerName): Sampler {
  return REGISTRY[name];
}

/** The names of the samplers that something is true of, in words: "a, b and c". */
export function samplersWith(holds: (sampler: Sampler) => boolean): string {
  const names = SAMPLERS.filter((name) => holds(REGISTRY[name]));
  return [names.slice(0, -1).join(', '), ...names.slice(-1)].filter(Boolean).join(' and ');
}

/** diffusers' scheduler classes: the sampler that stands for each, and what a user is told of it. */
export const SCHEDULER_CLASSES: ReadonlyMap<string, { readonly type: SamplerName; readonly note: string | undefined }> =
  new Map(
    SAMPLERS.flatMap((type) =>
      Object.entries(samplerOf(type).classes).map(([name, note]) => [name, { type, note }] as const),
    ),
  );
