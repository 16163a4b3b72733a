import { SlothfulError } from '../../src/errors.ts';

/** A LoRA that is to be fused. */
export interface LoraOption {
  /** A .safetensors file, or a folder with `pytorch_lora_weights.safetensors`. */
  readonly file: string;
  /** How much of it; 1 by default, negative to take away. */
  readonly scale?: number;
}

/**
 * Reads `file.safetensors:0.8`, or a path without a scale.
 *
 * @throws SlothfulError `usage` for a scale that is no number
 */
export function parseLoraOption(text: string): LoraOption {
  const colon = text.lastIndexOf(':');
  const scale = text.slice(colon + 1);
  // A colon may be part of a path: of a drive's letter, or of a name.
  if (colon <= 0 || /[\\/]/.test(scale) || scale.endsWith('.safetensors')) return { file: text };
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(scale)) {
    throw new SlothfulError('usage', `--lora ${text}`, `"${scale}" is no scale`, 'write --lora file.safetensors:0.8');
  }
  return { file: text.slice(0, colon), scale: Number(scale) };
}
