import { attr, type Endpoint } from '../../src/graph/index.ts';
import { type Built, pseudoRandom, SpellingBuilder } from './spelling-builder.ts';

/** Things that real graphs have around their attentions, and that must not change what is found. */
export interface UNetVariant {
  /** An attention in the middle block. Default true. */
  readonly middle?: boolean;
  /** Mask and masked image joined to the sample, as inpainting models have them. */
  readonly inpainting?: boolean;
  /** Residuals of a ControlNet added to what goes into the skip connections. */
  readonly residuals?: boolean;
  /** Two convolutions side by side, joined again: no skip connection. */
  readonly branches?: boolean;
  /** A gate that looks at the mean of all pixels (squeeze and excite). */
  readonly gates?: boolean;
  /** Transformer blocks in each attention. Default 1. */
  readonly depth?: number;
  /** A full-size hint that is brought down to the sample, as a ControlNet's own graph has it. */
  readonly hint?: boolean;
}

const CHANNELS = 8;
const SIZE = [8, 12] as const;

interface Map2D {
  readonly map: Endpoint;
  readonly rows: number;
  readonly columns: number;
}

/**
 * A UNet of two levels in Keras' manner, of static size: one attention in each input block, two in each output block.
 *
 * Strided convolutions are padded by a Pad node, upsampling doubles the size by arithmetic on the shape.
 */
class SmallUNet {
  readonly b = new SpellingBuilder();
  private seed = 100;
  private readonly variant: UNetVariant;
  private readonly text: Endpoint;

  constructor(variant: UNetVariant) {
    this.variant = variant;
    this.text = this.b.placeholder('text', [-1, 7, 6]);
  }

  weight(name: string, shape: readonly number[]): Endpoint {
    this.seed++;
    const count = shape.reduce((product, size) => product * size, 1);
    return this.b.weight(name, shape, pseudoRandom(this.seed, count));
  }

  conv(name: string, x: Endpoint, inputs = CHANNELS, stride = 1): Endpoint {
    const padded = stride === 1 ? x : this.b.op(`${name}/pad`, 'Pad', [x, this.pads()]);
    return this.b.op(`${name}/Conv2D`, 'Conv2D', [padded, this.weight(`${name}/kernel`, [3, 3, inputs, CHANNELS])], {
      strides: attr.ints([1, stride, stride, 1]),
      dilations: attr.ints([1, 1, 1, 1]),
      padding: attr.string(stride === 1 ? 'SAME' : 'VALID'),
      data_format: attr.string('NHWC'),
    });
  }

  private pads(): Endpoint {
    return this.b.ints([0, 0, 1, 1, 1, 1, 0, 0], [4, 2]);
  }

  /** A convolution with a residual; and what the variant adds to it. */
  resnet(name: string, { map, rows, columns }: Map2D, inputs = CHANNELS): Map2D {
    let hidden = this.conv(`${name}/conv1`, map, inputs);
    if (this.variant.branches) {
      const pair = ['left', 'right'].map((side) => this.conv(`${name}/${side}`, hidden));
      const joined = this.b.op(`${name}/joined`, 'ConcatV2', [...pair, this.b.ints([3], [])], { N: attr.int(2) });
      hidden = this.conv(`${name}/together`, joined, 2 * CHANNELS);
    }
    if (this.variant.gates) hidden = this.gate(`${name}/gate`, hidden);
    const out = this.b.op(`${name}/add`, 'AddV2', [hidden, this.conv(`${name}/conv2`, hidden)]);
    return { map: out, rows, columns };
  }

  private gate(name: string, x: Endpoint): Endpoint {
    const mean = this.b.op(`${name}/mean`, 'Mean', [x, this.b.ints([1, 2])], { keep_dims: attr.bool(true) });
    const flat = this.b.reshape(`${name}/flat`, mean, [-1, CHANNELS]);
    const gate = this.b.op(`${name}/sigmoid`, 'Sigmoid', [
      this.b.matmul(`${name}/dense`, flat, this.weight(`${name}/kernel`, [CHANNELS, CHANNELS])),
    ]);
    return this.b.op(`${name}/mul`, 'Mul', [this.b.reshape(`${name}/pixel`, gate, [-1, 1, 1, CHANNELS]), x]);
  }

  transformer(name: string, { map, rows, columns }: Map2D): Map2D {
    const count = rows * columns;
    let x = this.b.reshape(`${name}/tokens`, map, [-1, count, CHANNELS]);
    for (let block = 0; block < (this.variant.depth ?? 1); block++) {
      x = this.attention(`${name}/${block}/attn1`, x, x, count, count);
      x = this.attention(`${name}/${block}/attn2`, x, this.text, count, 7);
    }
    const image = this.b.reshape(`${name}/image`, x, [-1, rows, columns, CHANNELS]);
    return { map: this.b.op(`${name}/add`, 'AddV2', [image, map]), rows, columns };
  }

  private attention(name: string, x: Endpoint, source: Endpoint, queries: number, keys: number): Endpoint {
    const width = source === x ? CHANNELS : 6;
    const normal = this.b.op(`${name}/norm`, 'Mul', [x, this.b.float(0.5)]);
    const read = source === x ? normal : source;
    const heads = (part: string, from: Endpoint, inputs: number, tokens: number) => {
      const flat = this.b.reshape(`${name}/${part}/flat`, from, [-1, inputs]);
      const made = this.b.matmul(`${name}/${part}`, flat, this.weight(`${name}/${part}/kernel`, [inputs, CHANNELS]));
      return this.b.transpose(
        `${name}/${part}/t`,
        this.b.reshape(`${name}/${part}/r`, made, [-1, tokens, 2, 4]),
        [0, 2, 1, 3],
      );
    };
    const query = heads('q', normal, CHANNELS, queries);
    const logits = this.b.product(`${name}/qk`, query, heads('k', read, width, keys), 'y');
    const softmax = this.b.softmax(`${name}/softmax`, this.b.op(`${name}/scale`, 'Mul', [logits, this.b.float(0.5)]));
    const sum = this.b.product(`${name}/sum`, softmax, heads('v', read, width, keys));
    const merged = this.b.reshape(`${name}/merged`, this.b.transpose(`${name}/turn`, sum, [0, 2, 1, 3]), [
      -1,
      CHANNELS,
    ]);
    const made = this.b.matmul(`${name}/out`, merged, this.weight(`${name}/out/kernel`, [CHANNELS, CHANNELS]));
    return this.b.op(`${name}/add`, 'AddV2', [this.b.reshape(`${name}/out/r`, made, [-1, queries, CHANNELS]), x]);
  }

  entry(): Map2D {
    const [rows, columns] = SIZE;
    const sample = this.b.placeholder('sample', [-1, rows, columns, 4]);
    if (this.variant.hint) {
      const hint = this.b.placeholder('hint', [-1, 2 * rows, 2 * columns, 3]);
      const down = this.conv('hint', hint, 3, 2);
      return { map: this.b.op('hinted', 'AddV2', [this.conv('conv_in', sample, 4), down]), rows, columns };
    }
    if (!this.variant.inpainting) return { map: this.conv('conv_in', sample, 4), rows, columns };
    const mask = this.b.placeholder('mask', [-1, rows, columns, 1]);
    const joined = this.b.op('masked', 'ConcatV2', [sample, mask, this.b.ints([-1], [])], { N: attr.int(2) });
    return { map: this.conv('conv_in', joined, 5), rows, columns };
  }

  down(name: string, { map, rows, columns }: Map2D): Map2D {
    return { map: this.conv(name, map, CHANNELS, 2), rows: rows / 2, columns: columns / 2 };
  }

  up(name: string, { map, rows, columns }: Map2D): Map2D {
    const shape = this.b.op(`${name}/shape`, 'Shape', [map], { out_type: attr.type('int32') });
    const now = this.b.op(`${name}/now`, 'StridedSlice', [shape, this.b.ints([1]), this.b.ints([3]), this.b.ints([1])]);
    const size = this.b.op(`${name}/size`, 'Mul', [now, this.b.ints([2, 2])], { T: attr.type('int32') });
    const larger = this.b.op(`${name}/nearest`, 'ResizeNearestNeighbor', [map, size]);
    return { map: this.conv(name, larger), rows: 2 * rows, columns: 2 * columns };
  }

  /** The feature map as it goes into a skip connection. */
  skip(name: string, at: Map2D): Map2D {
    if (!this.variant.residuals) return at;
    const residual = this.b.placeholder(`residual_${name}`, [-1, at.rows, at.columns, CHANNELS]);
    return { ...at, map: this.b.op(`${name}/controlled`, 'AddV2', [residual, at.map]) };
  }

  join(name: string, at: Map2D, skip: Map2D): Map2D {
    const map = this.b.op(name, 'ConcatV2', [at.map, skip.map, this.b.ints([-1], [])], { N: attr.int(2) });
    return { ...at, map };
  }
}

export function smallUNet(variant: UNetVariant = {}): Built {
  const u = new SmallUNet(variant);
  const first = u.entry();
  const top = u.transformer('down/0/attn', u.resnet('down/0/res', first));
  const deep = u.transformer('down/1/attn', u.resnet('down/1/res', u.down('down/0/stride', top)));
  const before = u.resnet('mid/res0', deep);
  const middle = variant.middle === false ? before : u.transformer('mid/attn', before);
  let x = u.resnet('mid/res1', middle);
  const output = (name: string, skip: Map2D) => {
    x = u.transformer(
      `${name}/attn`,
      u.resnet(`${name}/res`, u.join(`${name}/skip`, x, u.skip(name, skip)), 2 * CHANNELS),
    );
  };
  output('up/1/0', deep);
  output('up/1/1', deep);
  x = u.up('up/1/double', x);
  output('up/0/0', top);
  output('up/0/1', first);
  u.b.op('out', 'Identity', [u.conv('conv_out', x.map)]);
  return u.b.built();
}
