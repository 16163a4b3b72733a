import type {
  Static,
  TArray,
  TArrayOptions,
  TBoolean,
  TEnum,
  TInteger,
  TLiteral,
  TNull,
  TNumber,
  TNumberOptions,
  TObject,
  TObjectOptions,
  TOptional,
  TProperties,
  TSchema,
  TSchemaOptions,
  TString,
  TStringOptions,
  TUnion,
  TUnknown,
  TUnsafe,
} from 'typebox';

/**
 * The words that documents are declared in: JSON Schemas with TypeBox's types, under plain names. Of TypeBox only the types
 * are used: its modules take 120 ms to load, a third of what `inspect` takes in all, and make the same plain objects.
 * Options are JSON Schema's: `minimum`, `maximum`, `default`, `description`, ...
 * A field with a `default` may be left out by who writes the document, and is always there for who reads it.
 */

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** The TypeScript type of a document, from its schema; readonly all through. */
export type DocumentOf<S extends TSchema> = Frozen<Static<S>>;

export type { Static, TObject, TProperties, TSchema };

/** Marks a field that may be left out; symbols are not written to JSON. */
const OPTIONAL = Symbol('optional');

/** Gives a schema the type that says what it takes. */
function typed<S extends TSchema>(keywords: object): S {
  return keywords as S;
}

/** A number; `minimum`, `maximum` and `exclusiveMinimum` bound it. */
export const number = (options?: TNumberOptions): TNumber => typed({ type: 'number', ...options });
/** A whole number. */
export const integer = (options?: TNumberOptions): TInteger => typed({ type: 'integer', ...options });
/** A string. */
export const text = (options?: TStringOptions): TString => typed({ type: 'string', ...options });
/** True or false. */
export const flag = (options?: TSchemaOptions): TBoolean => typed({ type: 'boolean', ...options });
/** This value and no other. */
export const constant = <const V extends string | number | boolean>(value: V): TLiteral<V> =>
  typed({ type: typeof value, const: value });
/** Whatever it is, it is kept. */
export const anything = (options?: TSchemaOptions): TUnknown => typed({ ...options });

/** One of some names. */
export function choice<const V extends string[]>(names: readonly [...V], options?: TSchemaOptions): TEnum<V> {
  return typed({ enum: [...names], ...options });
}

/** A list whose items are all of one type. */
export function list<S extends TSchema>(items: S, options?: TArrayOptions): TArray<S> {
  return typed({ type: 'array', items, ...options });
}

/** An object of any names, whose values are all of one type. */
export function table<S extends TSchema>(values: S, options?: TObjectOptions): TUnsafe<Record<string, Static<S>>> {
  return typed({ ...options, type: 'object', additionalProperties: values });
}

/** An object of ours: names that it does not know are refused. */
export function object<P extends TProperties>(properties: P, options?: TObjectOptions): TObject<P> {
  return foreignObject(properties, { ...options, additionalProperties: false });
}

/** An object of others: names that it does not know are passed over, and are not in what is read. */
export function foreignObject<P extends TProperties>(properties: P, options?: TObjectOptions): TObject<P> {
  const required = Object.keys(properties).filter((name) => !isOptional(properties[name]));
  return typed({ type: 'object', ...(required.length ? { required } : {}), properties, ...options });
}

/** A field that may be left out. */
export const optional = <S extends TSchema>(schema: S): TOptional<S> => typed({ ...schema, [OPTIONAL]: true });

/** Whether a schema is of a field that may be left out. */
export function isOptional(schema: object | undefined): boolean {
  return schema !== undefined && Reflect.get(schema, OPTIONAL) === true;
}

/** The type with a default: a field that may be left out by who writes it. */
export function withDefault<S extends TSchema>(schema: S, value: Static<S>): S {
  return { ...schema, default: value };
}

/** The same fields, each with a default of its own, where `defaults` has one. */
export function withDefaults<P extends TProperties>(
  properties: P,
  defaults: { readonly [K in keyof P]?: Static<P[K]> },
): P {
  const entries = Object.entries(properties).map(([name, schema]) => {
    const value: unknown = defaults[name];
    return [name, value === undefined ? schema : { ...schema, default: value }];
  });
  return Object.fromEntries(entries);
}

/** The type, or null. */
export function nullable<S extends TSchema>(schema: S, options?: TSchemaOptions): TUnion<[S, TNull]> {
  return typed({ anyOf: [schema, { type: 'null' }], ...options });
}

/** One of several types, tried in order. */
export function either<S extends TSchema[]>(types: readonly [...S], options?: TSchemaOptions): TUnion<S> {
  return typed({ anyOf: [...types], ...options });
}

/** Gives a type a name, under which the written JSON Schema has it once (`$defs`), however often it is used. */
export function named<S extends TSchema>(name: string, schema: S): S {
  return { ...schema, $id: name };
}

/**
 * A document of ours: an object whose first field, `schema`, says which one it is and which version.
 *
 * Names of fields are in snake_case. A change that breaks readers counts the version up.
 *
 * @param name as in `slothful-<name>/<version>`
 */
export function ownDocument<const N extends string, const V extends number, P extends TProperties>(
  name: N,
  version: V,
  properties: P,
  options?: TObjectOptions,
): TObject<{ schema: TLiteral<`slothful-${N}/${V}`> } & P> {
  const schema = constant(`slothful-${name}/${version}` as const);
  return object({ schema, ...properties }, { title: `slothful ${name}, version ${version}`, ...options });
}
