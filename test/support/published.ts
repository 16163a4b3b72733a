import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
const compiled = new Map<string, ValidateFunction>();

/** The validator of a committed schema. @param name as in docs/schema/slothful-<name>.schema.json */
export function publishedSchema(name: string): ValidateFunction {
  const file = new URL(`../../docs/schema/slothful-${name}.schema.json`, import.meta.url);
  const validate = compiled.get(name) ?? ajv.compile(JSON.parse(readFileSync(file, 'utf8')));
  compiled.set(name, validate);
  return validate;
}

/** Reads a JSON file, which must be what its published schema says. */
export function readPublished(name: string, path: string) {
  const document = JSON.parse(readFileSync(path, 'utf8'));
  const validate = publishedSchema(name);
  const holds: boolean = validate(document);
  assert.ok(holds, `${path}: ${JSON.stringify(validate.errors?.slice(0, 3))}`);
  return document;
}
