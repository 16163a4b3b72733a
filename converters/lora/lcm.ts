import { basename, dirname, resolve } from 'node:path';

const LCM = /(?:^|[^a-z])lcm(?:[^a-z]|$)/i;
/** Fields of `__metadata__` in which trainers write a LoRA's name. */
const TITLES = ['modelspec.title', 'modelspec.architecture', 'ss_output_name', 'name'];

/**
 * Whether a LoRA says that it is an LCM-LoRA: by the word "lcm" in its file's name, in the name of the folder that it
 * lies in (as in `lcm-lora-sdv1-5/pytorch_lora_weights.safetensors`), or in its title. Nothing in the matrices tells it.
 */
export function isLcmLora(path: string, metadata: ReadonlyMap<string, string>): boolean {
  const full = resolve(path);
  const names = [basename(full), basename(dirname(full)), ...TITLES.map((title) => metadata.get(title) ?? '')];
  return names.some((name) => LCM.test(name));
}
