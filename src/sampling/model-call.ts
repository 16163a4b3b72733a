import { withBeside } from './beside.ts';
import type { DenoiseOptions, EvaluatedCall, StepFacts } from './denoise-options.ts';
import { evaluate } from './evaluate.ts';
import { guided, ofEachPart } from './guidance.ts';
import type { PreparedRun } from './prepare-run.ts';

/** An evaluation of the model in a run, and what it answered. */
export interface ModelAnswer {
  /** After guidance. */
  readonly modelOutput: Float32Array;
  readonly call: EvaluatedCall;
}

/**
 * Asks the model once, of the sample as it takes it, and guides its answer.
 *
 * @param facts of the call: its own timestep and noise level
 * @throws SlothfulError as `evaluate`, naming the step
 */
export async function callModel(
  { unet, control, passes, slothful, beside }: DenoiseOptions,
  { shape, conditioning, guidance, memory, seed }: PreparedRun,
  facts: StepFacts,
  scaledSample: Float32Array,
): Promise<ModelAnswer> {
  const { index: stepIndex, steps, timestep, sigma } = facts;
  const { parts } = guidance;
  const parameters = control?.(facts);
  const sample = { shape, data: scaledSample };
  const request = {
    timestep,
    conditioning,
    sample: beside ? withBeside(sample, beside, guidance) : ofEachPart(guidance, sample),
    channels: shape[3],
    options: { sigma, parameters, passes, slothful, stepIndex, steps, seed, memory, parts },
  };
  const { output, sites, reused } = await evaluate(unet, request, `step ${stepIndex} (timestep ${timestep})`);
  return {
    modelOutput: guided(output, guidance, timestep),
    call: { timestep, sigma, sites, parameters, reused },
  };
}
