import type { DenoiseOptions, DenoiseStep } from './denoise-options.ts';
import { prepareRun } from './prepare-run.ts';
import { isSolver } from './run-scheduler.ts';
import { schedulerSteps } from './scheduler-steps.ts';
import { solverSteps } from './solver-steps.ts';

/**
 * Denoises step by step: `for await (const step of denoise({...}))`. The last step's `latents` are the result.
 *
 * All arithmetic but the model's own is done on plain numbers, so that a seed means the same on every backend. Between
 * steps no tensor is held but what passes such as DeepCache keep: leave the loop by `break`, `return` or an error, and those
 * are freed.
 *
 * @throws SlothfulError `aborted` where the signal stopped it; `bad-input` or `bad-parameter` for options that do not
 *   fit each other or the model; `bad-model` naming the step where the model answers NaN
 */
export async function* denoise(options: DenoiseOptions): AsyncGenerator<DenoiseStep, void, undefined> {
  const run = prepareRun(options);
  const { scheduler, onPreview, previewEvery = 1 } = options;
  const steps = isSolver(scheduler) ? solverSteps(options, run, scheduler) : schedulerSteps(options, run, scheduler);
  try {
    for await (const done of steps) {
      if ((done.index + 1) % previewEvery === 0 || done.index === done.steps - 1) await onPreview?.(done);
      yield done;
    }
  } finally {
    run.memory.dispose();
  }
}
