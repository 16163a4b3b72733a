import { type ErrorCode, SlothfulError } from '../errors.ts';
import { expectation, type Keywords, keywordsOf } from './keywords.ts';
import { suggest } from './suggest.ts';
import type { DocumentOf, TSchema } from './types.ts';
import { describe, isObject, type JsonObject } from './values.ts';

/** How a document is read, and what is said where it is wrong. */
export interface ReadOptions {
  /** Where the value is from: a file, a flag. */
  readonly place: string;
  readonly code: ErrorCode;
  /** What the user can do about any wrong value; unknown names have a cure of their own. */
  readonly cure?: string | undefined;
  /** What the document's fields are called; `'field'` where nothing is said. */
  readonly noun?: string | undefined;
  /** `'absent'`: null counts as left out wherever it is not a value of the field, as in diffusers' configs. */
  readonly nulls?: 'absent' | undefined;
}

/**
 * Checks a value that comes from outside against its schema, and fills in the defaults.
 *
 * What it takes is what the schema says as a JSON Schema, except that a field with a default may be left out. Fields that
 * the schema does not know are refused, passed over or kept as its `additionalProperties` says (false, absent, true).
 *
 * @returns a new value, typed; nothing in it is shared with `value` but what the schema leaves open
 * @throws SlothfulError `code`, its message naming the field, what was expected and what it got
 */
export function readDocument<S extends TSchema>(schema: S, value: unknown, options: ReadOptions): DocumentOf<S> {
  // What the reader lets through is what the schema's type says.
  return readUntyped(schema, value, options) as DocumentOf<S>;
}

/** The same for schemas whose type says less than they do. */
export function readUntyped(schema: TSchema, value: unknown, options: ReadOptions): unknown {
  return new Reader(options).read(keywordsOf(schema), value, '');
}

/** Whether a value is what the schema says; for telling documents apart. */
export function isDocument<S extends TSchema>(schema: S, value: unknown): value is DocumentOf<S> {
  return matches(() => readDocument(schema, value, { place: '', code: 'bad-input' }));
}

function matches(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof SlothfulError && error.code !== 'bug') return false;
    throw error;
  }
}

class Reader {
  constructor(private readonly options: ReadOptions) {}

  read(schema: Keywords, value: unknown, path: string): unknown {
    if (schema.anyOf) return this.#readEither(schema, schema.anyOf, value, path);
    if (schema.type === 'object' && isObject(value)) return this.#readObject(schema, value, path);
    if (schema.type === 'array' && Array.isArray(value) && fitsLength(schema, value.length)) {
      return value.map((item, index) => this.read(schema.items ?? {}, item, `${path}[${index}]`));
    }
    if (isScalar(schema) && fits(schema, value)) return value;
    throw this.#refuse(schema, value, path);
  }

  #readObject(schema: Keywords, value: JsonObject, path: string): JsonObject {
    const { properties = {}, additionalProperties: others } = schema;
    if (others === false) this.#refuseUnknown(Object.keys(properties), value, path);
    if (Object.keys(value).length < (schema.minProperties ?? 0)) throw this.#refuse(schema, value, path);
    const known = Object.entries(properties).flatMap(([name, field]) => {
      const read = this.#readField(schema, field, { name, value: own(value, name), path: join(path, name) });
      return read === undefined ? [] : [[name, read] as const];
    });
    const values = others === true ? {} : others || undefined;
    const strangers = values ? Object.entries(value).filter(([name]) => !Object.hasOwn(properties, name)) : [];
    const rest = strangers.map(([name, item]) => [name, this.read(values ?? {}, item, join(path, name))] as const);
    return Object.fromEntries([...known, ...rest]);
  }

  #readField(owner: Keywords, field: Keywords, at: { name: string; value: unknown; path: string }): unknown {
    const isAbsent = at.value === null && this.options.nulls === 'absent' && !takesNull(field);
    const value = isAbsent ? undefined : at.value;
    const isOptional = !owner.required?.includes(at.name);
    if (value !== undefined) return this.read(field, value, at.path);
    if (field.default !== undefined || isOptional) return field.default;
    throw this.#refuse(field, value, at.path);
  }

  /** The first type that takes the value; where none does, the complaint is that of the one that it was meant to be. */
  #readEither(schema: Keywords, types: readonly Keywords[], value: unknown, path: string): unknown {
    const found = types.find((type) => matches(() => this.read(type, value, path)));
    if (found) return this.read(found, value, path);
    const meant = types.filter((type) => isMeant(type, value));
    if (meant.length === 1 && meant[0]) return this.read(meant[0], value, path);
    throw this.#refuse(schema, value, path);
  }

  #refuseUnknown(known: readonly string[], value: JsonObject, path: string): void {
    const stranger = Object.keys(value).find((name) => !known.includes(name));
    if (stranger === undefined) return;
    const { place, code, noun = 'field' } = this.options;
    const close = suggest(stranger, known);
    const cure = close === undefined ? `known are ${known.join(', ')}` : `did you mean "${close}"?`;
    throw new SlothfulError(code, place, `unknown ${noun} "${stranger}"${path && ` in ${path}`}`, cure);
  }

  #refuse(schema: Keywords, value: unknown, path: string): SlothfulError {
    const { place, code, cure, noun } = this.options;
    const got = `got ${describe(value)}`;
    if (path) return new SlothfulError(code, place, `${path} must be ${expectation(schema)}, ${got}`, cure);
    const expected = schema.type === 'object' && noun ? `an object of ${noun}s` : expectation(schema);
    return new SlothfulError(code, place, `expected ${expected}, ${got}`, cure);
  }
}

/** Names of `Object.prototype` are not fields. */
function own(value: JsonObject, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function join(path: string, name: string): string {
  if (!/^[\w-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path ? `${path}.${name}` : name;
}

function isScalar({ type }: Keywords): boolean {
  return type !== 'object' && type !== 'array';
}

function takesNull(schema: Keywords): boolean {
  return schema.type === 'null' || schema.anyOf?.some(takesNull) === true;
}

/** Whether a value that does not fit was meant to be of this type: the same kind of JSON, and its constants, if any. */
function isMeant(type: Keywords, value: unknown): boolean {
  if (type.type === 'array') return Array.isArray(value);
  if (type.type !== 'object') return (type.type === 'integer' ? 'number' : type.type) === typeof value;
  if (!isObject(value)) return false;
  return Object.entries(type.properties ?? {}).every(([name, field]) => {
    return field.const === undefined || field.const === own(value, name);
  });
}

function fitsLength({ minItems = 0, maxItems = Number.POSITIVE_INFINITY }: Keywords, length: number): boolean {
  return length >= minItems && length <= maxItems;
}

function fits(schema: Keywords, value: unknown): boolean {
  if (schema.const !== undefined) return value === schema.const;
  if (schema.enum) return schema.enum.some((each) => each === value);
  switch (schema.type) {
    case 'number':
    case 'integer':
      return typeof value === 'number' && fitsRange(schema, value);
    case 'string':
      return (
        typeof value === 'string' &&
        value.length >= (schema.minLength ?? 0) &&
        value.length <= (schema.maxLength ?? Number.POSITIVE_INFINITY)
      );
    case 'boolean':
      return typeof value === 'boolean';
    case 'null':
      return value === null;
    default:
      return value !== undefined;
  }
}

function fitsRange(schema: Keywords, value: number): boolean {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY, exclusiveMinimum } = schema;
  if (!Number.isFinite(value) || (schema.type === 'integer' && !Number.isInteger(value))) return false;
  return value >= minimum && value <= maximum && (exclusiveMinimum === undefined || value > exclusiveMinimum);
}
