/** What JSON calls an object, of anything. */
export type JsonObject = Record<string, unknown>;

/** True for what JSON calls an object: no list, not null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as a message shows it: short, on one line, and with strings told from numbers. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
}

/**
 * Fields of others' documents that change what they mean and are not built, with the values that ask for nothing more
 * than what is. Null asks for nothing.
 */
export type FixedFields = ReadonlyArray<readonly [name: string, harmless: readonly unknown[]]>;

/** A field that asks for what is not built. */
export interface UnbuiltField {
  readonly name: string;
  readonly value: unknown;
  readonly harmless: readonly unknown[];
}

/** The fields that ask for what is not built, in the order of the table. */
export function unbuiltFields(document: JsonObject, fixed: FixedFields): UnbuiltField[] {
  return fixed
    .map(([name, harmless]) => ({ name, harmless, value: Object.hasOwn(document, name) ? document[name] : undefined }))
    .filter(({ value, harmless }) => value !== undefined && value !== null && !harmless.includes(value));
}
