import type { FamilyName } from '../checkpoint/family.ts';

/** A size of picture at which steps are measured. */
export interface StepSize {
  readonly pixels: number;
  /** Rows and columns of the latent. */
  readonly side: number;
}

const PIXELS: Readonly<Record<FamilyName, readonly number[]>> = { sd15: [512, 1024], sdxl: [1024], ssd1b: [1024] };
const QUICK_PIXELS = 512;
const LATENT_PIXELS = 8;

/** Whether a size takes long, and so is measured in fewer turns, or not at all where it has to be quick. */
export function isLarge({ pixels }: StepSize): boolean {
  return pixels > QUICK_PIXELS;
}

/** The sizes of a family. */
export function stepSizes(family: FamilyName, quick: boolean): StepSize[] {
  return PIXELS[family]
    .map((pixels) => ({ pixels, side: pixels / LATENT_PIXELS }))
    .filter((size) => !(quick && isLarge(size)));
}
