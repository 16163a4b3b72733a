import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { endpoint, type JsonObject, outputLayout } from '../graph/index.ts';
import { type ExecutedAttention, recordAttention } from '../kernels/index.ts';
import {
  type BatchPart,
  type ControlState,
  changeParameters,
  keptByPasses,
  type PassChanges,
  type PassHooks,
  parseParameters,
  type SlothfulHook,
  type SlothfulOptions,
  type SlothfulParameters,
  steeringOf,
} from '../passes/index.ts';
import type { ChosenBackend } from './backend.ts';
import { hooksOf, passFeeds } from './control.ts';
import { byRoles, type DataLayout, firstTimestep, makeUNetFeeds, turned, type UNetInputs } from './feeds.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { RunMemory } from './run-memory.ts';
import type { UNetInput } from './unet-inputs.ts';

/** How one prediction is made. */
export interface PredictOptions {
  /** Order of the axes of rank-4 inputs and of the output. Default nhwc. */
  readonly layout?: DataLayout | undefined;
  /** Noise level of the step; by default told from the timestep. The first image's serves the whole batch. */
  readonly sigma?: number | undefined;
  /** Slothful Attention's parameters for this prediction alone, over those that are set. */
  readonly parameters?: SlothfulOptions | undefined;
  /** Those of other passes by name; `false` turns one off. */
  readonly passes?: PassChanges | undefined;
  /** `false`: as the unpatched model does. */
  readonly slothful?: false | undefined;
  /** The parts that guidance makes of the batch, for passes and for what is put around the model. Default: one, asked for. */
  readonly parts?: readonly BatchPart[] | undefined;
  /** Handed to the hook and the passes. */
  readonly stepIndex?: number | undefined;
  /** How many steps the run has: handed to the passes. */
  readonly steps?: number | undefined;
  /** What passes that choose at random go by. Default 0. */
  readonly seed?: number | undefined;
  /**
   * Of the run that this prediction belongs to: what passes such as DeepCache keep from one evaluation to the next. Without
   * it every evaluation runs the whole model.
   */
  readonly memory?: RunMemory | undefined;
}

/** What one attention did. */
export interface SiteRecord extends Omit<ExecutedAttention, 'site' | 'cross'> {}

/** One prediction. */
export interface Prediction {
  /** The caller's to dispose. */
  readonly out_sample: tf.Tensor4D;
  /** Every patched self-attention, in the order of the control table; empty for a model that is not patched. */
  readonly sites: readonly SiteRecord[];
  /** Whether parts of the model were left out, and what the run's memory keeps of them was taken. */
  readonly reused?: boolean | undefined;
}

/** What passes take from a run's memory in an evaluation, and what they have it keep. */
interface Kept {
  readonly taken: tf.NamedTensorMap;
  readonly made: readonly string[];
}

/** The parts that `loadUNet` puts together. */
export interface UNetParts {
  readonly model: LoadedModel;
  readonly inputs: readonly UNetInput[];
  /** Name of the tensor that holds the prediction. */
  readonly output: string;
  readonly patch: ControlState | undefined;
  readonly hook?: SlothfulHook | undefined;
}

/** A UNet that is loaded and ready to predict. Made by `loadUNet`. */
export class UNet {
  private state: ControlState | undefined;
  private hooks: PassHooks;

  /** Order of the axes of what the model itself predicts. */
  private readonly outputLayout: DataLayout;

  constructor(private readonly parts: UNetParts) {
    const { model, inputs, output } = parts;
    const [node = output, index] = output.split(':');
    const sample = inputs.find(({ role }) => role === 'sample')?.layout ?? 'nhwc';
    this.outputLayout = outputLayout(model.graph, endpoint(node, Number(index ?? 0)), sample);
    this.state = parts.patch;
    this.hooks = hooksOf(parts.hook);
  }

  /** `userDefinedMetadata` of the model: family, scheduler defaults and what passes recorded. */
  get metadata(): JsonObject {
    return this.parts.model.metadata;
  }

  /** The inputs it takes, under the names to feed them by. */
  get inputs(): readonly UNetInput[] {
    return this.parts.inputs;
  }

  /** The backend that it was loaded on. */
  get backend(): ChosenBackend {
    return this.parts.model.backend;
  }

  /** Slothful Attention's parameters in force; undefined where the model does not have it. */
  get parameters(): SlothfulParameters | undefined {
    const parameters = this.passes.slothful;
    return parameters && parseParameters(parameters);
  }

  /** The parameters in force of every pass that the model has, by name. */
  get passes(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    const passes = this.state?.passes ?? [];
    return Object.fromEntries(passes.map(({ definition, parameters }) => [definition.name, parameters]));
  }

  /**
   * Predicts the noise (or v) of a step: one evaluation of the UNet.
   *
   * @param inputs sample [B, h, w, C] of any batch and size, timestep, encoder_hidden_states [B, T, C], and what else
   *   the model takes; they stay the caller's
   * @returns the prediction, of the sample's shape and layout, and what every patched site did; sites that did not run are
   *   not among them
   * @throws SlothfulError `bad-input` for inputs that do not fit, or where neither timestep nor sigma is told;
   *   `bad-parameter`; `bad-graph` where TF.js fails
   */
  predict(given: UNetInputs, options: PredictOptions = {}): Prediction {
    const inputs = byRoles(given, this.parts.inputs);
    const layout = options.layout ?? 'nhwc';
    const state = this.stateOf(options);
    const kept = this.kept(state, inputs, options.memory);
    const sites: SiteRecord[] = [];
    const out_sample = tf.tidy(() => {
      const feeds = makeUNetFeeds(inputs, this.parts.inputs, layout);
      const control = state ? this.control(state, inputs, options) : {};
      const output = recordAttention(
        ({ cross, site, ...executed }) => {
          if (!cross) sites[site] = executed;
        },
        () => this.execute({ ...feeds, ...control }, kept, options.memory),
      );
      return layout === this.outputLayout ? output : turned(output, layout);
    });
    // The recorder counts by the table: what did not run left a gap.
    return { out_sample, sites: sites.filter(() => true), reused: Object.keys(kept.taken).length > 0 };
  }

  /**
   * Changes parameters from the next step on; those that are not named stay as they are, those that are
   * undefined get their default back.
   *
   * @throws SlothfulError `bad-parameter` for values out of range, or where the model is not patched
   */
  setParameters(changes: SlothfulOptions): void {
    this.state = this.withChanges({ slothful: changes });
  }

  /**
   * Changes parameters of any passes from the next step on, by the names of the passes.
   *
   * @throws SlothfulError `bad-parameter` for values out of range, or a pass that the model does not have
   */
  setPasses(changes: PassChanges): void {
    this.state = this.withChanges(changes);
  }

  /** Replaces the function that decides every site's strides before a step; undefined brings the first one back. */
  setHook(hook: SlothfulHook | undefined): void {
    this.hooks = hooksOf(hook);
  }

  /**
   * By how much a run is to be steered away from the part of its batch that a pass perturbs, at a timestep: it is added times
   * `cond - perturbed` to what guidance gives. Undefined where no pass asks for such a part.
   *
   * @throws SlothfulError `bad-parameter`
   */
  steeringOf(options: PredictOptions, timestep: number): number | undefined {
    const state = this.stateOf(options);
    return state && steeringOf(state, timestep);
  }

  /** Frees the weights. The model cannot be used after; calling it again does nothing. */
  dispose(): void {
    this.parts.model.dispose();
  }

  private withChanges(changes: PassChanges): ControlState {
    const { state } = this;
    if (!state) {
      const cure = 'load it with slothful: true, or patch it first (slothful patch)';
      throw new SlothfulError('bad-parameter', this.parts.model.place, 'is not patched, so it has no parameters', cure);
    }
    return changeParameters(state, changes);
  }

  /** The passes that act; undefined where the model is not patched, or shall do as if it were not. */
  private stateOf({ parameters, passes, slothful }: PredictOptions): ControlState | undefined {
    const changes = { ...passes, ...(parameters ? { slothful: parameters } : {}) };
    const state = Object.keys(changes).length ? this.withChanges(changes) : this.state;
    return slothful === false ? undefined : state;
  }

  /** What passes feed. */
  private control(state: ControlState, inputs: UNetInputs, options: PredictOptions): tf.NamedTensorMap {
    const [, first = 0, second = 0, third = 0] = inputs.sample.shape;
    const [height, width] = options.layout === 'nchw' ? [second, third] : [first, second];
    const { sigma, stepIndex, steps, seed, parts } = options;
    const timestep = firstTimestep(inputs.timestep);
    const clues = { timestep, sigma, stepIndex, steps, seed, parts, latent: { height, width } };
    return passFeeds(state, clues, this.hooks);
  }

  /** What is to be taken from the memory, and what it shall have after: all of it where it lacks something. */
  private kept(state: ControlState | undefined, inputs: UNetInputs, memory: RunMemory | undefined): Kept {
    if (!state || !memory) return { taken: {}, made: [] };
    const asked = keptByPasses(state, memory.next(this, inputs.sample.shape));
    const found = asked.map(({ node, reuse }) => ({ node, tensor: reuse ? memory.get(node) : undefined }));
    return {
      taken: Object.fromEntries(found.flatMap(({ node, tensor }) => (tensor ? [[node, tensor] as const] : []))),
      made: found.filter(({ tensor }) => !tensor).map(({ node }) => node),
    };
  }

  private execute(feeds: tf.NamedTensorMap, { taken, made }: Kept, memory: RunMemory | undefined): tf.Tensor4D {
    const { model, output: name } = this.parts;
    const [output, ...others] = model.run({ ...feeds, ...taken }, [name, ...made]);
    const tensors = made.flatMap((node, index) => {
      const tensor = others[index];
      return tensor ? [[node, tensor] as const] : [];
    });
    memory?.keep(new Map(tensors), Object.keys(taken));
    if (output && isRank4(output)) return output;
    throw new SlothfulError('bad-graph', model.place, `its output "${name}" is not a rank-4 tensor`);
  }
}

function isRank4(tensor: tf.Tensor): tensor is tf.Tensor4D {
  return tensor.rank === 4;
}
