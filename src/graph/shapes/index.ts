export {
  type AbstractTensor,
  countOf,
  type Dims,
  dimsAt,
  isConcrete,
  numbersAt,
  type ShapeCall,
  type ShapeRule,
} from './abstract.ts';
export { type CutRanges, cutRanges, slotOfCut } from './cuts.ts';
export { type InputShapes, inferShapes } from './infer.ts';
export { type Equation, parseEquation, productEquation } from './products.ts';
export type { AxisRange } from './slices.ts';
export { ShapeTable } from './table.ts';
