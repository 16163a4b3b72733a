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
export { type InputShapes, inferShapes } from './infer.ts';
export { type Equation, parseEquation, productEquation } from './products.ts';
export { ShapeTable } from './table.ts';
