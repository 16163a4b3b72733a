/** `npm run schemas`: writes the JSON Schema of every document into docs/schema, each by its name and version. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { jsonSchemaOf } from '../src/documents/index.ts';
import { DIFF_REPORT, INSPECT_REPORT, PLAN_REPORT } from '../src/reports/index.ts';

/** Where the schemas are. */
export const SCHEMA_FOLDER = fileURLToPath(new URL('../docs/schema/', import.meta.url));

const DOCUMENTS = [DIFF_REPORT, INSPECT_REPORT, PLAN_REPORT];

/** The files of all schemas by name, as they are to be. */
export function schemaFiles(): Map<string, string> {
  return new Map(
    DOCUMENTS.map((document) => {
      const name = document.properties.schema.const.replace('/', '-');
      return [`${name}.schema.json`, `${JSON.stringify(jsonSchemaOf(document), null, 2)}\n`] as const;
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const old of await readdir(SCHEMA_FOLDER)) await rm(`${SCHEMA_FOLDER}${old}`);
  for (const [name, text] of schemaFiles()) await writeFile(`${SCHEMA_FOLDER}${name}`, text);
}
