import { SlothfulError } from '../../src/errors.ts';
import {
  type Attributes,
  attr,
  type Endpoint,
  Graph,
  type JsonObject,
  type WeightSpec,
} from '../../src/graph/index.ts';

/** How a checkpoint's tensor is turned into a weight of the graph: PyTorch's order of dimensions into TF's. */
export type WeightLayout = 'as-is' | 'matrix' | 'conv';

/** Some rows of a tensor that holds two matrices; `part` is added to the weight's name. */
export interface Rows {
  readonly from: number;
  readonly to: number;
  readonly part: string;
}

/** One weight of the graph and the checkpoint tensor that it is made of. */
export interface PlannedWeight {
  /** Name of the Const node. */
  readonly name: string;
  /** Name of the tensor, as diffusers has it. */
  readonly source: string;
  readonly layout: WeightLayout;
  /** Only these rows of the tensor (its first dimension), before it is turned, and what to call them. */
  readonly rows?: Rows;
  /** Shape of the weight in the graph. */
  readonly shape: readonly number[];
  /** Shape that the tensor must have in the checkpoint. */
  readonly sourceShape: readonly number[];
}

/** A graph whose weights are still to be written, and what to write. */
export interface PlannedGraph {
  readonly graph: Graph;
  readonly weights: readonly PlannedWeight[];
}

/**
 * Writes nodes and plans weights under slash-separated scopes that mirror diffusers' module names.
 *
 * Small constants are shared: asking twice for the same values gives the same node.
 */
export class GraphBuilder {
  readonly graph: Graph;
  readonly weights: PlannedWeight[] = [];
  private readonly constants = new Map<string, Endpoint>();

  constructor(convertedBy: string) {
    this.graph = Graph.create({ generatedBy: 'slothful-attention', convertedBy });
  }

  /** Adds a node and gives its first output. */
  op(name: string, op: string, inputs: readonly Endpoint[], attributes: Attributes = {}): Endpoint {
    return this.graph.add({ name, op, inputs, attributes: { T: attr.type('float32'), ...attributes } });
  }

  placeholder(name: string, shape: readonly number[], dtype: 'float32' | 'int32' = 'float32'): Endpoint {
    const attributes = { dtype: attr.type(dtype), shape: attr.shape(shape) };
    return this.graph.add({ name, op: 'Placeholder', attributes });
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): Endpoint {
    return this.constant('int32', values, shape);
  }

  float(value: number): Endpoint {
    return this.constant('float32', [value], []);
  }

  floats(values: readonly number[], shape: readonly number[]): Endpoint {
    return this.constant('float32', values, shape);
  }

  private constant(dtype: 'int32' | 'float32', values: readonly number[], shape: readonly number[]): Endpoint {
    const key = `${dtype}/${shape.join('x')}/${values.join(',')}`;
    const existing = this.constants.get(key);
    if (existing) return existing;
    const name = this.graph.uniqueName(
      `constants/${dtype}_${values
        .slice(0, 4)
        .join('_')
        .replace(/[^\w.-]/g, '')}`,
    );
    const made = this.graph.addConstant(name, { dtype, values, shape });
    this.constants.set(key, made);
    return made;
  }

  /** A vector of the checkpoint (bias, gamma, beta). */
  vector(source: string, size: number, rows?: Rows): Endpoint {
    return this.weight({
      source,
      layout: 'as-is',
      shape: [rows ? rows.to - rows.from : size],
      sourceShape: [size],
      rows,
    });
  }

  /** A tensor of the checkpoint as it is there. */
  tensor(source: string, shape: readonly number[]): Endpoint {
    return this.weight({ source, layout: 'as-is', shape, sourceShape: shape });
  }

  /** A linear layer's weight, [out, in] in the checkpoint (or [out, in, 1, 1]), [in, out] in the graph. */
  matrix(source: string, inputs: number, outputs: number, options: { conv?: boolean; rows?: Rows } = {}): Endpoint {
    const { conv, rows } = options;
    return this.weight({
      source,
      layout: 'matrix',
      shape: [inputs, rows ? rows.to - rows.from : outputs],
      sourceShape: conv ? [outputs, inputs, 1, 1] : [outputs, inputs],
      rows,
    });
  }

  /** A convolution's kernel, [out, in, h, w] in the checkpoint, [h, w, in, out] in the graph. */
  kernel(source: string, size: number, inputs: number, outputs: number): Endpoint {
    return this.weight({
      source,
      layout: 'conv',
      shape: [size, size, inputs, outputs],
      sourceShape: [outputs, inputs, size, size],
    });
  }

  private weight(plan: Omit<PlannedWeight, 'name' | 'rows'> & { rows?: Rows | undefined }): Endpoint {
    const { rows, ...rest } = plan;
    const name = `${plan.source.replaceAll('.', '/')}${rows ? `/${rows.part}` : ''}`;
    if (this.graph.node(name)) throw new SlothfulError('bug', name, 'is planned twice');
    this.weights.push(rows ? { name, rows, ...rest } : { name, ...rest });
    return this.graph.add({ name, op: 'Const', attributes: { dtype: attr.type('float32') } });
  }
}

/** The manifest entry of a planned weight. */
export function weightSpec(
  { name, shape }: Pick<PlannedWeight, 'name' | 'shape'>,
  dtype: 'float16' | 'float32',
): WeightSpec {
  const spec: WeightSpec = { name, shape, dtype: 'float32' };
  return dtype === 'float32' ? spec : { ...spec, quantization: { dtype: 'float16', original_dtype: 'float32' } };
}

/** A tensor of a signature; -1 where any size will do. */
export function signatureTensor(
  name: string,
  shape: readonly number[],
  dtype: 'DT_FLOAT' | 'DT_INT32' = 'DT_FLOAT',
): JsonObject {
  return {
    name: `${name}:0`,
    dtype,
    tensorShape: { dim: shape.map((size) => ({ size: String(size) })) },
  };
}
