import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clientModule } from '../../scripts/pages.ts';
import { CLIENT_SCRIPT } from '../../src/pages/client.generated.ts';

const test = suite('the script of the pages');

test('is what its sources give: npm run pages', async () => {
  const file = new URL('../../src/pages/client.generated.ts', import.meta.url);
  assert.is(readFileSync(file, 'utf8'), await clientModule());
});

test('can stand in a page: it does not end its element, and asks nothing of the network', () => {
  assert.ok(CLIENT_SCRIPT.length > 1000);
  assert.not.match(CLIENT_SCRIPT, /<\/script|<!--|https?:|\bfetch\b|\bimport\b/);
});

test.run();
