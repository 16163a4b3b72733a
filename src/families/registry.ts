import { SlothfulError } from '../errors.ts';
import type { Family, UNetTraits } from './family.ts';
import { sd15 } from './sd15.ts';
import { sdxl } from './sdxl.ts';
import { ssd1b } from './ssd1b.ts';

/** The families, of which the first that describes a UNet is its own. All else is told from this list. */
const REGISTRY = [
  sd15, //
  sdxl,
  ssd1b,
] as const satisfies readonly Family[];

export type FamilyName = (typeof REGISTRY)[number]['name'];

/** A family that is in the registry. */
export interface KnownFamily extends Family {
  readonly name: FamilyName;
}

export const FAMILIES: readonly KnownFamily[] = REGISTRY;
export const FAMILY_NAMES: readonly FamilyName[] = REGISTRY.map(({ name }) => name);

/** What models that name no family are taken for: those of today are mostly of its kin. */
const USUAL: KnownFamily = sdxl;

/**
 * The family of a UNet.
 *
 * @param place the config, for messages
 * @throws SlothfulError `unsupported` where no family describes it
 */
export function familyOf(unet: UNetTraits, place: string): KnownFamily {
  const family = FAMILIES.find(({ describes }) => describes(unet));
  if (family) return family;
  throw new SlothfulError('unsupported', place, `is of no known family, which are ${familyTitles('and')}`);
}

/** The family that a model's metadata name; the usual one where they name none that is known. */
export function familyOrUsual(name: unknown): KnownFamily {
  return FAMILIES.find((family) => family.name === name) ?? USUAL;
}

/** All of them in words: "A, B or C". */
export function familyTitles(word: 'and' | 'or'): string {
  const titles = FAMILIES.map(({ title }) => title);
  return [titles.slice(0, -1).join(', '), ...titles.slice(-1)].join(` ${word} `);
}
