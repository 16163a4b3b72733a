import fc from 'fast-check';
import { isObject, type JsonObject } from '../../../src/graph/index.ts';
import { HOSTILE_DIGITS, HOSTILE_JSON, HOSTILE_NAMES, repetitions } from '../hostile.ts';

/** A value that is written as it stands: what JavaScript would change or could not hold. */
export class Verbatim {
  constructor(readonly json: string) {}
}

/** What is done to the value at a path. */
export type JsonEdit =
  | { readonly does: 'set'; readonly json: string }
  | { readonly does: 'drop' }
  | { readonly does: 'rename'; readonly name: string }
  | { readonly does: 'digits'; readonly digits: string }
  | { readonly does: 'repeat'; readonly times: number }
  | { readonly does: 'graft'; readonly from: readonly number[] };

/** A change of a document; each step of a path is taken modulo what there is to choose from, and so leads somewhere. */
export interface JsonChange {
  readonly path: readonly number[];
  readonly edit: JsonEdit;
}

const PATH = fc.array(fc.nat(999), { minLength: 1, maxLength: 9 });

const EDIT: fc.Arbitrary<JsonEdit> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('set'), json: fc.constantFrom(...HOSTILE_JSON) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('drop') }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('rename'), name: fc.constantFrom(...HOSTILE_NAMES) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('digits'), digits: fc.constantFrom(...HOSTILE_DIGITS) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('repeat'), times: fc.constantFrom(2, 3, 100, 5000) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('graft'), from: PATH }) },
);

export const JSON_CHANGE: fc.Arbitrary<JsonChange> = fc.record({ path: PATH, edit: EDIT });

/** The document with a change; what does not change is shared with it. */
export function changeJson(root: unknown, { path, edit }: JsonChange): unknown {
  return changeAt(root, path, (parent, key) => edited(root, parent, key, edit));
}

/** @param change given the object or list, and which of its keys; returns what takes its place */
function changeAt(
  value: unknown,
  [step, ...rest]: readonly number[],
  change: (parent: object, key: string) => unknown,
): unknown {
  const key = keyAt(value, step);
  if (key === undefined || typeof value !== 'object' || value === null) return value;
  const inner = own(value, key);
  if (rest.length === 0 || keyAt(inner, rest[0]) === undefined) return change(value, key);
  return withValue(value, key, changeAt(inner, rest, change));
}

function edited(root: unknown, parent: object, key: string, edit: JsonEdit): unknown {
  const value = own(parent, key);
  switch (edit.does) {
    case 'set':
      return withValue(parent, key, new Verbatim(edit.json));
    case 'graft':
      return withValue(parent, key, valueAt(root, edit.from));
    case 'drop':
      return withoutKey(parent, key);
    case 'rename':
      return renamed(parent, key, edit.name);
    case 'digits':
      if (typeof value === 'string' && /\d/.test(value)) return withValue(parent, key, withDigits(value, edit.digits));
      return renamed(parent, key, withDigits(key, edit.digits));
    case 'repeat':
      return repeated(parent, key, repetitions(edit.times, printJson(value).length));
  }
}

/** A name with the first of its numbers changed. */
export function withDigits(name: string, digits: string): string {
  return name.replace(/\d+/, digits);
}

function renamed(parent: object, key: string, name: string): unknown {
  if (Array.isArray(parent)) return withValue(parent, key, name);
  return fromEntries(Object.entries(parent).map(([each, value]) => [each === key ? name : each, value]));
}

function repeated(parent: object, key: string, times: number): unknown {
  const value = own(parent, key);
  const index = Array.isArray(parent) ? Number(key) : 0;
  if (Array.isArray(parent)) return parent.toSpliced(index, 0, ...Array<unknown>(times).fill(value));
  const copies = Array.from({ length: times }, (_, copy) => [`${key}${copy}`, value] as const);
  return fromEntries([...Object.entries(parent), ...copies]);
}

function keyAt(value: unknown, step: number | undefined): string | undefined {
  if (step === undefined || typeof value !== 'object' || value === null || value instanceof Verbatim) return undefined;
  if (Array.isArray(value)) return value.length ? String(step % value.length) : undefined;
  const keys = Object.keys(value);
  return keys[step % keys.length];
}

function valueAt(value: unknown, path: readonly number[]): unknown {
  const [step, ...rest] = path;
  const key = keyAt(value, step);
  return key === undefined || typeof value !== 'object' || value === null ? value : valueAt(own(value, key), rest);
}

function own(value: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

function withValue(parent: object, key: string, value: unknown): unknown {
  if (Array.isArray(parent)) return parent.with(Number(key), value);
  return fromEntries(Object.entries(parent).map(([each, old]) => [each, each === key ? value : old]));
}

function withoutKey(parent: object, key: string): unknown {
  if (Array.isArray(parent)) return parent.toSpliced(Number(key), 1);
  return fromEntries(Object.entries(parent).filter(([each]) => each !== key));
}

/** Unlike an assignment it makes a field of `__proto__`, too. */
function fromEntries(entries: Iterable<readonly [string, unknown]>): JsonObject {
  return Object.fromEntries(entries);
}

/** The text of a document, with what is verbatim as it stands. */
export function printJson(value: unknown): string {
  if (value instanceof Verbatim) return value.json;
  if (Array.isArray(value)) return `[${value.map(printJson).join(',')}]`;
  if (typeof value === 'bigint') return String(value);
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${printJson(item)}`);
  return `{${fields.join(',')}}`;
}
