export {
  ATTRIBUTE_TYPES,
  type HiddenForm,
  inputFlags,
  type NodeAttributes,
  type NodeInputs,
  nameInputs,
  type OutputForm,
  orderInputs,
  SLOTHFUL_OP,
} from '../attention/node/contract.ts';
export { parseAttributes } from '../attention/node/parse-attributes.ts';
export { KVPooling, type KVPoolingArgs } from '../passes/slothful/kv-pooling.ts';
export { type Attention, attend } from './attend.ts';
export { type LogitsPlan, logitsLimit, planLogits, type Strategy, setLogitsLimit } from './logits.ts';
export { type AttentionListener, type AttentionRecord, recordAttention } from './recorder.ts';
export { registerSlothfulOps } from './register.ts';
export { SlothfulAttention, type SlothfulAttentionConfig } from './slothful-attention.ts';
