import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import type { Graph } from '../graph/index.ts';
import type { ModelSource } from '../models/index.ts';
import { changeParameters, MID_RESIDUAL } from '../passes/index.ts';
import { hooksOf, passFeeds } from './control.ts';
import { firstTimestep, makeUNetFeeds, type UNetInputs } from './feeds.ts';
import type { Platform } from './load-model.ts';
import { type LoadOptions, loadRolesOn } from './load-unet.ts';
import type { LoadedModel } from './loaded-model.ts';
import { signatureOutputs } from './signature.ts';
import type { PredictOptions, UNetParts } from './unet.ts';

/** What a ControlNet adds to a UNet, by the names of the UNet's inputs: `down_block_res_0`, ..., `mid_block_res`. */
export type Residuals = Readonly<Record<string, tf.Tensor4D>>;

/** How the residuals of a step are made; what is about Slothful Attention does nothing where the model is not patched. */
export interface ControlNetOptions
  extends Pick<PredictOptions, 'sigma' | 'stepIndex' | 'parameters' | 'passes' | 'slothful'> {
  /** The conditioning scale, default 1. */
  readonly scale?: number | undefined;
}

/** The parts that `loadControlNet` puts together. */
export interface ControlNetParts extends Omit<UNetParts, 'output'> {
  /** Names of the residuals. */
  readonly output: readonly string[];
}

/** A ControlNet that is loaded. Made by `loadControlNet`. */
export class ControlNet {
  constructor(private readonly parts: ControlNetParts) {}

  /** `userDefinedMetadata` of the model. */
  get metadata(): LoadedModel['metadata'] {
    return this.parts.model.metadata;
  }

  /**
   * The residuals of a step, times the conditioning scale.
   *
   * @param inputs as the UNet takes them, NHWC, and `image` [B, 8h, 8w, 3] in 0..1; they stay the caller's
   * @returns residuals, the caller's to dispose
   * @throws SlothfulError `bad-input` for inputs that do not fit
   */
  predict(inputs: UNetInputs, options: ControlNetOptions = {}): Residuals {
    const { model, output: names } = this.parts;
    return tf.tidy(() => {
      const feeds = makeUNetFeeds({ ...inputs, sample: this.ownChannels(inputs) }, this.parts.inputs, 'nhwc');
      const tensors = model.run({ ...feeds, ...this.control(inputs, options) }, names);
      return Object.fromEntries(names.map((name, index) => [name, scaled(tensors[index], options.scale ?? 1, name)]));
    });
  }

  dispose(): void {
    this.parts.model.dispose();
  }

  /** A UNet that takes a mask or an image beside its latent is steered by the latent alone, as in diffusers. */
  private ownChannels({ sample }: UNetInputs): tf.Tensor {
    const own = this.parts.inputs.find(({ role }) => role === 'sample')?.shape?.[3] ?? -1;
    const channels = sample.shape[3] ?? 0;
    return own > 0 && channels > own ? tf.slice(sample, [0, 0, 0, 0], [-1, -1, -1, own]) : sample;
  }

  private control({ sample, timestep }: UNetInputs, options: ControlNetOptions): tf.NamedTensorMap {
    const { patch, hook } = this.parts;
    const { sigma, stepIndex, parameters, passes, slothful } = options;
    if (!patch || slothful === false) return {};
    const [, height = 0, width = 0] = sample.shape;
    const clues = { timestep: firstTimestep(timestep), sigma, stepIndex, latent: { height, width } };
    // What steers the UNet may be more than this model was patched with.
    const asked = Object.entries({ ...passes, ...(parameters ? { slothful: parameters } : {}) });
    const own = asked.filter(([name]) => patch.passes.some(({ definition }) => definition.name === name));
    const state = changeParameters(patch, Object.fromEntries(own));
    return passFeeds(state, clues, hooksOf(hook));
  }
}

/** The residuals that a ControlNet gives, the middle block's last. @throws SlothfulError `bad-model` where it is none */
function residualNames(graph: Graph, place: string): string[] {
  const outputs = signatureOutputs(graph).map(({ name }) => name);
  const names = outputs.filter((name) => /^down_block_res_\d+$/.test(name));
  const isControlNet = graph.metadata.kind === 'controlnet' && outputs.includes(MID_RESIDUAL);
  if (names.length && isControlNet) return [...names, MID_RESIDUAL];
  throw new SlothfulError('bad-model', place, 'is not a ControlNet', 'convert one with "slothful convert"');
}

function scaled(residual: tf.Tensor | undefined, scale: number, name: string): tf.Tensor4D {
  if (!residual) throw new SlothfulError('bug', name, 'was not computed');
  return tf.mul(residual, scale);
}

/** Loads a ControlNet for a platform. With `slothful` its own self-attentions are patched too. */
export async function loadControlNetOn(
  platform: Platform,
  source: ModelSource,
  options: LoadOptions = {},
): Promise<ControlNet> {
  return new ControlNet(await loadRolesOn(platform, source, options, residualNames));
}
