export { attachStage, CONTROL_INPUT, sitesWithStage, stageNames } from './attach.ts';
export { type AttentionNodesOptions, attentionNodes, canBecomeNodes, obstacleOf } from './attention-nodes.ts';
export {
  ATTENTION_OP,
  ATTRIBUTE_TYPES,
  encodeAttributes,
  encodeParts,
  type HiddenForm,
  inputFlags,
  type NodeAttributes,
  type NodeInputs,
  nameInputs,
  type OutputForm,
  orderInputs,
  type Parts,
  parseAttributes,
  partsOf,
  readAttributes,
  stagesOf,
} from './contract.ts';
export { cutLogits, defaultLogitsLimit, type LogitsPlan, type Strategy, strategyOf } from './logits-plan.ts';
export { readAttentionRecord } from './read-record.ts';
export type { SurveyedSite } from './read-sites.ts';
export {
  ATTENTION_METADATA,
  type AttentionRecord,
  attentionOfMetadata,
  type PatchedSite,
} from './record.ts';
export { attentionShape } from './shape-rule.ts';
export * from './stage.ts';
