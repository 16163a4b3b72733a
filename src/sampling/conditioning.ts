import { SlothfulError } from '../errors.ts';
import { checkValues, concatenate, type Values } from './values.ts';

/**
 * What a model is told besides sample and timestep: under the names of its inputs, for one image ([1, ...], used for
 * all), for every image of the batch ([batch, ...]), or each for as many images one after the other.
 */
export interface Conditioning {
  /** Text, [1 or batch, T, C]. */
  readonly encoder_hidden_states?: Values | undefined;
  /** SDXL kin: pooled text, [1 or batch, C]. */
  readonly text_embeds?: Values | undefined;
  /** SDXL kin: sizes and crop, [1 or batch, 6]. */
  readonly time_ids?: Values | undefined;
  readonly [input: string]: Values | undefined;
}

/** What a run is told, and what it is guided away from. */
export interface RunConditioning {
  readonly cond: Conditioning;
  readonly uncond?: Conditioning | undefined;
}

/**
 * The conditioning of one evaluation: repeated for the batch, and where `uncond` is given, that in front of it, as the
 * two halves of one batch. `uncond` takes `time_ids` from `cond` where it has none.
 *
 * @returns values by input name, [batch or 2 batch, ...]
 * @throws SlothfulError `bad-input` where shapes do not fit each other or the batch
 */
export function batchConditioning(
  cond: Conditioning,
  uncond: Conditioning | undefined,
  batch: number,
): ReadonlyMap<string, Values> {
  const halves = uncond ? [completed(uncond, cond), cond] : [cond];
  const names = new Set(halves.flatMap((half) => Object.keys(half).filter((name) => half[name] !== undefined)));
  return new Map(
    [...names].map((name) => {
      const parts = halves.map((half) => repeated(half[name], labelOf(name, half === cond), batch));
      return [name, joined(parts, name)] as const;
    }),
  );
}

const labelOf = (name: string, conditional: boolean): string => `${conditional ? 'cond' : 'uncond'}.${name}`;

function completed(uncond: Conditioning, cond: Conditioning): Conditioning {
  return { ...uncond, time_ids: uncond.time_ids ?? cond.time_ids };
}

function repeated(values: Values | undefined, place: string, batch: number): Values {
  if (!values) throw new SlothfulError('bad-input', place, 'is missing', 'guidance needs it in both, cond and uncond');
  checkValues(values, place);
  const [count, ...rest] = values.shape;
  if (!count || batch % count) {
    const problem = `is for ${count ?? 'no'} images (shape [${values.shape}]), and the batch has ${batch}`;
    throw new SlothfulError('bad-input', place, problem, 'give one, or one for every image');
  }
  const size = values.data.length / count;
  const rows = Array.from({ length: batch }, (_, image) => Math.floor((image * count) / batch) * size);
  return { shape: [batch, ...rest], data: concatenate(rows.map((at) => values.data.subarray(at, at + size))) };
}

/** The axis of text tokens, along which a half may be repeated to the length of the other. */
const TEXT = 'encoder_hidden_states';

function joined(parts: readonly Values[], name: string): Values {
  const [first, second] = name === TEXT ? sameLength(parts) : parts;
  if (!first) throw new SlothfulError('bug', name, 'no conditioning to join');
  const all = second ? [first, second] : [first];
  if (second && String(first.shape) !== String(second.shape)) {
    const problem = `is [${first.shape}] in uncond and [${second.shape}] in cond`;
    throw new SlothfulError('bad-input', name, problem, 'make both with the same text encoder and length');
  }
  const [count = 0, ...rest] = first.shape;
  return { shape: [count * all.length, ...rest], data: concatenate(all.map(({ data }) => data)) };
}

/**
 * Texts of unequal length, each repeated to their common multiple. Attention is the same as of the text alone: every token
 * counts as often as the others. Source: `CONDCrossAttn.concat` of ComfyUI's comfy/conds.py.
 */
function sameLength(parts: readonly Values[]): readonly Values[] {
  const [one, other] = parts.map(({ shape }) => shape[1] ?? 0);
  if (!one || !other || one === other) return parts;
  const length = (one / greatestDivisor(one, other)) * other;
  return parts.map((text) => repeatedTokens(text, length / (text.shape[1] ?? length)));
}

function repeatedTokens({ shape: [images = 0, tokens = 0, width = 0], data }: Values, times: number): Values {
  const size = tokens * width;
  const each = Array.from({ length: images }, (_, image) => data.subarray(image * size, (image + 1) * size));
  return {
    shape: [images, tokens * times, width],
    data: concatenate(each.flatMap((text) => Array.from({ length: times }, () => text))),
  };
}

function greatestDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestDivisor(other, one % other);
}

/** The sample twice, for a batch whose first half is unconditional. */
export function doubled({ shape, data }: Values): Values {
  const [count = 0, ...rest] = shape;
  return { shape: [2 * count, ...rest], data: concatenate([data, data]) };
}

/**
 * Classifier-free guidance (Ho and Salimans 2022): unconditional + scale (conditional - unconditional).
 *
 * @param output of a batch: unconditional half, then conditional half
 * @returns half as many values
 */
export function guided(output: Float32Array, scale: number): Float32Array {
  const half = output.length / 2;
  const conditional = output.subarray(half);
  return output.slice(0, half).map((value, index) => value + scale * ((conditional[index] ?? 0) - value));
}
