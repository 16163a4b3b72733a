import type { TUnsafe } from 'typebox';
import { readUntyped } from './read.ts';
import { choice, flag, integer, number, object, optional, type TSchema, text } from './types.ts';

interface Declared {
  /** One line of what it does. */
  readonly help: string;
}

export interface NumberParameter extends Declared {
  readonly type: 'number' | 'integer';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** What a slider moves by; not enforced. */
  readonly step: number;
}

export interface BooleanParameter extends Declared {
  readonly type: 'boolean';
  readonly default: boolean;
}

export interface ChoiceParameter<C extends string = string> extends Declared {
  readonly type: 'choice';
  /** Undefined: the parameter is left out where it is not set. */
  readonly default: C | undefined;
  readonly choices: readonly C[];
}

export interface TextParameter extends Declared {
  readonly type: 'text';
  readonly default: string;
  /** In characters. */
  readonly maxLength: number;
}

export type DeclaredParameter = NumberParameter | BooleanParameter | ChoiceParameter | TextParameter;

/** What a pass can be told: every parameter by name, once; flags, help, schemas and axes are made of it. */
export type DeclaredParameters = Readonly<Record<string, DeclaredParameter>>;

type ValueOf<P> = P extends { type: 'choice'; choices: readonly (infer C)[] }
  ? C
  : P extends { type: 'boolean' }
    ? boolean
    : P extends { type: 'text' }
      ? string
      : number;

type Unset<T> = {
  [K in keyof T]: T[K] extends { default: infer D } ? (undefined extends D ? K : never) : never;
}[keyof T];

/** The values of declared parameters; those without a default may be absent. */
export type ParameterValues<T> = {
  readonly [K in Exclude<keyof T, Unset<T>>]: ValueOf<T[K]>;
} & { readonly [K in Unset<T>]?: ValueOf<T[K]> };

/** The schema of an object of declared parameters, in their order: ranges, choices, defaults and words. */
export function parameterSchema<const T extends { readonly [K in keyof T]: DeclaredParameter }>(
  parameters: T,
): TUnsafe<ParameterValues<T>> {
  const entries = Object.entries<DeclaredParameter>(parameters);
  const schema: TSchema = object(Object.fromEntries(entries.map(([name, each]) => [name, schemaOf(each)])));
  return schema as TUnsafe<ParameterValues<T>>;
}

function schemaOf(parameter: DeclaredParameter): TSchema {
  const { help: description, default: value } = parameter;
  if (parameter.type === 'boolean') return flag({ description, default: value });
  if (parameter.type === 'choice') {
    const { choices } = parameter;
    return value === undefined
      ? optional(choice(choices, { description }))
      : choice(choices, { description, default: value });
  }
  if (parameter.type === 'text') return text({ description, maxLength: parameter.maxLength, default: value });
  const { min: minimum, max: maximum, type } = parameter;
  const options = { description, minimum, maximum, default: value };
  return type === 'integer' ? integer(options) : number(options);
}

/**
 * Checks values of declared parameters that come from outside and fills in the defaults, in the order of the table.
 *
 * @param place where they are from (a file, a flag), for messages
 * @throws SlothfulError `bad-parameter`: unknown name, wrong type, out of range
 */
export function readParameters<const T extends { readonly [K in keyof T]: DeclaredParameter }>(
  parameters: T,
  value: unknown,
  place: string,
): ParameterValues<T> {
  const schema = parameterSchema(parameters);
  const read = readUntyped(schema, value, { place, code: 'bad-parameter', noun: 'parameter' });
  return read as ParameterValues<T>;
}
