export * from './attributes.ts';
export {
  type ConstantValue,
  constantBytes,
  constantFromBytes,
  isSmall,
  SMALL_CONSTANT,
} from './constant.ts';
export * from './document.ts';
export { checkCompatible, type Effects } from './effects.ts';
export { Graph, type Pass } from './graph.ts';
export { checkGraph, type Finding, lint, wrongNorms } from './lint.ts';
export { type GraphOp, registerGraphOp, shapeRuleOf } from './ops.ts';
export { type PassRecord, type PassResult, recordedPasses } from './pass.ts';
export * from './shapes/index.ts';
export { executionOrder, outputNodes } from './traverse.ts';
export type { WeightEdit } from './weight-edit.ts';
export * from './weights.ts';
