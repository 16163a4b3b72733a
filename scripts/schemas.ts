import { writeFileSync } from 'node:fs';
import { schemaFiles } from './schemas/registry.ts';

/** `npm run schemas`: writes docs/schema anew, from the definitions of the documents. */
for (const [name, text] of schemaFiles()) {
  writeFileSync(new URL(`../docs/schema/${name}`, import.meta.url), text);
  console.log(`docs/schema/${name}`);
}
