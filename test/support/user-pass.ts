import { pathToFileURL } from 'node:url';
import { type PassDefinition, registerPass } from '../../src/passes/index.ts';

/** A pass as a user brings it: the default export of a JavaScript module. */
export async function userPass(path: string): Promise<PassDefinition> {
  const loaded: unknown = await import(pathToFileURL(path).href);
  return registerPass(typeof loaded === 'object' && loaded && 'default' in loaded ? loaded.default : undefined, path);
}
