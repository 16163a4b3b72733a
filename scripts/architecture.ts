/** `npm run architecture`: draws the rooms from the imports, and writes the lists of them in the documents. */
import { writeFileSync } from 'node:fs';
import { architectureFiles } from './architecture/documents.ts';

for (const [path, text] of architectureFiles()) {
  writeFileSync(new URL(`../${path}`, import.meta.url), text);
  console.log(path);
}
