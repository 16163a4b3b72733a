import { SlothfulError } from '../errors.ts';
import { type AskedPasses, SLOTHFUL_SECOND } from '../passes/index.ts';
import type { RunRequest } from '../pipeline/index.ts';
import { expectSolver, type GuidedSizes, parseScheduleName, SIGMA_SCHEDULES_COMFYUI } from '../sampling/index.ts';
import type { WorkflowModelSampling, WorkflowPass, WorkflowPrompt, WorkflowRun } from '../workflows/index.ts';
import type { FolderJob, NextJob } from './folder-job.ts';
import type { RunJob } from './run-to-folder.ts';

/** Pixels of ComfyUI's pictures for one of their latents, by side. */
const GRID = 8;

/** Where the files of a workflow are. */
export interface WorkflowFiles {
  /** The file of the workflow, for messages. */
  readonly place: string;
  /** What `LoadImage` names; undefined where the workflow starts from noise, or the user has given another image. */
  readonly image?: string | undefined;
}

/**
 * The run that a workflow asks for: ComfyUI's definitions, noise, weights in prompts and parameters, whatever the model
 * records. Nothing is loaded.
 *
 * @throws SlothfulError `unsupported`, `bad-parameter` or `bad-input` for what a workflow can ask and is not built
 */
export function workflowJob(run: WorkflowRun, { place, image }: WorkflowFiles): Omit<RunJob, 'model'> {
  const [first, ...others] = run.passes;
  if (!first) throw new SlothfulError('bug', place, 'a workflow without a sampler');
  const text = { clipSkip: run.clipSkip === -1 ? undefined : -run.clipSkip };
  const { latent, tiles, checkpoint, vae, loras } = run;
  const isEmpty = latent.kind === 'empty';
  const choices = passChoices(first, place);
  return {
    ...choices,
    ...text,
    size: isEmpty ? { width: floored(latent.width), height: floored(latent.height) } : undefined,
    initImage: isEmpty ? undefined : (image ?? latent.image),
    strength: isEmpty ? choices.strength : (choices.strength ?? 1),
    batch: latent.batch,
    batch_index: latent.batchIndex ? [...latent.batchIndex] : undefined,
    tile: tiles?.tileSize,
    workflow: { checkpoint, vae, loras, tiles, filenamePrefix: run.output.filenamePrefix },
    next: others.map((pass): NextJob => ({ ...passChoices(pass, place), ...text })),
  };
}

function floored(pixels: number): number {
  if (pixels >= GRID) return pixels - (pixels % GRID);
  throw new SlothfulError('bad-input', 'EmptyLatentImage', `${pixels} pixels are less than a latent has`);
}

/** What one sampler of a workflow asks for. */
type PassChoices = RunRequest &
  Pick<FolderJob, 'prompt' | 'prompt2' | 'negativePrompt' | 'negativePrompt2' | 'weights' | 'sizes'> &
  Pick<FolderJob, 'parameters' | 'passes' | 'recorded'>;

function passChoices(pass: WorkflowPass, file: string): PassChoices {
  const place = `${file}, node ${pass.nodeId}`;
  const { positive, negative, advanced } = pass;
  for (const prompt of [positive, negative]) refuseEmbeddings(prompt, place);
  return {
    ...{ prompt: positive.text, prompt2: positive.textG, weights: 'comfyui' as const },
    ...{ negativePrompt: negative.text, negativePrompt2: negative.textG ?? (positive.textG && negative.text) },
    sizes: sizesOf(positive, negative, place),
    ...{ definitions: 'comfyui' as const, rng: 'comfyui' as const, seed: pass.seed },
    ...{ steps: pass.steps, guidance_scale: pass.cfg },
    sampler: expectSolver(pass.sampler, place),
    sigmas: sigmasOf(pass.scheduler, place),
    strength: advanced || pass.denoise === 1 ? undefined : pass.denoise,
    part: advanced
      ? {
          ...{ add_noise: advanced.addNoise, start_at_step: advanced.startAtStep, end_at_step: advanced.endAtStep },
          return_with_leftover_noise: advanced.returnWithLeftoverNoise,
        }
      : undefined,
    ...modelSamplingOf(pass.modelSampling, place),
    ...steering(pass, place),
    recorded: false,
  };
}

/** ComfyUI loads the file there; as words it would be another prompt. */
function refuseEmbeddings({ text, textG = '' }: WorkflowPrompt, place: string): void {
  const [found] = /embedding:[^\s,)]+/.exec(`${text} ${textG}`) ?? [];
  if (found === undefined) return;
  throw new SlothfulError('unsupported', place, `"${found}" in its prompt is not built`, 'take it out of the prompt');
}

function sigmasOf(name: string, place: string): NonNullable<RunRequest['sigmas']> {
  const found = parseScheduleName(name);
  if (found) return found;
  const cure = `there are ${SIGMA_SCHEDULES_COMFYUI.join(', ')}`;
  throw new SlothfulError('unsupported', place, `the scheduler ${name} is not built`, cure);
}

/** ModelSamplingDiscrete's kinds of model, as the settings of a run have them. */
const MODEL_SAMPLINGS: Readonly<Record<string, Pick<RunRequest, 'model_sampling' | 'prediction_type'>>> = {
  eps: { prediction_type: 'epsilon' },
  v_prediction: { prediction_type: 'v_prediction' },
  lcm: { model_sampling: 'lcm' },
};

function modelSamplingOf(asked: WorkflowModelSampling | null, place: string): Partial<RunRequest> {
  if (!asked) return {};
  const found = MODEL_SAMPLINGS[asked.sampling];
  if (found) return { ...found, ...(asked.zsnr ? { rescale_betas_zero_snr: true } : {}) };
  const cure = `there are ${Object.keys(MODEL_SAMPLINGS).join(', ')}`;
  throw new SlothfulError('unsupported', place, `ModelSamplingDiscrete ${asked.sampling} is not built`, cure);
}

/** Without a node of Slothful Attention there is none, whatever the model records. */
function steering({ slothful, freeu }: WorkflowPass, place: string): Pick<FolderJob, 'parameters' | 'passes'> {
  const [first, second, ...more] = slothful;
  if (more.length) {
    const problem = `${slothful.length} nodes of Slothful Attention act on one model, and two at most are built`;
    throw new SlothfulError('unsupported', place, problem, 'bypass the others');
  }
  const passes: AskedPasses = {
    ...(second ? { [SLOTHFUL_SECOND.name]: { ...second.parameters } } : {}),
    ...(freeu ? { freeu: freeuOf(freeu) } : {}),
  };
  return { parameters: first?.parameters, passes };
}

function freeuOf({ version, ...strengths }: NonNullable<WorkflowPass['freeu']>) {
  return { ...strengths, variant: `comfyui-v${version}` };
}

function sizesOf(positive: WorkflowPrompt, negative: WorkflowPrompt, place: string): GuidedSizes | undefined {
  const [one, other] = [positive.sizes, negative.sizes];
  if (JSON.stringify(one) !== JSON.stringify(other)) {
    const problem = 'what it is told and what it is guided away from have other sizes, which is not built';
    throw new SlothfulError('unsupported', place, problem, 'give both prompts the same sizes');
  }
  if (!one) return undefined;
  return {
    original: { width: one.width, height: one.height },
    crop: { top: one.cropHeight, left: one.cropWidth },
    target: { width: one.targetWidth, height: one.targetHeight },
  };
}
