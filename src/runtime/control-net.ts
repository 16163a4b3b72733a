import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import type { ModelStore } from '../models/index.ts';
import { MID_RESIDUAL } from '../passes/index.ts';
import { changeParameters, controlTable } from './control.ts';
import { firstTimestep, makeFeeds, type UNetInputs } from './feeds.ts';
import { defaultHook } from './hook.ts';
import { type LoadedModel, type LoadOptions, loadModelOn, openModelOn, type Platform } from './load-unet.ts';
import type { PredictOptions } from './unet.ts';

/** What a ControlNet adds to a UNet, by the names of the UNet's inputs: `down_block_res_0`, ..., `mid_block_res`. */
export type Residuals = Readonly<Record<string, tf.Tensor4D>>;

/** How the residuals of a step are made; what is about Slothful Attention does nothing where the model is not patched. */
export interface ControlNetOptions extends Pick<PredictOptions, 'sigma' | 'stepIndex' | 'parameters' | 'slothful'> {
  /** The conditioning scale, default 1. */
  readonly scale?: number | undefined;
}

/** A ControlNet that is loaded. Made by `loadControlNet`. */
export class ControlNet {
  private readonly outputs: readonly string[];

  constructor(private readonly loaded: LoadedModel) {
    this.outputs = residualNames(loaded);
  }

  /** `userDefinedMetadata` of the model. */
  get metadata(): LoadedModel['metadata'] {
    return this.loaded.metadata;
  }

  /**
   * The residuals of a step, times the conditioning scale.
   *
   * @param inputs as the UNet takes them, NHWC, and `image` [B, 8h, 8w, 3] in 0..1; they stay the caller's
   * @returns residuals, the caller's to dispose
   * @throws SlothfulError `bad-input` for inputs that do not fit
   */
  predict(inputs: UNetInputs, options: ControlNetOptions = {}): Residuals {
    return tf.tidy(() => {
      const feeds = Object.fromEntries(makeFeeds(inputs, this.loaded.inputs, 'nhwc'));
      const results = this.loaded.model.execute({ ...feeds, ...this.control(inputs, options) }, [...this.outputs]);
      const tensors = Array.isArray(results) ? results : [results];
      return Object.fromEntries(
        this.outputs.map((name, index) => [name, scaled(tensors[index], options.scale ?? 1, name)]),
      );
    });
  }

  dispose(): void {
    this.loaded.model.dispose();
  }

  private control({ sample, timestep }: UNetInputs, options: ControlNetOptions): tf.NamedTensorMap {
    const { patch, hook = defaultHook } = this.loaded;
    const { sigma, stepIndex, parameters = {}, slothful } = options;
    if (!patch || slothful === false) return {};
    const [, height = 0, width = 0] = sample.shape;
    const facts = { timestep: firstTimestep(timestep), sigma, stepIndex, latent: { height, width } };
    return { [patch.metadata.control]: controlTable(changeParameters(patch, parameters), hook, facts) };
  }
}

function residualNames({ graph, place }: LoadedModel): string[] {
  const names = [...graph.nodes].map(({ name }) => name).filter((name) => /^down_block_res_\d+$/.test(name));
  if (names.length && graph.node(MID_RESIDUAL) && graph.metadata.kind === 'controlnet') return [...names, MID_RESIDUAL];
  throw new SlothfulError('bad-model', place, 'is no ControlNet', 'convert one with "slothful convert"');
}

function scaled(residual: tf.Tensor | undefined, scale: number, name: string): tf.Tensor4D {
  if (!residual) throw new SlothfulError('bug', name, 'was not computed');
  return tf.mul(residual, scale);
}

/** Loads a ControlNet for a platform. With `slothful` its own self-attentions are patched too. */
export async function loadControlNetOn(
  platform: Platform,
  source: string | ModelStore,
  options: LoadOptions = {},
): Promise<ControlNet> {
  return new ControlNet(await loadModelOn(platform, await openModelOn(platform, source), options));
}
