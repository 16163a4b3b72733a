export * from './attributes.ts';
export {
  type ConstantValue,
  constantBytes,
  constantFromBytes,
  isSmall,
  SMALL_CONSTANT,
} from './constant.ts';
export { type AttentionPart, checkCompatible, type Effects } from './effects.ts';
export * from './endpoint.ts';
export { Graph } from './graph.ts';
export { checkGraph, type Finding, lint } from './lint.ts';
export { isObject, type JsonObject } from './model-json.ts';
export type { GraphNode, Use } from './node.ts';
export { executionOrder } from './order.ts';
export { type Pass, type PassRecord, recordedPasses } from './pass.ts';
export { outputNodes } from './prune.ts';
export * from './shapes/index.ts';
export * from './weights.ts';
