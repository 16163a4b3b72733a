import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { schemaFiles } from './schemas/registry.ts';

const FOLDER = new URL('../docs/schema/', import.meta.url);

/** `npm run schemas`: writes docs/schema anew, from the definitions of the documents. */
for (const name of readdirSync(FOLDER)) rmSync(new URL(name, FOLDER));
for (const [name, text] of schemaFiles()) {
  writeFileSync(new URL(name, FOLDER), text);
  console.log(`docs/schema/${name}`);
}
