import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convertCheckpoint } from '../converters/index.ts';
import { readModel } from '../src/node.ts';
import { passDefinitions } from '../src/passes/index.ts';
import { passesDocument } from './passes/document.ts';
import { tryPairs } from './passes/pairs.ts';

/** `npm run passes`: writes docs/passes.md anew, from the passes and from what becomes of every two of them. */
const folder = mkdtempSync(join(tmpdir(), 'slothful-passes-'));
try {
  const model = join(folder, 'model');
  await convertCheckpoint(fileURLToPath(new URL('../fixtures/unet/sd15/diffusers', import.meta.url)), model);
  const { graph } = await readModel(model);
  const passes = passDefinitions();
  writeFileSync(new URL('../docs/passes.md', import.meta.url), passesDocument(passes, await tryPairs(graph, passes)));
  console.log('docs/passes.md');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
