import { SOLVERS, type SolverName } from './registry.ts';
import { SIGMA_SCHEDULES_COMFYUI, type SigmaScheduleComfyUI } from './sigma-schedules.ts';

/** A sampler as it was asked for, with its schedule where the name has one. */
export interface SamplerChoice {
  readonly sampler: SolverName;
  readonly schedule?: SigmaScheduleComfyUI;
}

/** What A1111 and k-diffusion write otherwise than ComfyUI, letter for letter. */
const ALIASES: Readonly<Record<string, SolverName>> = {
  'euler a': 'euler_ancestral',
  'dpm2 a': 'dpm_2_ancestral',
  'dpm++ 2s a': 'dpmpp_2s_ancestral',
};

const SCHEDULE_ALIASES: Readonly<Record<string, SigmaScheduleComfyUI>> = { ddim: 'ddim_uniform' };

const SAMPLER_KEYS: ReadonlyMap<string, SolverName> = new Map([
  ...SOLVERS.map((name) => [keyOf(name), name] as const),
  ...Object.entries(ALIASES).map(([title, name]) => [keyOf(title), name] as const),
]);

const SCHEDULE_KEYS: ReadonlyMap<string, SigmaScheduleComfyUI> = new Map([
  ...SIGMA_SCHEDULES_COMFYUI.map((name) => [keyOf(name), name] as const),
  ...Object.entries(SCHEDULE_ALIASES).map(([title, name]) => [keyOf(title), name] as const),
]);

/** Capitals, spaces, hyphens and underscores tell no two samplers apart; "pp" is how "++" is written in a name. */
function keyOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll('++', 'pp')
    .replace(/^\s*k_/, '')
    .replace(/[\s_-]/g, '');
}

/**
 * The sampler that ComfyUI, A1111 or k-diffusion spells like this, in letters of any case; and the schedule, where it
 * follows in the same name as it did in A1111 before version 1.9: "DPM++ 2M Karras". Nothing where it is none of ours.
 */
export function parseSamplerName(text: string): SamplerChoice | undefined {
  const key = keyOf(text);
  const plain = SAMPLER_KEYS.get(key);
  if (plain) return { sampler: plain };
  for (const [ending, schedule] of SCHEDULE_KEYS) {
    const sampler = key.endsWith(ending) ? SAMPLER_KEYS.get(key.slice(0, -ending.length)) : undefined;
    if (sampler) return { sampler, schedule };
  }
  return undefined;
}

/** The schedule that ComfyUI or A1111 spells like this ("SGM Uniform", "karras"), in letters of any case. */
export function parseScheduleName(text: string): SigmaScheduleComfyUI | undefined {
  return SCHEDULE_KEYS.get(keyOf(text));
}
