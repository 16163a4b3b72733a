import { SlothfulError } from '../errors.ts';
import { isOptional, type TSchema } from './types.ts';
import { isObject } from './values.ts';

/** The keywords of JSON Schema that documents here are declared with; any other is a mistake in the declaration. */
export interface Keywords {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Keywords[];
  readonly properties?: Readonly<Record<string, Keywords>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Keywords;
  readonly minProperties?: number;
  readonly items?: Keywords;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly title?: string;
  readonly $id?: string;
}

const KNOWN: ReadonlySet<string> = new Set([
  ...['type', 'const', 'enum', 'anyOf', 'properties', 'required', 'additionalProperties'],
  ...[
    'minProperties',
    'items',
    'minItems',
    'maxItems',
    'minLength',
    'maxLength',
    'minimum',
    'maximum',
    'exclusiveMinimum',
  ],
  ...['default', 'description', 'title', '$id'],
]);
const CHECKED = new WeakSet<object>();

/**
 * A schema as its keywords.
 *
 * @throws SlothfulError `bug` for a keyword that the reader does not know, rather than not checking it
 */
export function keywordsOf(schema: TSchema): Keywords {
  if (!CHECKED.has(schema)) checkKeywords(schema);
  CHECKED.add(schema);
  return schema;
}

function checkKeywords(schema: unknown): void {
  if (!isObject(schema)) return;
  const stranger = Object.keys(schema).find((name) => !KNOWN.has(name));
  if (stranger) throw new SlothfulError('bug', 'schema', `its keyword "${stranger}" is not one that documents use`);
  const { properties, items, additionalProperties, anyOf } = schema;
  const named = isObject(properties) ? Object.values(properties) : [];
  const types = Array.isArray(anyOf) ? anyOf : [];
  for (const inner of [...named, ...types, items, additionalProperties]) checkKeywords(inner);
}

/** What a schema takes, as it stands behind "must be". */
export function expectation(schema: Keywords): string {
  if (schema.anyOf) return schema.anyOf.map(expectation).join(' or ');
  if (schema.enum && schema.enum.length > 1) return `one of ${schema.enum.join(', ')}`;
  const only = schema.const ?? schema.enum?.[0];
  if (only !== undefined) return `${JSON.stringify(only)}${isOptional(schema) ? ' or absent' : ''}`;
  switch (schema.type) {
    case 'number':
      return `a number${range(schema)}`;
    case 'integer':
      return `an integer${range(schema)}`;
    case 'string':
      return `a text${textLength(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list${length(schema)}`;
    case 'object':
      return schema.minProperties ? 'an object that is not empty' : 'an object';
    default:
      return schema.type ?? 'a value';
  }
}

function range({ minimum, maximum, exclusiveMinimum }: Keywords): string {
  if (exclusiveMinimum !== undefined) {
    return ` above ${exclusiveMinimum}${maximum === undefined ? '' : `, at most ${maximum}`}`;
  }
  if (minimum === undefined) return maximum === undefined ? '' : `, at most ${maximum}`;
  return ` from ${minimum}${maximum === undefined ? '' : ` to ${maximum}`}`;
}

function textLength({ minLength, maxLength }: Keywords): string {
  if (maxLength !== undefined) return ` of at most ${maxLength} characters`;
  return minLength ? ' that is not empty' : '';
}

function length({ minItems, maxItems }: Keywords): string {
  if (minItems === undefined) return maxItems === undefined ? '' : ` of at most ${maxItems}`;
  if (maxItems === undefined) return ` of at least ${minItems}`;
  return minItems === maxItems ? ` of ${minItems}` : ` of ${minItems} to ${maxItems}`;
}
