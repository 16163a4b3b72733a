import { type FamilyName, familyOrUsual } from '../../src/families/index.ts';

/** A size of picture at which steps are measured. */
export interface StepSize {
  readonly pixels: number;
  /** Rows and columns of the latent. */
  readonly side: number;
}

const QUICK_PIXELS = 512;
const LATENT_PIXELS = 8;
/** Measured for every family: attention costs most there. */
const LARGE_PIXELS = 1024;

/** Whether a size takes long, and so is measured in fewer turns, or not at all where it has to be quick. */
export function isLarge({ pixels }: StepSize): boolean {
  return pixels > QUICK_PIXELS;
}

/** The size that a family was trained on. */
export function trainedSize(family: FamilyName): StepSize {
  const side = familyOrUsual(family).sampleSize;
  return { pixels: side * LATENT_PIXELS, side };
}

/** Measures each family at the size that it was trained on; where it has to be quick, those that take long are left out. */
export async function eachTrainedSize<T>(
  { families, quick }: { readonly families: readonly FamilyName[]; readonly quick: boolean },
  measure: (family: FamilyName, size: StepSize) => Promise<readonly T[]>,
): Promise<T[]> {
  const findings: T[] = [];
  for (const family of families) {
    const size = trainedSize(family);
    if (!(quick && isLarge(size))) findings.push(...(await measure(family, size)));
  }
  return findings;
}

/** The sizes of a family. */
export function stepSizes(family: FamilyName, quick: boolean): StepSize[] {
  return [...new Set([trainedSize(family).pixels, LARGE_PIXELS])]
    .map((pixels) => ({ pixels, side: pixels / LATENT_PIXELS }))
    .filter((size) => !(quick && isLarge(size)));
}
