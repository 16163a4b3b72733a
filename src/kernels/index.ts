export { type Attention, attend } from './attend.ts';
export { registerComposedKernels } from './composed.ts';
export { einsumOf } from './einsum.ts';
export { type LogitsPlan, logitsLimit, planLogits, type Strategy, setLogitsLimit } from './logits.ts';
export { type AttentionListener, type ExecutedAttention, recordAttention } from './recorder.ts';
export { repairKernels } from './repaired.ts';
export { registerAttentionOp, SlothfulAttention, type SlothfulAttentionConfig } from './slothful-attention.ts';
export { inHostMemory, isRank3 } from './token-forms.ts';
