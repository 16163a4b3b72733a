import { localPath } from '../../models/node.ts';

/** What is words, or a list of values, and never names a file. */
const WORDS: ReadonlySet<string> = new Set([
  'prompt',
  'negative-prompt',
  'prompt-2',
  'negative-prompt-2',
  'x',
  'y',
  '_',
  '$0',
]);

/**
 * Makes paths of `file:` URLs wherever a command line names a file. yargs has every flag in camel case too.
 *
 * @param argv changed in place
 * @throws SlothfulError `bad-input` for a URL that names no file of this machine
 */
export function fileUrlsToPaths(argv: Record<string, unknown>): void {
  const of = (value: unknown) => (typeof value === 'string' ? localPath(value) : value);
  for (const [name, value] of Object.entries(argv)) {
    if (WORDS.has(name.replace(/[A-Z0-9]/g, (sign) => `-${sign.toLowerCase()}`)) || WORDS.has(name)) continue;
    argv[name] = Array.isArray(value) ? value.map(of) : of(value);
  }
}
