import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { messageOf, SlothfulError } from '../errors.ts';
import type { Graph, JsonObject } from '../graph/index.ts';
import type { ChosenBackend } from './backend.ts';
import { makeFeeds, type NamedInputs } from './feeds.ts';
import { type ModelInput, type ModelOutput, signatureInputs, signatureOutputs } from './signature.ts';

/** The parts that a loader puts together. */
export interface LoadedParts {
  /** The document that runs: with what passes changed while it was loaded. */
  readonly graph: Graph;
  readonly model: Pick<GraphModel, 'execute' | 'dispose'>;
  /** Path or URL of the model.json, for messages. */
  readonly place: string;
  readonly backend: ChosenBackend;
}

/** A model in memory, of any kind: a text encoder, a VAE, a UNet. Made by `loadModel`. */
export class LoadedModel {
  /** The inputs it takes, under the names to feed them by. */
  readonly inputs: readonly ModelInput[];
  /** The outputs it gives, under the names to ask for them by. */
  readonly outputs: readonly ModelOutput[];
  private disposed = false;

  constructor(private readonly parts: LoadedParts) {
    this.inputs = signatureInputs(parts.graph);
    this.outputs = signatureOutputs(parts.graph);
  }

  /** The document that runs. */
  get graph(): Graph {
    return this.parts.graph;
  }

  /** `userDefinedMetadata` of the model, with what passes recorded. */
  get metadata(): JsonObject {
    return this.parts.graph.metadata;
  }

  /** The backend that it was loaded on. */
  get backend(): ChosenBackend {
    return this.parts.backend;
  }

  /** Path or URL of the model.json. */
  get place(): string {
    return this.parts.place;
  }

  /**
   * Computes outputs from inputs, both by the names of the model's signature.
   *
   * @param inputs tensors of the dtypes and shapes that `inputs` lists, NHWC; a number where an input has one element.
   *   They stay the caller's. Those that are optional may be left out
   * @param outputs names of outputs; by default all
   * @returns tensors by name, the caller's to dispose
   * @throws SlothfulError `bad-input` for inputs or names that do not fit; `bad-graph` where TF.js fails
   */
  execute(inputs: NamedInputs, outputs?: readonly string[]): tf.NamedTensorMap {
    const wanted = outputs?.map((name) => this.output(name)) ?? this.outputs;
    return tf.tidy(() => {
      const tensors = this.run(
        makeFeeds(inputs, this.inputs),
        wanted.map(({ tensor }) => tensor),
      );
      return Object.fromEntries(tensors.map((tensor, index) => [wanted[index]?.name ?? '', tensor]));
    });
  }

  /**
   * Computes tensors of the graph from feeds that were checked before, by the names of nodes.
   *
   * @throws SlothfulError `bad-input` where the model was disposed of; `bad-graph` where TF.js fails
   */
  run(feeds: tf.NamedTensorMap, tensors: readonly string[]): tf.Tensor[] {
    const { model, place } = this.parts;
    if (this.disposed) throw new SlothfulError('bad-input', place, 'was disposed of', 'load it again');
    try {
      const results = model.execute(feeds, [...tensors]);
      const list: readonly (tf.Tensor | undefined)[] = Array.isArray(results) ? results : [results];
      return tensors.map((name, index) => list[index] ?? this.refuse(name));
    } catch (error) {
      if (error instanceof SlothfulError) throw error;
      const problem = `TF.js failed while it ran: ${messageOf(error)}`;
      throw new SlothfulError('bad-graph', place, problem, undefined, { cause: error });
    }
  }

  /** Frees the weights. The model cannot be used after; calling it again does nothing. */
  dispose(): void {
    if (!this.disposed) this.parts.model.dispose();
    this.disposed = true;
  }

  /** TF.js gives nothing for an output beyond those that an op has. */
  private refuse(name: string): never {
    throw new SlothfulError('bad-graph', this.parts.place, `makes no tensor "${name}"`, 'convert the model again');
  }

  private output(name: string): ModelOutput {
    const output = this.outputs.find((each) => each.name === name);
    if (output) return output;
    const list = this.outputs.map((each) => `"${each.name}"`).join(', ') || 'none';
    throw new SlothfulError('bad-input', `output "${name}"`, 'is not an output of this model', `it has ${list}`);
  }
}
