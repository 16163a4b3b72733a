import { SlothfulError } from '../errors.ts';
import {
  type AskedPasses,
  type PassParameters,
  passesInForce,
  type SlothfulOptions,
  type SlothfulParameters,
} from '../passes/index.ts';
import type { RunConditioning, RunSettings } from '../sampling/index.ts';
import type { Prompts } from '../text/index.ts';
import { takenBeside } from './beside-sample.ts';
import { type AskedExtent, extentOf, type OpenedDocument } from './open-model.ts';
import { parametersInForce } from './parameters.ts';
import { completeSettings, isGuidedRun, type RunRequest } from './settings.ts';
import type { TextSource } from './text-source.ts';

/** What is asked of a run of one model; what is left open is the model's own. */
export interface RunChoices extends RunRequest, AskedExtent {
  /**
   * What the model is told. Where it is not known yet, as in a plan, text of `contextTokens` (default: the usual 77) is
   * assumed, and something to be guided away from.
   */
  readonly conditioning?: RunConditioning | undefined;
  readonly contextTokens?: number | undefined;
  /** Whether there is anything to be guided away from; default: what the conditioning has, and where there is none yet, yes. */
  readonly guidable?: boolean | undefined;
  /** Slothful Attention's, over the model's own: see `parametersInForce`. */
  readonly parameters?: SlothfulOptions | Readonly<Record<string, unknown>> | undefined;
  /** Of other passes by name, over what the model records: those that the model does not have are put in as it loads. */
  readonly passes?: AskedPasses | undefined;
  /** `false`: what the model records of passes and their parameters does not count, only what is asked for here. */
  readonly recorded?: boolean | undefined;
  /** A plain model, too, is run with Slothful Attention: with the node's defaults where no parameters are given. */
  readonly patched?: boolean | undefined;
}

/** Everything that decides a run. `plan`, `run` and `sweep` go by the same. */
export interface ResolvedRun {
  readonly settings: RunSettings;
  /** Tokens of the text; undefined where neither text nor a number was given. */
  readonly contextTokens: number | undefined;
  /** In force; undefined: as the unpatched model does. */
  readonly parameters: SlothfulParameters | undefined;
  /** The other passes that act, with all their parameters. */
  readonly passes: PassParameters;
  /** What was chosen for the user, in words. */
  readonly notes: readonly string[];
  /** Runs that go on from its latents. */
  readonly next?: readonly ResolvedRun[] | undefined;
}

/**
 * Decides a run: size, sampler, steps, spacing, sigmas, prediction type, guidance, seed, length of the text and parameters,
 * of what was asked and what the model says of itself. Nothing is loaded.
 *
 * @throws SlothfulError `bad-parameter`, `bad-input` for a size that the model cannot have, `unsupported`, `usage` for
 *   guidance away from nothing
 */
export function resolveRun(model: Pick<OpenedDocument, 'graph' | 'patch'>, choices: RunChoices): ResolvedRun {
  const { conditioning } = choices;
  const extent = extentOf(model, choices);
  const { guidable = !conditioning || conditioning.uncond !== undefined } = choices;
  const taken = takenBeside(model.graph);
  const { settings, notes } = completeSettings(model.graph.metadata, requestOf(choices), extent, guidable, taken);
  if (isGuidedRun(settings) && !guidable) {
    const problem = `${settings.guidance_scale} needs the unconditional text`;
    throw new SlothfulError('usage', '--guidance-scale', problem, 'give --uncond, or --guidance-scale 1');
  }
  return {
    settings,
    contextTokens: conditioning?.cond.encoder_hidden_states?.shape[1] ?? choices.contextTokens,
    parameters: resolveParameters(model, choices),
    passes: passesInForce(choices.recorded === false ? {} : model.graph.metadata, choices.passes),
    notes,
  };
}

/**
 * The parameters in force; undefined for a plain model of which no Slothful Attention was asked.
 *
 * @throws SlothfulError `bad-parameter`
 */
export function resolveParameters(
  { patch }: Pick<OpenedDocument, 'patch'>,
  { parameters, patched = false, recorded = true }: Pick<RunChoices, 'parameters' | 'patched' | 'recorded'>,
): SlothfulParameters | undefined {
  const own = recorded ? patch : undefined;
  const isWanted = own !== undefined || parameters !== undefined || patched;
  return isWanted ? parametersInForce(own, parameters) : undefined;
}

/** The part of what is asked that is not about size, text or parameters. */
export function requestOf(asked: RunRequest): RunRequest {
  const { steps, sampler, sigmas, definitions, spacing, prediction_type, model_sampling, rescale_betas_zero_snr } =
    asked;
  const { guidance_scale, image_guidance_scale, seed, rng, batch_index, strength, part } = asked;
  return {
    ...{ steps, sampler, sigmas, definitions, spacing, prediction_type, model_sampling, rescale_betas_zero_snr },
    ...{ guidance_scale, image_guidance_scale, seed, rng, batch_index, strength, part },
  };
}

/**
 * Decides a run by the text that it will be told, before that is encoded.
 *
 * @throws SlothfulError as `resolveRun` and the source's `facts`
 */
export function resolveTold(
  model: Pick<OpenedDocument, 'graph' | 'patch'>,
  text: TextSource,
  { prompt, ...choices }: RunChoices & { readonly prompt?: Prompts | undefined },
): ResolvedRun {
  const run = resolveRun(model, { ...choices, ...text.facts(prompt) });
  if (isGuidedRun(run.settings)) return run;
  // What a run is not guided away from is not encoded, however long.
  return resolveRun(model, { ...choices, ...text.facts(prompt, false) });
}
