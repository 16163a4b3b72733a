import { SlothfulError } from '../errors.ts';
import type { ShapeRule } from './shapes/abstract.ts';
import { CONVOLUTION } from './shapes/convolution.ts';
import { CREATION } from './shapes/creation.ts';
import { ELEMENTWISE } from './shapes/elementwise.ts';
import { LAYOUT } from './shapes/layout.ts';
import { PRODUCTS } from './shapes/products.ts';
import { REDUCTIONS } from './shapes/reductions.ts';
import { SLICES } from './shapes/slices.ts';

/** What the graph is told of an op that TensorFlow does not have. */
export interface GraphOp {
  /** Its name in model.json. */
  readonly op: string;
  /** What is known of its outputs before it runs; without one `inferShapes` says that there is none. */
  readonly shape?: ShapeRule | undefined;
  /** How many outputs it has; without one the linter takes any to be there. */
  readonly outputs?: number | undefined;
}

/** TensorFlow's ops that have one output and are common: an input `name:1` that reads one reads nothing. */
const ONE_OUTPUT: ReadonlySet<string> = new Set(
  [
    'Add AddV2 BatchMatMul BatchMatMulV2 BiasAdd Cast ConcatV2 Const Conv2D Erf Identity MatMul Max Mean Mul Pack',
    'Placeholder PlaceholderWithDefault RealDiv Reshape Rsqrt Shape Sigmoid Slice Softmax StridedSlice Sub Sum',
    'Transpose _FusedConv2D _FusedMatMul',
  ].flatMap((line) => line.split(' ')),
);

/** Shape rules of TensorFlow's ops. */
const RULES: ReadonlyMap<string, ShapeRule> = new Map(
  [CONVOLUTION, CREATION, ELEMENTWISE, LAYOUT, PRODUCTS, REDUCTIONS, SLICES].flatMap((rules) => Object.entries(rules)),
);

const registered = new Map<string, GraphOp>();

/**
 * Tells the graph of an op that others bring: `inferShapes` and the linter then know it. Whoever writes nodes of the op
 * registers it where the module is loaded; registering a name again replaces what was said before.
 *
 * @throws SlothfulError `bad-parameter` for a name that is an op of TensorFlow's
 */
export function registerGraphOp(op: GraphOp): void {
  if (RULES.has(op.op) || ONE_OUTPUT.has(op.op)) {
    throw new SlothfulError('bad-parameter', `op "${op.op}"`, 'is an op of TensorFlow', 'give yours another name');
  }
  registered.set(op.op, op);
}

/** The shape rule of an op, undefined where there is none. */
export function shapeRuleOf(op: string): ShapeRule | undefined {
  return RULES.get(op) ?? registered.get(op)?.shape;
}

/** How many outputs an op has; undefined where that is not known, as for most ops of other makers. */
export function outputCount(op: string): number | undefined {
  return ONE_OUTPUT.has(op) ? 1 : registered.get(op)?.outputs;
}
