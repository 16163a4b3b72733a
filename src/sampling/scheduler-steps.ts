import { betweenSteps } from './between-steps.ts';
import type { DenoiseOptions, DenoiseStep } from './denoise-options.ts';
import { callModel } from './model-call.ts';
import type { PreparedRun } from './prepare-run.ts';
import type { Scheduler } from './schedulers/index.ts';
import { firstSample, firstStep, keepImage } from './start.ts';

/** The steps of a run by diffusers' definitions: one call of the model each. */
export async function* schedulerSteps(
  options: DenoiseOptions,
  run: PreparedRun,
  scheduler: Scheduler,
): AsyncGenerator<DenoiseStep, void, undefined> {
  const { start, signal } = options;
  const first = firstStep(scheduler.timesteps.length, start?.strength);
  const steps = scheduler.timesteps.length - first;
  let sample = firstSample(scheduler, start, first, run.initial);
  let previousOriginal: Float32Array | undefined;
  for (let index = 0; index < steps; index++) {
    await betweenSteps(signal, 'denoise', { done: index, total: steps, unit: 'steps' });
    const done = await runStep(options, run, {
      scheduler,
      step: first + index,
      index,
      steps,
      sample,
      previousOriginal,
    });
    sample = done.latents;
    previousOriginal = done.predictedOriginal;
    yield done;
  }
}

interface StepTask {
  readonly scheduler: Scheduler;
  /** Of the scheduler's. */
  readonly step: number;
  /** Of those that are done. */
  readonly index: number;
  readonly steps: number;
  readonly sample: Float32Array;
  readonly previousOriginal: Float32Array | undefined;
}

async function runStep(options: DenoiseOptions, run: PreparedRun, task: StepTask): Promise<DenoiseStep> {
  const { scheduler, step, index, steps, sample, previousOriginal } = task;
  const { start } = options;
  const began = performance.now();
  const facts = { index, steps, timestep: scheduler.timesteps[step] ?? 0, sigma: scheduler.sigmas[step] ?? 0 };
  const { modelOutput, call } = await callModel(options, run, facts, scheduler.scaleInput(sample, step));
  const noise = scheduler.needsNoise(step) ? run.noise.step(step) : undefined;
  const { sample: next, predictedOriginal } = scheduler.step(step, { modelOutput, sample, noise, previousOriginal });
  const kept = { sample: next, noise: run.initial, channels: run.shape[3] };
  const latents = start ? keepImage(scheduler, start, step, kept) : next;
  const { sites, parameters } = call;
  const milliseconds = performance.now() - began;
  return { ...facts, latents, predictedOriginal, calls: [call], sites, parameters, milliseconds };
}
