/** Whether a change fits the tensor that it is for. */
import { SlothfulError } from '../../src/errors.ts';
import { sizeOf } from '../../src/graph/index.ts';
import type { TensorSource } from '../weights/index.ts';
import { type Delta, factorSize, type LoraChange, type LowRank } from './changes.ts';

/** Sizes after the first, without those of 1x1 convolutions: a linear layer may be stored as such and the other way round. */
function innerSizes([, ...inner]: readonly number[]): readonly number[] {
  return inner.length === 3 && inner[1] === 1 && inner[2] === 1 ? inner.slice(0, 1) : inner;
}

function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  const [own, wanted] = [innerSizes(a), innerSizes(b)];
  return a[0] === b[0] && own.length === wanted.length && own.every((size, index) => size === wanted[index]);
}

function isProductOf({ up, down }: LowRank, shape: readonly number[]): boolean {
  return up.shape[0] === shape[0] && sizeOf(down.shape.slice(1)) === sizeOf(shape.slice(1));
}

function deltaFits(delta: Delta, shape: readonly number[]): boolean {
  switch (delta.kind) {
    case 'product':
      return sameSizes([delta.up.shape[0] ?? 0, ...delta.down.shape.slice(1)], shape);
    case 'difference':
      return sameSizes(delta.difference.shape, shape);
    case 'hadamard':
      return delta.factors.every((factor) => isProductOf(factor, shape));
    case 'kronecker': {
      const [[firstRows, firstColumns], [rows, columns]] = [factorSize(delta.factors[0]), factorSize(delta.factors[1])];
      return firstRows * rows === shape[0] && firstColumns * columns === sizeOf(shape.slice(1));
    }
  }
}

const shown = (shape: readonly number[]) => `[${shape.join(', ')}]`;
const shownProduct = ({ up, down }: LowRank) => `up ${shown(up.shape)} times down ${shown(down.shape)}`;

function shownDelta(delta: Delta): string {
  if (delta.kind === 'product') return shownProduct(delta);
  if (delta.kind === 'difference') return `a difference ${shown(delta.difference.shape)}`;
  if (delta.kind === 'hadamard') return delta.factors.map(shownProduct).join(', by value times ');
  return `a Kronecker product of ${delta.factors.map((factor) => shown(factorSize(factor))).join(' and ')}`;
}

/** What has the lengths that a DoRA gives: each row of a weight (an output), or each input. */
export type LengthsOf = 'outputs' | 'inputs';

/** @returns undefined where the lengths are of neither */
export function lengthsOf({ magnitude }: LoraChange, [outputs, inputs]: readonly number[]): LengthsOf | undefined {
  if (!magnitude) return undefined;
  const { source, of } = magnitude;
  const count = sizeOf(source.shape);
  // LyCORIS writes [outputs, 1] or [1, inputs]; PEFT always has one for each output.
  const isOfOutputs = count === outputs && (of === 'peft' || source.shape[0] === outputs);
  if (isOfOutputs) return 'outputs';
  return of === 'lycoris' && count === inputs && source.shape[0] === 1 ? 'inputs' : undefined;
}

/**
 * Checks that a change has the shape of its tensor.
 *
 * @param shape as the model's own program has it, [outputs, inputs, ...]
 * @param place file and module
 * @throws SlothfulError `unsupported` where it was made for another model
 */
export function checkFit(change: LoraChange, shape: readonly number[], place: string, what: keyof typeof NAMES): void {
  const cure = 'the LoRA was made for another model: give one of the same family';
  if (!deltaFits(change.delta, shape)) {
    const problem = `is ${shownDelta(change.delta)}, and the checkpoint's ${NAMES[what]} is ${shown(shape)}`;
    throw new SlothfulError('unsupported', place, problem, cure);
  }
  const { magnitude } = change;
  if (!magnitude || lengthsOf(change, shape)) return;
  const problem = `has lengths (dora_scale) ${shown(magnitude.source.shape)}, and the weight is ${shown(shape)}`;
  throw new SlothfulError('unsupported', place, problem, cure);
}

const NAMES = { weight: 'weight', bias: 'bias' } as const;

/** A change by up times down alone, which the kernel adds. */
export function isPlain(change: LoraChange): change is LoraChange & { delta: LowRank } {
  return change.delta.kind === 'product' && !change.magnitude;
}

/** The shape of a tensor in its module's program, where its file may have it turned. */
export function shapeIn(source: TensorSource, isTurned: boolean): readonly number[] {
  return isTurned ? [...source.shape].reverse() : source.shape;
}
