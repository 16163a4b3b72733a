import { suggest } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import { ddpm, euler, eulerAncestral, lcm } from './euler.ts';
import { dpmpp2m, dpmpp2mSde, dpmpp2mSdeHeun, dpmpp3mSde, resMultistep, resMultistepAncestral } from './multistep.ts';
import { gradientEstimation, ipndm, lms } from './slopes.ts';
import type { Solver } from './solver.ts';
import { dpm2, dpm2Ancestral, dpmpp2sAncestral, dpmppSde, heun } from './two-evaluations.ts';
import { uniPc, uniPcBh2 } from './uni-pc.ts';

const onDevice = (solver: Solver): Solver => ({ ...solver, noiseOnDevice: true });

/** ComfyUI's samplers, under its names. */
const REGISTRY = {
  euler,
  euler_ancestral: eulerAncestral,
  heun,
  dpm_2: dpm2,
  dpm_2_ancestral: dpm2Ancestral,
  lms,
  dpmpp_2s_ancestral: dpmpp2sAncestral,
  dpmpp_sde: dpmppSde,
  dpmpp_sde_gpu: onDevice(dpmppSde),
  dpmpp_2m: dpmpp2m,
  dpmpp_2m_sde: dpmpp2mSde,
  dpmpp_2m_sde_gpu: onDevice(dpmpp2mSde),
  dpmpp_2m_sde_heun: dpmpp2mSdeHeun,
  dpmpp_2m_sde_heun_gpu: onDevice(dpmpp2mSdeHeun),
  dpmpp_3m_sde: dpmpp3mSde,
  dpmpp_3m_sde_gpu: onDevice(dpmpp3mSde),
  ddpm,
  lcm,
  ipndm,
  res_multistep: resMultistep,
  res_multistep_ancestral: resMultistepAncestral,
  gradient_estimation: gradientEstimation,
  ddim: euler,
  uni_pc: uniPc,
  uni_pc_bh2: uniPcBh2,
} as const satisfies Readonly<Record<string, Solver>>;

export type SolverName = keyof typeof REGISTRY;

const isSolver = (name: string): name is SolverName => Object.hasOwn(REGISTRY, name);

/** The names of the samplers of ComfyUI that are built. */
export const SOLVERS: readonly SolverName[] = Object.keys(REGISTRY).filter(isSolver);

/** What ComfyUI's name stands for. */
export function solverOf(name: SolverName): Solver {
  return REGISTRY[name];
}

/** The samplers of ComfyUI that are not built, with the nearest that is. */
export const LEFT_OUT: ReadonlyMap<string, SolverName> = new Map([
  ['euler_cfg_pp', 'euler'],
  ['euler_ancestral_cfg_pp', 'euler_ancestral'],
  ['heunpp2', 'heun'],
  ['exp_heun_2_x0', 'heun'],
  ['exp_heun_2_x0_sde', 'dpmpp_sde'],
  ['dpm_fast', 'dpm_2'],
  ['dpm_adaptive', 'dpm_2'],
  ['dpmpp_2s_ancestral_cfg_pp', 'dpmpp_2s_ancestral'],
  ['dpmpp_2m_cfg_pp', 'dpmpp_2m'],
  ['ipndm_v', 'ipndm'],
  ['deis', 'ipndm'],
  ['res_multistep_cfg_pp', 'res_multistep'],
  ['res_multistep_ancestral_cfg_pp', 'res_multistep_ancestral'],
  ['gradient_estimation_cfg_pp', 'gradient_estimation'],
  ['er_sde', 'dpmpp_3m_sde'],
  ['seeds_2', 'dpmpp_sde'],
  ['seeds_3', 'dpmpp_sde'],
  ['sa_solver', 'dpmpp_3m_sde'],
  ['sa_solver_pece', 'dpmpp_3m_sde'],
]);

/**
 * The name of a sampler, as ComfyUI writes it in its workflows.
 *
 * @param place the node or parameter that names it
 * @throws SlothfulError `unsupported` for a sampler of ComfyUI's that is not built, `bad-parameter` for any other name
 */
export function expectSolver(name: string, place: string): SolverName {
  if (isSolver(name)) return name;
  const nearest = LEFT_OUT.get(name);
  if (nearest) {
    throw new SlothfulError('unsupported', place, `the sampler ${name} is not built`, `the nearest is ${nearest}`);
  }
  const close = suggest(name, SOLVERS);
  const cure = close ? `did you mean "${close}"?` : `there are ${SOLVERS.join(', ')}`;
  throw new SlothfulError('bad-parameter', place, `"${name}" is not a sampler`, cure);
}
