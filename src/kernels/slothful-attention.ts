import { type GraphNode, registerOp } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  ATTENTION_OP,
  attentionShape,
  expectStage,
  type NodeAttributes,
  type NodeInputs,
  nameInputs,
  parseAttributes,
  partsOf,
  stagesOf,
} from '../attention/index.ts';
import { SlothfulError } from '../errors.ts';
import { type ActiveStage, activeStages, attendWithStages, type Weights } from './staged-attention.ts';
import { batchAndGrid, fromTokens, toTokens, valuesOf } from './token-forms.ts';

/** What a `SlothfulAttention` layer is made from: the node's attributes, all but `heads` with defaults. */
export interface SlothfulAttentionConfig extends Partial<Omit<NodeAttributes, 'scale'>> {
  readonly name?: string;
  readonly heads: number;
  /** Factor of the logits. Default: `1 / sqrt(head width)`. */
  readonly scale?: number | null;
}

/** A shape as tfjs-layers writes it: null where a dimension is not known. */
type LayerShape = (number | null)[];

/**
 * A layer for one whole attention: from hidden states and projection weights to merged heads, with what the stages of its
 * passes make of it, as its row of the control table says. As a cross-attention it takes keys and values of a context.
 *
 * Inputs, in this order (see `NodeInputs`): hiddenStates, [context], queryWeight, keyWeight, valueWeight, [queryBias],
 * [keyBias], [valueBias], [control [sites, columns]], [grid int32 [4]]. Without control it is a plain attention.
 *
 * It has no weights of its own: a graph's projection weights stay where they are, and are shared with the unpatched model.
 */
export class SlothfulAttention extends tfl.layers.Layer {
  /** @nocollapse */
  static readonly className = 'SlothfulAttention';
  readonly attributes: NodeAttributes;
  private readonly scale: number | null;
  private readonly place: string;

  constructor(config: SlothfulAttentionConfig) {
    super({ name: config.name });
    this.scale = config.scale ?? null;
    this.attributes = parseAttributes({ site: 0, ...config, scale: config.scale ?? 1 }, this.name);
    this.place = `site ${this.attributes.id ? `"${this.attributes.id}"` : this.attributes.site}`;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const list = Array.isArray(inputs) ? inputs : [inputs];
    return tf.tidy(() => this.at(() => this.run(nameInputs(list, this.attributes, this.place))));
  }

  override computeOutputShape(inputShape: LayerShape | LayerShape[]): LayerShape {
    const shapes = inputShape
      .filter((shape) => Array.isArray(shape))
      .map((shape) => shape.map((size) => size ?? undefined));
    return attentionShape(nameInputs(shapes, this.attributes, this.place), this.attributes).map((size) => size ?? null);
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { stages, columns, parts, ...attributes } = this.attributes;
    const lists = { stages: [...stages], columns: [...columns], parts: [...parts] };
    return { ...super.getConfig(), ...attributes, ...lists, scale: this.scale };
  }

  private run(inputs: NodeInputs<tf.Tensor>): tf.Tensor {
    const { hiddenForm, contextForm, outputForm, heads, cross, id, site } = this.attributes;
    const { batch, grid } = batchAndGrid(inputs, this.attributes);
    const hiddenStates = toTokens(inputs.hiddenStates, hiddenForm, batch, 'hidden states');
    const context = inputs.context && toTokens(inputs.context, contextForm, batch, 'context');
    const merged = attendWithStages({
      ...{ site, id, kind: cross ? 'cross' : 'self', heads, scale: this.scale, grid },
      ...{ hiddenStates, context, weights: this.weightsOf(inputs), stages: this.stagesNow(inputs.control) },
    });
    return fromTokens(merged, outputForm, heads, grid);
  }

  private weightsOf(inputs: NodeInputs<tf.Tensor>): Weights {
    const { transposeWeights: transposed } = this.attributes;
    const { query, key, value } = partsOf(this.attributes);
    return {
      query: { weight: inputs.queryWeight, bias: inputs.queryBias, transposed, part: query },
      key: { weight: inputs.keyWeight, bias: inputs.keyBias, transposed, part: key },
      value: { weight: inputs.valueWeight, bias: inputs.valueBias, transposed, part: value },
    };
  }

  /** The stages with their rows of the table that is fed. */
  private stagesNow(control: tf.Tensor | undefined): ActiveStage[] {
    if (!control) return [];
    const stages = stagesOf(this.attributes, true).map(([name, first]) => {
      return { stage: expectStage(name, this.place), first };
    });
    const width = control.shape.at(-1) ?? 0;
    return activeStages(stages, valuesOf(control), { site: this.attributes.site, width });
  }

  /** Tells an error of the parts which site it is of. */
  private at<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof SlothfulError) || error.place.startsWith(this.place)) throw error;
      throw new SlothfulError(error.code, `${this.place}, ${error.place}`, error.problem, error.cure, { cause: error });
    }
  }
}

tf.serialization.registerClass(SlothfulAttention);

/** Layers have no state, so nodes with the same attributes share one. */
const layers = new Map<string, SlothfulAttention>();

/** Teaches TF.js the op of attention nodes. The registry is TF.js's own, global by op name; calling again changes nothing. */
export function registerAttentionOp(): void {
  registerOp(ATTENTION_OP, execute);
}

function execute(node: GraphNode): tf.Tensor {
  const output = layerOf(node.attrs).apply(node.inputs);
  if (output instanceof tf.Tensor) return output;
  throw new SlothfulError('bug', ATTENTION_OP, 'the layer gave something that is not a tensor');
}

function layerOf(attributes: GraphNode['attrs']): SlothfulAttention {
  const key = JSON.stringify(attributes);
  const known = layers.get(key);
  if (known) return known;
  const layer = new SlothfulAttention(parseAttributes(attributes, ATTENTION_OP));
  layers.set(key, layer);
  return layer;
}
