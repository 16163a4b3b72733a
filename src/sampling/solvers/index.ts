export { type ModelSampling, type ModelSamplingSettings, modelSampling } from './model-sampling.ts';
export { expectSolver, LEFT_OUT, SOLVERS, type SolverName, solverOf } from './registry.ts';
export { parseSamplerName, parseScheduleName, type SamplerChoice } from './sampler-names.ts';
export { SIGMA_SCHEDULES_COMFYUI, type SigmaScheduleComfyUI } from './sigma-schedules.ts';
export { MOST_STEPS, type RunSigmasOptions, runSigmas } from './sigmas.ts';
export type { Solver, SolverStep, SolverTask } from './solver.ts';
