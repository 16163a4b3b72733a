import {
  Enum,
  Boolean as FlagType,
  Integer,
  Array as ListType,
  Literal,
  Null,
  Number as NumberType,
  Object as ObjectType,
  Optional,
  type Static,
  type TArray,
  type TArrayOptions,
  type TBoolean,
  type TEnum,
  String as TextType,
  type TInteger,
  type TLiteral,
  type TNull,
  type TNumber,
  type TNumberOptions,
  type TObject,
  type TObjectOptions,
  type TProperties,
  type TSchema,
  type TSchemaOptions,
  type TString,
  type TStringOptions,
  type TUnion,
  type TUnknown,
  type TUnsafe,
  Union,
  Unknown,
  Unsafe,
} from 'typebox';

/**
 * The words that documents are declared in: TypeBox's types under plain names, one import each, so that a page's bundle
 * takes these and not the whole library. Options are JSON Schema's: `minimum`, `maximum`, `default`, `description`, ...
 * A field with a `default` may be left out by who writes the document, and is always there for who reads it.
 */

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** The TypeScript type of a document, from its schema; readonly all through. */
export type DocumentOf<S extends TSchema> = Frozen<Static<S>>;

export type { Static, TObject, TProperties, TSchema };

/** A number; `minimum`, `maximum` and `exclusiveMinimum` bound it. */
export const number = (options?: TNumberOptions): TNumber => NumberType(options);
/** A whole number. */
export const integer = (options?: TNumberOptions): TInteger => Integer(options);
/** A string. */
export const text = (options?: TStringOptions): TString => TextType(options);
/** True or false. */
export const flag = (options?: TSchemaOptions): TBoolean => FlagType(options);
/** This value and no other. */
export const constant = <const V extends string | number | boolean>(value: V): TLiteral<V> => Literal(value);
/** Whatever it is, it is kept. */
export const anything = (options?: TSchemaOptions): TUnknown => Unknown(options);

/** One of some names. */
export function choice<const V extends string[]>(names: readonly [...V], options?: TSchemaOptions): TEnum<V> {
  return Enum(names, options);
}

/** A list whose items are all of one type. */
export function list<S extends TSchema>(items: S, options?: TArrayOptions): TArray<S> {
  return ListType(items, options);
}

/** An object of any names, whose values are all of one type. */
export function table<S extends TSchema>(values: S, options?: TObjectOptions): TUnsafe<Record<string, Static<S>>> {
  // TypeBox's own Record brings its parser of patterns along, which is six times all that is used here.
  return Unsafe<Record<string, Static<S>>>({ ...options, type: 'object', additionalProperties: values });
}

/** An object of ours: names that it does not know are refused. */
export function object<P extends TProperties>(properties: P, options?: TObjectOptions): TObject<P> {
  return ObjectType(properties, { ...options, additionalProperties: false });
}

/** An object of others: names that it does not know are passed over, and are not in what is read. */
export function foreignObject<P extends TProperties>(properties: P, options?: TObjectOptions): TObject<P> {
  return ObjectType(properties, options);
}

/** A field that may be left out. */
export const optional = <S extends TSchema>(schema: S) => Optional(schema);

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
  return Union([schema, Null()], options);
}

/** One of several types, tried in order. */
export function either<S extends TSchema[]>(types: readonly [...S], options?: TSchemaOptions): TUnion<S> {
  return Union([...types], options);
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
