import { readFileSync } from 'node:fs';

/** Where a fixture is. */
export function fixture(path: string): URL {
  return new URL(`../../fixtures/${path}`, import.meta.url);
}

/** A fixture's JSON, with the type that the test says it has. */
export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(fixture(path), 'utf8'));
}
