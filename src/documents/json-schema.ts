import { SlothfulError } from '../errors.ts';
import type { TSchema } from './types.ts';
import { isObject, type JsonObject } from './values.ts';

/**
 * A schema as the JSON Schema that is published: plain JSON, with every named type once, under `$defs`.
 *
 * @param from `'reader'`: what is always there is required, as of a document that we write; `'writer'`: fields with a
 *   default may be left out, as of a document that users write
 * @throws SlothfulError `bug` where one name is given to two types
 * Source: JSON Schema 2020-12.
 */
export function jsonSchemaOf(schema: TSchema, from: 'reader' | 'writer' = 'reader'): JsonObject {
  const definitions = new Map<string, unknown>();
  const plain: unknown = JSON.parse(JSON.stringify(schema));
  const body = rewrite(plain, { definitions, from, isRoot: true });
  if (!isObject(body)) throw new SlothfulError('bug', 'schema', 'is not an object');
  const $defs = Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1)));
  const $schema = 'https://json-schema.org/draft/2020-12/schema';
  return { $schema, ...body, ...(definitions.size ? { $defs } : {}) };
}

interface Rewriting {
  readonly definitions: Map<string, unknown>;
  readonly from: 'reader' | 'writer';
  readonly isRoot?: boolean;
}

function rewrite(value: unknown, to: Rewriting): unknown {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, { ...to, isRoot: false }));
  if (!isObject(value)) return value;
  const { $id, ...rest } = value;
  const inner = Object.entries(to.from === 'writer' ? withoutDefaulted(rest) : rest).map(([key, each]) => {
    // Values are data, whatever they look like.
    const isData = key === 'const' || key === 'enum' || key === 'default';
    return [key, isData ? each : rewrite(each, { ...to, isRoot: false })];
  });
  const body: unknown = Object.fromEntries(inner);
  return typeof $id === 'string' && !to.isRoot ? define($id, body, to.definitions) : body;
}

/** The same object type, its fields with a default no longer required. */
function withoutDefaulted(schema: JsonObject): JsonObject {
  const { properties, required, ...rest } = schema;
  if (!isObject(properties) || !Array.isArray(required)) return schema;
  const needed = required.filter((name) => {
    const field = properties[String(name)];
    return !(isObject(field) && field.default !== undefined);
  });
  return { ...rest, properties, ...(needed.length ? { required: needed } : {}) };
}

function define(name: string, body: unknown, definitions: Map<string, unknown>): JsonObject {
  const known = definitions.get(name);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(body)) {
    throw new SlothfulError('bug', 'schema', `two types are named "${name}"`);
  }
  definitions.set(name, body);
  return { $ref: `#/$defs/${name}` };
}
