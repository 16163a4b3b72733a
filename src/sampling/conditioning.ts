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
 * The conditioning of one evaluation: what each part of the batch is told, one after the other, repeated for its images.
 * Those that are guided away from take `time_ids` from `cond` where they have none.
 *
 * @param told by each part; `cond` itself is one of them
 * @returns values by input name, [parts batch, ...]
 * @throws SlothfulError `bad-input` where shapes do not fit each other or the batch
 */
export function batchConditioning(
  cond: Conditioning,
  told: readonly Conditioning[],
  batch: number,
): ReadonlyMap<string, Values> {
  const parts = told.map((part) => (part === cond ? cond : completed(part, cond)));
  const names = new Set(parts.flatMap((part) => Object.keys(part).filter((name) => part[name] !== undefined)));
  return new Map(
    [...names].map((name) => {
      const values = parts.map((part) => repeated(part[name], labelOf(name, part === cond), batch));
      return [name, joined(values, name)] as const;
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
  const all = name === TEXT ? sameLength(parts) : parts;
  const cond = all.at(-1);
  if (!cond) throw new SlothfulError('bug', name, 'no conditioning to join');
  const other = all.find(({ shape }) => String(shape) !== String(cond.shape));
  if (other) {
    const problem = `is [${other.shape}] in uncond and [${cond.shape}] in cond`;
    throw new SlothfulError('bad-input', name, problem, 'make both with the same text encoder and length');
  }
  const [count = 0, ...rest] = cond.shape;
  return { shape: [count * all.length, ...rest], data: concatenate(all.map(({ data }) => data)) };
}

/**
 * Texts of unequal length, each repeated to their common multiple. Attention is the same as of the text alone: every token
 * counts as often as the others. Source: `CONDCrossAttn.concat` of ComfyUI's comfy/conds.py.
 */
function sameLength(parts: readonly Values[]): readonly Values[] {
  const lengths = parts.map(({ shape }) => shape[1] ?? 0);
  if (lengths.includes(0) || new Set(lengths).size === 1) return parts;
  const length = lengths.reduce((one, other) => (one / greatestDivisor(one, other)) * other);
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
