/** The families of UNets: a file a family, and a line in registry.ts. */
export { type Addition, additionWidth, type Family, type LatentColours, type UNetTraits } from './family.ts';
export {
  FAMILIES,
  FAMILY_NAMES,
  type FamilyName,
  familyOf,
  familyOrUsual,
  familyTitles,
  type KnownFamily,
} from './registry.ts';
export { generationOfContext, REFINER_ADDITION_WIDTH, SD2 } from './relatives.ts';
