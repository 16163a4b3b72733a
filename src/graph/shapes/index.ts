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
export { type Equation, parseEquation, productEquation } from './einsum.ts';
export { type InputShapes, inferShapes } from './infer.ts';
export { ShapeTable } from './table.ts';
