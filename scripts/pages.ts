/** `npm run pages`: bundles the script of the pages (src/pages/client) into src/pages/client.generated.ts. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The TypeScript file that holds the bundle of the sources as they are. */
export async function clientModule(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ['src/pages/client/main.ts'],
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    charset: 'ascii',
    write: false,
    logLevel: 'silent',
  });
  const script = (outputFiles[0]?.text ?? '').trim();
  const note = '/** The script of the pages, made of src/pages/client by `npm run pages`: not to be edited. */';
  return `${note}\nexport const CLIENT_SCRIPT =\n  ${JSON.stringify(script)};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(`${root}src/pages/client.generated.ts`, await clientModule());
}
