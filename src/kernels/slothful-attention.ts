import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { type NodeAttributes, type NodeInputs, nameInputs } from '../attention/node/contract.ts';
import { outputShapeOf } from '../attention/node/output-shape.ts';
import { parseAttributes } from '../attention/node/parse-attributes.ts';
import { SlothfulError } from '../errors.ts';
import { type ControlRow, decodeControl, isUntouched, UNTOUCHED } from '../passes/slothful/control.ts';
import { KVPooling } from '../passes/slothful/kv-pooling.ts';
import { type Attention, attend, planOf } from './attend.ts';
import { fromTokens, toTokens } from './forms.ts';
import { valuesOf } from './host.ts';
import { layoutOf } from './layout.ts';
import { project } from './project.ts';
import { report } from './recorder.ts';
import type { Shape } from './shape.ts';

/** What a `SlothfulAttention` layer is made from: the node's attributes, all but `heads` with defaults. */
export interface SlothfulAttentionConfig extends Partial<Omit<NodeAttributes, 'scale'>> {
  readonly name?: string;
  readonly heads: number;
  /** Factor of the logits. Default: `1 / sqrt(head width)`. */
  readonly scale?: number | null;
}

/**
 * A layer for one whole attention: from hidden states and projection weights to merged heads. As a self-attention it
 * makes keys and values of pooled hidden states, as its control row says; as a cross-attention, of a context.
 *
 * Inputs, in this order (see `NodeInputs`): hiddenStates, [context], queryWeight, keyWeight, valueWeight, [queryBias],
 * [keyBias], [valueBias], [control [sites, 7], grid int32 [4]]. Without control it is a plain attention.
 *
 * It has no weights of its own: a graph's projection weights stay where they are, and are shared with the unpatched model.
 */
export class SlothfulAttention extends tfl.layers.Layer {
  /** @nocollapse */
  static readonly className = 'SlothfulAttention';
  readonly attributes: NodeAttributes;
  private readonly scale: number | null;
  private readonly pooling = new KVPooling();
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

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const shapes = inputShape.filter((shape) => Array.isArray(shape));
    return outputShapeOf(nameInputs(shapes, this.attributes, this.place), this.attributes);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.attributes, scale: this.scale };
  }

  /** Pool, project, attend, merge. */
  private run(inputs: NodeInputs<tf.Tensor>): tf.Tensor {
    const { hiddenForm, outputForm, heads, transposeWeights: transposed } = this.attributes;
    const { batch, grid } = layoutOf(inputs, this.attributes);
    const hidden = toTokens(inputs.hiddenStates, hiddenForm, batch, 'hidden states');
    const row = this.rowOf(inputs.control);
    const [keyInput, valueInput] = inputs.context
      ? this.contextOf(inputs.context, batch)
      : this.pooling.pool(hidden, row, grid);
    const query = project(hidden, { weight: inputs.queryWeight, bias: inputs.queryBias, transposed });
    const key = project(keyInput, { weight: inputs.keyWeight, bias: inputs.keyBias, transposed });
    const value = project(valueInput, { weight: inputs.valueWeight, bias: inputs.valueBias, transposed });
    const attention = { query, key, value, heads, scale: this.scale ?? Math.sqrt(heads / query.shape[2]) };
    this.report(attention, row);
    return fromTokens(attend(attention), outputForm, heads, grid);
  }

  private rowOf(control: tf.Tensor | undefined): ControlRow {
    return control ? decodeControl(valuesOf(control), this.attributes.site) : UNTOUCHED;
  }

  private contextOf(context: tf.Tensor, batch: number | undefined): [tf.Tensor3D, tf.Tensor3D] {
    const tokens = toTokens(context, this.attributes.contextForm, batch, 'context');
    return [tokens, tokens];
  }

  private report(attention: Attention, row: ControlRow): void {
    const { site, id, cross } = this.attributes;
    report(() => {
      const tokens = attention.query.shape[1];
      const kvTokens = attention.key.shape[1];
      const pooled = !isUntouched(row);
      return { site, id, cross, tokens, kvTokens, logitsBytes: planOf(attention).logitsBytes, pooled, row };
    });
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
