import { suggest } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import type { BooleanSpec, ChoiceSpec, NumberSpec, ParameterSpec, PoolingMode } from './parameters.ts';

export type UnknownRecord = Readonly<Record<string, unknown>>;

/** True for what JSON calls an object. */
export function isRecord(value: unknown): value is UnknownRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Takes an object from outside and checks that each of its names is known; values are checked as they are read.
 *
 * @param place where the object is from, for messages
 * @throws SlothfulError `bad-parameter`
 */
export function recordOf(value: unknown, known: readonly string[], place: string): UnknownRecord {
  if (!isRecord(value)) {
    throw new SlothfulError('bad-parameter', place, `expected an object of parameters, got ${describe(value)}`);
  }
  const stranger = Object.keys(value).find((name) => !known.includes(name));
  if (stranger === undefined) return value;
  const close = suggest(stranger, known);
  const cure = close === undefined ? `known are ${known.join(', ')}` : `did you mean "${close}"?`;
  throw new SlothfulError('bad-parameter', place, `unknown parameter "${stranger}"`, cure);
}

/**
 * A number in the parameter's range; the default where the value is undefined.
 *
 * The step is not enforced: it is what the node's slider moves by, and the arithmetic is continuous.
 */
export function readNumber(name: string, spec: NumberSpec, value: unknown, place: string): number {
  if (value === undefined) return spec.default;
  if (typeof value !== 'number' || !(value >= spec.min && value <= spec.max)) throw refuse(name, spec, value, place);
  return value;
}

/** True or false; the default where the value is undefined. */
export function readBoolean(name: string, spec: BooleanSpec, value: unknown, place: string): boolean {
  if (value === undefined) return spec.default;
  if (typeof value !== 'boolean') throw refuse(name, spec, value, place);
  return value;
}

/** One of the pooling modes; the default where the value is undefined. */
export function readMode(name: string, spec: ChoiceSpec, value: unknown, place: string): PoolingMode {
  if (value === undefined) return spec.default;
  const found = spec.choices.find((choice) => choice === value);
  if (found === undefined) throw refuse(name, spec, value, place);
  return found;
}

function refuse(name: string, spec: ParameterSpec, value: unknown, place: string): SlothfulError {
  return new SlothfulError('bad-parameter', place, `${name} must be ${range(spec)}, got ${describe(value)}`);
}

function range(spec: ParameterSpec): string {
  if (spec.type === 'boolean') return 'true or false';
  if (spec.type === 'choice') return `one of ${spec.choices.join(', ')}`;
  return `a number from ${spec.min} to ${spec.max}`;
}

/** A value as a message shows it: short, and with strings told from numbers. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
}
