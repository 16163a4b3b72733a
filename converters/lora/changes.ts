/** What the tensors of a module in a LoRA file make of its weight and of its bias. */
import { SlothfulError } from '../../src/errors.ts';
import { sizeOf } from '../../src/graph/index.ts';
import { type TensorSource, weightDtype } from '../weights/index.ts';
import { columnsOf, transposed, tuckerDown } from './matrices.ts';
import type { LoraTensor } from './parse-lora.ts';
import type { AdapterSettings, ModuleName } from './settings.ts';

/** The tensors that a file has for one module. */
export type ModuleTensors = Partial<Record<LoraTensor, TensorSource>>;

/** A product of two matrices: `up` [rows, rank] and `down` [rank, columns], whatever dimensions the columns have. */
export interface LowRank {
  readonly up: TensorSource;
  readonly down: TensorSource;
  readonly rank: number;
}

/** A factor of a Kronecker product. */
export type KroneckerFactor = TensorSource | LowRank;

/** What is added to a tensor, before it is scaled. */
export type Delta =
  | ({ readonly kind: 'product' } & LowRank)
  | { readonly kind: 'difference'; readonly difference: TensorSource }
  | { readonly kind: 'hadamard'; readonly factors: readonly [LowRank, LowRank] }
  | { readonly kind: 'kronecker'; readonly factors: readonly [KroneckerFactor, KroneckerFactor] };

/** The lengths that a DoRA gives a weight's rows, or its columns. */
export interface Magnitude {
  readonly source: TensorSource;
  /** Whose: LyCORIS' and kohya's, or PEFT's. They differ in what a scale that is not 1 means. */
  readonly of: 'lycoris' | 'peft';
}

/** How one tensor is changed: `W + scale * factor * delta`, which a magnitude then gives other lengths. */
export interface LoraChange {
  readonly delta: Delta;
  /** How much of it the user wants. */
  readonly scale: number;
  /** Alpha over rank, or its like; 1 for what has no alpha. */
  readonly factor: number;
  /** 0 where there is none. */
  readonly rank: number;
  readonly magnitude?: Magnitude;
}

/** One module of a model that a LoRA changes. */
export interface LoraModule {
  /** The module, with underscores for dots. */
  readonly module: string;
  readonly weight: readonly LoraChange[];
  readonly bias: readonly LoraChange[];
}

/** What is known besides a module's tensors. */
export interface ModuleContext {
  /** The file, for messages. */
  readonly file: string;
  readonly scale: number;
  readonly settings: AdapterSettings | undefined;
  /** The value of the module's alpha, where the file has one. */
  readonly alpha: number | undefined;
}

function broken(place: string, problem: string, cure = 'download it again'): never {
  throw new SlothfulError('bad-checkpoint', place, problem, cure);
}

function shown(source: TensorSource): string {
  return `[${source.shape.join(', ')}]`;
}

/**
 * What a module's tensors do to its weight and its bias.
 *
 * @throws SlothfulError `bad-checkpoint` where some are missing or do not fit together, `unsupported` for dtypes
 */
export function moduleChanges(name: ModuleName, tensors: ModuleTensors, context: ModuleContext): LoraModule {
  const place = `${context.file} module "${name.module}"`;
  for (const [part, source] of Object.entries(tensors)) if (part !== 'alpha') weightDtype(source);
  const { scale } = context;
  const deltas = [productOf(place, tensors), hadamardOf(place, tensors), kroneckerOf(place, tensors)].flatMap(
    (delta) => delta ?? [],
  );
  const [delta, other] = deltas;
  if (other) broken(place, `is changed by a ${delta?.kind} and by a ${other.kind} at once`);
  const magnitude = magnitudeOf(place, tensors, context);
  if (magnitude && !delta) broken(place, 'has lengths (dora_scale) and nothing that they are of');
  const factored = delta && { delta, scale, ...factorOf(place, delta, name, context), ...(magnitude && { magnitude }) };
  const { diff, diff_b, up_bias } = tensors;
  const added = (difference: TensorSource, factor = 1): LoraChange => {
    return { delta: { kind: 'difference', difference }, scale, factor, rank: 0 };
  };
  if (up_bias && !factored) broken(place, 'has a bias of an up matrix, and no matrices');
  if (!factored && !diff && !diff_b) broken(place, `has ${Object.keys(tensors).join(', ')} and no matrices`);
  return {
    module: name.module,
    weight: [...(factored ? [factored] : []), ...(diff ? [added(diff)] : [])],
    bias: [...(diff_b ? [added(diff_b)] : []), ...(up_bias ? [added(up_bias, factored?.factor)] : [])],
  };
}

function productOf(place: string, { down, up, mid }: ModuleTensors): Delta | undefined {
  if (!down && !up && !mid) return undefined;
  if (!down || !up) return broken(place, `has no ${down ? 'up' : 'down'} matrix`);
  return { kind: 'product', ...lowRank(place, up, mid ? withCore(place, mid, down) : down) };
}

/** Two matrices and their rank, which has to be one. */
function lowRank(place: string, up: TensorSource, down: TensorSource): LowRank {
  const [rank = 0] = down.shape;
  const [, upRank, ...taps] = up.shape;
  if (rank > 0 && up.shape.length > 1 && upRank === rank && taps.every((size) => size === 1)) return { up, down, rank };
  return broken(
    place,
    `has a down matrix ${shown(down)} and an up matrix ${shown(up)}`,
    'their ranks do not fit: download it again',
  );
}

/** Of one computed matrix: a hundred times those of the widest convolution at rank 16. */
const MOST_VALUES = 2 ** 26;

function withCore(place: string, core: TensorSource, down: TensorSource): TensorSource {
  const [, own, ...taps] = core.shape;
  const fits = taps.length === 2 && own === down.shape[0] && down.shape.slice(2).every((size) => size === 1);
  if (!fits) broken(place, `has a Tucker core ${shown(core)} between matrices of which the down one is ${shown(down)}`);
  const product = tuckerDown(core, down);
  const values = sizeOf(product.shape);
  if (values <= MOST_VALUES) return product;
  const problem = `has a Tucker core ${shown(core)} that makes ${values} values of its down matrix ${shown(down)}`;
  throw new SlothfulError('unsupported', place, problem, `at most ${MOST_VALUES} are computed`);
}

function hadamardOf(place: string, tensors: ModuleTensors): Delta | undefined {
  const { hada_w1_a: a1, hada_w1_b: b1, hada_w2_a: a2, hada_w2_b: b2, hada_t1: t1, hada_t2: t2 } = tensors;
  if (![a1, b1, a2, b2, t1, t2].some(Boolean)) return undefined;
  if (!a1 || !b1 || !a2 || !b2) return broken(place, 'has not all of hada_w1_a, hada_w1_b, hada_w2_a and hada_w2_b');
  if (!t1 !== !t2) broken(place, `has hada_${t1 ? 't1 and no hada_t2' : 't2 and no hada_t1'}`);
  return { kind: 'hadamard', factors: [factored(place, a1, b1, t1), factored(place, a2, b2, t2)] };
}

/** LyCORIS turns the first matrix where there is a core. */
function factored(place: string, a: TensorSource, b: TensorSource, core: TensorSource | undefined): LowRank {
  return core ? lowRank(place, transposed(a), withCore(place, core, b)) : lowRank(place, a, b);
}

function kroneckerOf(place: string, tensors: ModuleTensors): Delta | undefined {
  const { lokr_w1: w1, lokr_w1_a: a1, lokr_w1_b: b1, lokr_w2: w2, lokr_w2_a: a2, lokr_w2_b: b2, lokr_t2: t2 } = tensors;
  if (![w1, a1, b1, w2, a2, b2, t2].some(Boolean)) return undefined;
  const first = w1 ?? (a1 && b1 && lowRank(place, a1, b1));
  const second = w2 ?? (a2 && b2 && factored(place, a2, b2, t2));
  if (!first) return broken(place, 'has neither lokr_w1 nor both of lokr_w1_a and lokr_w1_b');
  if (!second) return broken(place, 'has neither lokr_w2 nor both of lokr_w2_a and lokr_w2_b');
  return { kind: 'kronecker', factors: [first, second] };
}

/** Rows and columns of a factor. */
export function factorSize(factor: KroneckerFactor): readonly [rows: number, columns: number] {
  return 'up' in factor ? [factor.up.shape[0] ?? 0, columnsOf(factor.down)] : [factor.shape[0] ?? 0, columnsOf(factor)];
}

function magnitudeOf(place: string, tensors: ModuleTensors, { settings }: ModuleContext): Magnitude | undefined {
  const { dora_scale, magnitude } = tensors;
  if (dora_scale && magnitude) broken(place, 'has both dora_scale and lora_magnitude_vector');
  if (dora_scale) return { source: dora_scale, of: 'lycoris' };
  if (magnitude) return { source: magnitude, of: 'peft' };
  if (settings?.isDora && tensors.down) broken(place, 'has no lora_magnitude_vector, and its settings say use_dora');
  return undefined;
}

/**
 * What a delta is multiplied by: alpha over rank, which is 1 without an alpha, and for LyCORIS' Kronecker products of whole
 * matrices, which have no rank.
 *
 * Source: PEFT, `scaling`; LyCORIS, `rank_scale`; ComfyUI, `weight_adapter`.
 */
function factorOf(place: string, delta: Delta, name: ModuleName, context: ModuleContext) {
  const { settings, alpha = settings?.alphaOf(name) } = context;
  const rank = rankOf(delta);
  const divisor = delta.kind === 'kronecker' ? (settings?.rankOf(name) ?? rank) : rank;
  const stable = settings?.rankStabilised ? Math.sqrt(divisor) : divisor;
  const factor = alpha === undefined || divisor === 0 ? 1 : alpha / stable;
  if (!Number.isFinite(factor)) broken(place, `has the alpha ${alpha} for the rank ${divisor}`);
  return { factor, rank };
}

/** The rank of a delta; 0 where there is none. */
function rankOf(delta: Delta): number {
  if (delta.kind === 'product') return delta.rank;
  if (delta.kind === 'hadamard') return delta.factors[0].rank;
  if (delta.kind === 'difference') return 0;
  const [first, second] = delta.factors;
  return 'up' in second ? second.rank : 'up' in first ? first.rank : 0;
}
