import { SlothfulError } from '../../errors.ts';

/**
 * Checks that flags which take a number are given one. yargs takes an empty text for 0, leaves a flag out that nothing
 * follows, and hands on what is not a number at all.
 *
 * @param args the command line
 * @param numbers names of these flags, as they are written or in camel case
 * @throws SlothfulError `usage`
 */
export function refuseNoNumbers(args: readonly string[], numbers: readonly string[]): void {
  const names = new Set(numbers.map(dashed));
  const end = args.indexOf('--');
  args.slice(0, end < 0 ? args.length : end).forEach((arg, index) => {
    const [, name = '', joined] = /^--([a-z][\w-]*)(?:=(.*))?$/is.exec(arg) ?? [];
    if (!names.has(dashed(name))) return;
    const value = joined ?? args[index + 1];
    if (value !== undefined && isNumber(value)) return;
    const isLeftOut = value === undefined || (joined === undefined && value.startsWith('--'));
    const problem = isLeftOut ? 'needs a number' : `needs a number, got "${value}"`;
    throw new SlothfulError('usage', `--${name}`, problem, 'give one, or leave the flag out');
  });
}

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}

function dashed(name: string): string {
  return name.replaceAll('_', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
