import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceFile } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { SlothfulError } from '../../src/errors.ts';

/**
 * Parses TypeScript files by the compiler, each by itself: nothing that they import is looked at.
 *
 * @param paths absolute
 * @param look is shown each, while the compiler is there
 */
export function eachSource(paths: readonly string[], look: (path: string, source: SourceFile) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'slothful-mutants-'));
  const config = join(folder, 'tsconfig.json');
  const compilerOptions = {
    noResolve: true,
    noLib: true,
    types: [],
    target: 'ES2022',
    allowImportingTsExtensions: true,
  };
  const api = new API({ cwd: folder });
  try {
    writeFileSync(config, JSON.stringify({ compilerOptions: { ...compilerOptions, noEmit: true }, files: paths }));
    const snapshot = api.updateSnapshot({ openProjects: [config] });
    const project = snapshot.getProject(config);
    for (const path of paths) {
      const source = project?.program.getSourceFile(path);
      if (source?.text !== readFileSync(path, 'utf8')) throw new SlothfulError('bug', path, 'was not parsed as it is');
      look(path, source);
    }
    snapshot.dispose();
  } finally {
    api.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
