export { jsonSchemaOf } from './json-schema.ts';
export * from './parameters.ts';
export { parseJson } from './parse-json.ts';
export { formatPythonJson, parsePythonJson } from './python-json.ts';
export { isDocument, type ReadOptions, readDocument } from './read.ts';
export { suggest } from './suggest.ts';
export * from './types.ts';
export { describe, type FixedFields, isObject, type JsonObject, type UnbuiltField, unbuiltFields } from './values.ts';
