import { convertClip, type TextEncoderOptions } from './clip/index.ts';
import { companionFiles, type LoraOptions, openTextLoras } from './companions.ts';
import { type ConvertSummary, reading } from './model/index.ts';

/** How `convertTextEncoder` converts. */
export interface ConvertTextEncoderOptions extends TextEncoderOptions, LoraOptions {}

/**
 * Converts a CLIP text encoder, with what LoRAs have for it, to a TF.js graph model of stock ops, streaming: one tensor in
 * memory at a time.
 *
 * @param source a pipeline folder, the encoder's own folder, or a single .safetensors file (LDM's or transformers' names)
 * @param outDir where `model.json` and its shards go; written under a temporary name first
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`
 */
export function convertTextEncoder(
  source: string,
  outDir: string,
  options: ConvertTextEncoderOptions = {},
): Promise<ConvertSummary> {
  const { which = 'text_encoder' } = options;
  return convertClip(source, outDir, reading(options, ...companionFiles(options)), (found, where) =>
    openTextLoras(found, which, options, where),
  );
}
