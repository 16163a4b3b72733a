/**
 * From a prompt to what a UNet is told: CLIP's tokenizer, prompt weights in ComfyUI's and A1111's conventions, and the
 * conditioning of SD1.5, SDXL and SSD-1B. What reads files is in `node.ts`.
 */
export { parseA1111Weights } from './a1111-weights.ts';
export {
  CHUNK_LENGTH,
  emptyChunk,
  type PromptChunk,
  type WeightedText,
} from './chunk.ts';
export { clipVocabulary } from './clip-vocabulary.ts';
export { parseComfyUIWeights } from './comfyui-weights.ts';
export {
  hiddenLayer,
  type PromptRequest,
  type Prompts,
  promptList,
  type TextModel,
  textConditioning,
  textTokens,
} from './conditioning.ts';
export {
  type ChunkOptions,
  type EncodedChunks,
  type EncodedPrompt,
  encodeChunks,
  encodePrompts,
  type HiddenLayer,
  type LayeredPrompt,
  type PromptEncoder,
} from './encode-prompts.ts';
export { parseTokenizer, specialTokensOf, type TokenizerFiles, tokenizerFiles } from './parse-tokenizer.ts';
export {
  pipelineText,
  type ReadTokenizerFile,
  readTokenizerFiles,
  type TextInputs,
  type TextPart,
  textInputsOf,
  textMisfit,
} from './pipeline-text.ts';
export { PROMPT_WEIGHTS, type PromptWeights, promptChunks } from './prompt-weights.ts';
export { checkVocabulary, type TextEncoderFacts, textEncoderFacts } from './text-encoder-facts.ts';
export { CLIP_TOKENS, ClipTokenizer, SECOND_PAD, type SpecialTokens, type TokenizeOptions } from './tokenizer.ts';
export {
  type Merge,
  parseMerges,
  parseVocabulary,
  type Vocabulary,
  type VocabularyPlaces,
  vocabularyOfMerges,
} from './vocabulary.ts';
