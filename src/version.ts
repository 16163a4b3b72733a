import { readFileSync } from 'node:fs';

/** The package's version, from the package.json above the sources or above the built files. */
export const VERSION: string = readVersion();

function readVersion(): string {
  for (const up of ['../', '../../']) {
    try {
      const value: unknown = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8'));
      if (typeof value === 'object' && value && 'version' in value) return String(value.version);
    } catch {
      // Not at this height: the built files lie one folder deeper than the sources.
    }
  }
  return 'unknown';
}
