import { betweenSteps } from './between-steps.ts';
import type { DenoiseOptions, DenoiseStep, EvaluatedCall } from './denoise-options.ts';
import { callModel } from './model-call.ts';
import { brownianSource } from './noise/index.ts';
import type { PreparedRun } from './prepare-run.ts';
import type { SolverScheduler } from './run-scheduler.ts';
import type { SolverTask } from './solvers/index.ts';
import { masked } from './start.ts';

/**
 * The steps of a run by ComfyUI's definitions. A step may call the model several times, at noise levels of its own, or not
 * at all.
 *
 * Where an image is kept by a mask, it is put back, noised, before every call, and into every answer.
 * Source: `KSamplerX0Inpaint` of ComfyUI's comfy/samplers.py.
 */
export async function* solverSteps(
  options: DenoiseOptions,
  run: PreparedRun,
  scheduler: SolverScheduler,
): AsyncGenerator<DenoiseStep, void, undefined> {
  const { levels, model, solver } = scheduler;
  const steps = Math.max(levels.length - 1, 0);
  const calls: EvaluatedCall[] = [];
  let index = 0;
  const denoise = async (sample: Float32Array, sigma: number): Promise<Float32Array> => {
    await betweenSteps(options.signal, 'denoise', { done: index, total: steps, unit: 'steps' });
    const facts = { index, steps, sigma, timestep: model.timestep(sigma) };
    const { modelOutput, call } = await callModel(options, run, facts, model.scaleInput(sample, sigma));
    calls.push(call);
    return model.denoised(modelOutput, sample, sigma);
  };
  const task = { sigmas: levels, ...inpainted(options, run, scheduler, denoise), noise: noiseOf(run, scheduler) };
  let began = performance.now();
  for await (const { sample, denoised } of solver.run(task)) {
    const [first] = calls;
    const sigma = levels[index] ?? 0;
    const facts = { index, steps, sigma, timestep: first?.timestep ?? model.timestep(sigma) };
    const { sites = [], parameters } = first ?? {};
    const milliseconds = performance.now() - began;
    const latents = index === steps - 1 ? kept(options, run, sample, levels[steps] ?? 0) : sample;
    yield { ...facts, latents, predictedOriginal: denoised, calls: calls.splice(0), sites, parameters, milliseconds };
    index++;
    began = performance.now();
  }
}

/** What a solver begins with, and how the model is asked: with the image put back where a mask keeps it. */
function inpainted(
  { start }: DenoiseOptions,
  run: PreparedRun,
  { model, levels }: SolverScheduler,
  denoise: SolverTask['denoise'],
): Pick<SolverTask, 'sample' | 'denoise'> {
  const sample = model.initialSample(run.initial, start?.latents, levels[0] ?? 0);
  if (!start?.mask) return { sample, denoise };
  const { mask } = start;
  const mix = (drawn: Float32Array, known: Float32Array) => masked(mask, run.shape[3], drawn, known);
  return {
    sample,
    denoise: async (noisy, sigma) => {
      const known = model.initialSample(run.initial, start.latents, sigma);
      return mix(await denoise(mix(noisy, known), sigma), start.latents);
    },
  };
}

/** The last latents; where they are finished and a mask keeps the image, it is there unchanged. */
function kept({ start }: DenoiseOptions, { shape }: PreparedRun, latents: Float32Array, level: number): Float32Array {
  return start?.mask && level === 0 ? masked(start.mask, shape[3], latents, start.latents) : latents;
}

function noiseOf({ noise, noiseOptions }: PreparedRun, { solver, levels }: SolverScheduler): SolverTask['noise'] {
  if (solver.noise === 'brownian' && !noiseOptions.given) {
    const positive = levels.filter((level) => level > 0);
    return brownianSource(noiseOptions, {
      sigmaMin: Math.min(...positive),
      sigmaMax: Math.max(...levels),
      onDevice: solver.noiseOnDevice,
    });
  }
  let drawn = 0;
  return () => noise.step(drawn++);
}
