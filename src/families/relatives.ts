import { FAMILIES } from './registry.ts';

/** Known by sight, and no families here: tensors alone do not tell heads and prediction of SD2.x. */
export const SD2 = { generation: 'SD2.x', contextDim: 1024 } as const;

/** Inputs of the refiner's added embedding: the pooled text and five sizes. */
export const REFINER_ADDITION_WIDTH = 2560;

/** The models that take text of a width, as people write it. */
export function generationOfContext(width: number): string | undefined {
  return [...FAMILIES, SD2].find(({ contextDim }) => contextDim === width)?.generation;
}
