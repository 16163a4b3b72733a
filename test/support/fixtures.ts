import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where a fixture is. */
export function fixture(path: string): URL {
  return new URL(`../../fixtures/${path}`, import.meta.url);
}

/** The same as a path, for what takes no URL. */
export function fixturePath(path: string): string {
  return fileURLToPath(fixture(path));
}

/** A fixture's JSON, with the type that the test says it has. */
export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(fixture(path), 'utf8'));
}
