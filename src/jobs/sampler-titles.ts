import {
  isDiffusersSampler,
  parseSamplerName,
  parseScheduleName,
  type SamplerName,
  type SigmaScheduleComfyUI,
  type SolverName,
} from '../sampling/index.ts';

/** The samplers as A1111 spells them in its menus and its infotexts; those that it does not have, as ComfyUI names them. */
const TITLES: Readonly<Record<string, string>> = {
  ddim: 'DDIM',
  euler: 'Euler',
  euler_ancestral: 'Euler a',
  heun: 'Heun',
  dpm_2: 'DPM2',
  dpm_2_ancestral: 'DPM2 a',
  lms: 'LMS',
  dpmpp_2s_ancestral: 'DPM++ 2S a',
  dpmpp_2m: 'DPM++ 2M',
  dpmpp_sde: 'DPM++ SDE',
  dpmpp_2m_sde: 'DPM++ 2M SDE',
  dpmpp_2m_sde_heun: 'DPM++ 2M SDE Heun',
  dpmpp_3m_sde: 'DPM++ 3M SDE',
  uni_pc: 'UniPC',
  lcm: 'LCM',
};

const SCHEDULE_TITLES: Readonly<Record<SigmaScheduleComfyUI, string>> = {
  normal: 'Normal',
  karras: 'Karras',
  exponential: 'Exponential',
  sgm_uniform: 'SGM Uniform',
  simple: 'Simple',
  ddim_uniform: 'DDIM',
  beta: 'Beta',
  linear_quadratic: 'Linear Quadratic',
  kl_optimal: 'KL Optimal',
};

/** What A1111 writes where the sampler's own schedule is taken. */
export const AUTOMATIC = 'Automatic';

/** A sampler in A1111's spelling. */
export function samplerTitle(name: SamplerName | SolverName): string {
  return TITLES[name] ?? name;
}

/** A schedule in A1111's spelling. */
export function scheduleTitle(name: SigmaScheduleComfyUI): string {
  return SCHEDULE_TITLES[name];
}

/** A sampler, and its schedule where the text names one. */
export interface ReadSampler {
  readonly sampler: SamplerName | SolverName;
  readonly sigmas?: SigmaScheduleComfyUI | undefined;
}

/**
 * The sampler that A1111 or ComfyUI spells like this, in letters of any case, and its schedule where the title has it, as
 * A1111 wrote it before version 1.9: "DPM++ 2M Karras". Nothing where it is no sampler of ours.
 */
export function readSamplerTitle(title: string): ReadSampler | undefined {
  const found = parseSamplerName(title);
  if (!found) return undefined;
  const { sampler, schedule } = found;
  // DDIM and LCM know no schedule by diffusers' definitions, and A1111 never named one with them.
  if (schedule && isDiffusersSampler(sampler) && (sampler === 'ddim' || sampler === 'lcm')) return undefined;
  return { sampler, ...(schedule ? { sigmas: schedule } : {}) };
}

/** The schedule that A1111 names in a field of its own; undefined for the sampler's own and for one that is not known. */
export function readScheduleTitle(title: string | undefined): SigmaScheduleComfyUI | undefined {
  return title === undefined || title === AUTOMATIC ? undefined : parseScheduleName(title);
}
