import type { SlothfulError } from '../../errors.ts';

/** Places of errors that a flag of another name is about. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  denoise: ['strength'],
  scheduler: ['sigmas', 'sampler', 'spacing'],
  'size (batch)': ['batch'],
  'size (rows)': ['latent', 'size'],
  'size (columns)': ['latent', 'size'],
  part: ['start-at-step', 'end-at-step', 'add-noise', 'leftover-noise'],
};

/** Parameters of the node are checked together, and those of a pass: what is wrong says which. */
const PARAMETER = /^((?:flags|passes "([\w-]+)"): )(\w+) (?=must |cannot |is )/;

/**
 * The message of an error by the flag that a user gave for it. Programs know the same things by other names, such as
 * `guidanceScale`.
 *
 * @param args the command line
 */
export function messageByFlag(error: SlothfulError, args: readonly string[]): string {
  const { message, place } = error;
  const given = new Set(args.flatMap((arg) => /^--([a-z][\w-]*)/i.exec(arg)?.[1] ?? []).map(dashed));
  const [, start = '', pass, parameter] = PARAMETER.exec(message) ?? [];
  const ofParameter = parameter && dashed(pass === undefined ? parameter : `${pass}-${parameter}`);
  if (ofParameter && given.has(ofParameter)) return `--${ofParameter}: ${message.slice(start.length)}`;
  const flag = [dashed(place), ...(OTHER_NAMES[place] ?? [])].find((name) => given.has(name));
  return flag !== undefined && message.startsWith(`${place}: `)
    ? `--${flag}: ${message.slice(place.length + 2)}`
    : message;
}

function dashed(name: string): string {
  return name.replace(/[_ ]/g, '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
