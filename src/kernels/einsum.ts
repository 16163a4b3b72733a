import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { defaultStrategy } from './logits.ts';
import { valuesOf } from './token-forms.ts';

/** The labels of an einsum, by what becomes of them. */
interface Labels {
  /** In both operands and in the result. */
  readonly batch: readonly string[];
  /** In both operands alone: they are summed over. */
  readonly inner: readonly string[];
  readonly left: readonly string[];
  readonly right: readonly string[];
  readonly output: readonly string[];
}

/** A tensor and the label of each of its axes. */
interface Labelled {
  readonly tensor: tf.Tensor;
  readonly labels: readonly string[];
}

/**
 * Einstein summation as transpositions and matrix products: for backends that have no kernel for it.
 *
 * @param equation of one or two operands, as `bhqd,bhkd->bhqk`; a label is once in an operand
 * @param operands float32, of the equation's ranks
 * @throws SlothfulError `bad-graph` for an equation that does not fit them, `unsupported` for other dtypes
 */
export function einsumOf(equation: string, operands: readonly tf.Tensor[]): tf.Tensor {
  const { terms, output } = parse(equation, operands);
  return tf.tidy(() => {
    const summed = terms.map((term, index) => {
      const elsewhere = [...output, ...terms.flatMap(({ labels }, other) => (other === index ? [] : labels))];
      return sumOver(term, (label) => elsewhere.includes(label));
    });
    const [a, b] = summed;
    if (!a) throw wrong(equation, 'has no operands');
    return b ? product(a, b, output) : tf.transpose(a.tensor, orderOf(a.labels, output));
  });
}

function parse(equation: string, operands: readonly tf.Tensor[]): { terms: Labelled[]; output: string[] } {
  const [, inputs, output] = /^([a-z]+(?:,[a-z]+)?)->([a-z]*)$/i.exec(equation.replaceAll(' ', '')) ?? [];
  const texts = inputs?.split(',') ?? [];
  if (output === undefined || texts.length !== operands.length) {
    throw wrong(equation, `is not one of ${operands.length} operands that can be computed`);
  }
  const sizes = new Map<string, number>();
  const terms = operands.map((tensor, index) => {
    const labels = [...(texts[index] ?? '')];
    if (tensor.dtype !== 'float32') throw new SlothfulError('unsupported', 'Einsum', `of ${tensor.dtype} is not built`);
    const fits = labels.every((label, axis) => (sizes.get(label) ?? tensor.shape[axis]) === tensor.shape[axis]);
    if (!fits || labels.length !== tensor.rank || new Set(labels).size !== labels.length) {
      throw wrong(equation, `does not fit ${operands.map(({ shape }) => `[${shape}]`).join(' and ')}`);
    }
    for (const [axis, label] of labels.entries()) sizes.set(label, tensor.shape[axis] ?? 0);
    return { tensor, labels };
  });
  if ([...output].some((label) => !sizes.has(label)) || new Set(output).size !== output.length) {
    throw wrong(equation, 'has a result that its operands do not give');
  }
  return { terms, output: [...output] };
}

function wrong(equation: string, problem: string): SlothfulError {
  return new SlothfulError('bad-graph', `Einsum "${equation}"`, problem);
}

/** Sums over the axes that nothing else needs. */
function sumOver({ tensor, labels }: Labelled, isNeeded: (label: string) => boolean): Labelled {
  const axes = labels.flatMap((label, axis) => (isNeeded(label) ? [] : [axis]));
  return axes.length ? { tensor: tf.sum(tensor, axes), labels: labels.filter(isNeeded) } : { tensor, labels };
}

function product(a: Labelled, b: Labelled, output: readonly string[]): tf.Tensor {
  const both = a.labels.filter((label) => b.labels.includes(label));
  const labels: Labels = {
    batch: both.filter((label) => output.includes(label)),
    inner: both.filter((label) => !output.includes(label)),
    left: a.labels.filter((label) => !both.includes(label)),
    right: b.labels.filter((label) => !both.includes(label)),
    output,
  };
  const left = as3d(a, [labels.batch, labels.left, labels.inner]);
  const right = as3d(b, [labels.batch, labels.inner, labels.right]);
  const made = [...labels.batch, ...labels.left, ...labels.right];
  const sizes = made.map((label) => sizeOf(a, label) ?? sizeOf(b, label) ?? 1);
  return tf.transpose(tf.reshape(multiply(left, right), sizes), orderOf(made, output));
}

const sizeOf = ({ tensor, labels }: Labelled, label: string): number | undefined => tensor.shape[labels.indexOf(label)];

/** Where each axis of the result is among those that there are. */
function orderOf(labels: readonly string[], output: readonly string[]): number[] {
  return output.map((label) => labels.indexOf(label));
}

/** The axes of each group next to each other and joined into one. */
function as3d(term: Labelled, groups: readonly [readonly string[], readonly string[], readonly string[]]): tf.Tensor3D {
  const joined = (group: readonly string[]) => group.reduce((total, label) => total * (sizeOf(term, label) ?? 1), 1);
  const [batch, rows, columns] = groups;
  const turned = tf.transpose(term.tensor, orderOf(term.labels, groups.flat()));
  return tf.reshape(turned, [joined(batch), joined(rows), joined(columns)]);
}

/** Where batched products are naive loops, matrix by matrix: see `attend`. */
function multiply(a: tf.Tensor3D, b: tf.Tensor3D): tf.Tensor {
  const [batch, rows, inner] = a.shape;
  const columns = b.shape[2];
  if (defaultStrategy() === 'batched' || batch === 0) return tf.matMul(a, b);
  const [left, right] = [valuesOf(a), valuesOf(b)];
  const parts = Array.from({ length: batch }, (_, index) => {
    const start = { left: index * rows * inner, right: index * inner * columns };
    return tf.tidy(() =>
      tf.matMul(
        tf.tensor2d(left.subarray(start.left, start.left + rows * inner), [rows, inner]),
        tf.tensor2d(right.subarray(start.right, start.right + inner * columns), [inner, columns]),
      ),
    );
  });
  return parts.length === 1 && parts[0] ? parts[0] : tf.concat(parts, 0);
}
