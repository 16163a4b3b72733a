/** Workflows of ComfyUI: what they ask for, and writing them. Browsers can load it; what reads files is in `node.ts`. */
export type { RefusedNode } from './check.ts';
export { describeRefusal, describeWorkflow, WORKFLOW_DOCUMENT, type WorkflowDocument } from './document.ts';
export { parametersFromJson } from './parameters.ts';
export type {
  AdvancedSampling,
  PromptSizes,
  WorkflowFreeU,
  WorkflowLatent,
  WorkflowLora,
  WorkflowModelSampling,
  WorkflowPass,
  WorkflowPrompt,
  WorkflowRun,
} from './run.ts';
export type { SlothfulNode } from './slothful-nodes.ts';
export { readWorkflow, understandWorkflow, type WorkflowOptions, type WorkflowReading } from './understand.ts';
export { workflowText, writeWorkflow } from './write.ts';
