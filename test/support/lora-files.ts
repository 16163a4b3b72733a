import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { companion } from './companion-goldens.ts';
import { temporaryFolder } from './temporary.ts';
import { floats, type RawTensor, readTensors, writeTensors } from './write-tensors.ts';

/** The golden LoRA in kohya's spelling. */
export const KOHYA = companion('lora_sd15_kohya.safetensors');

/** A LoRA file respelled, tensor by tensor; names that become undefined are left out. */
export function respelled(
  path: string,
  rename: (name: string) => string | undefined,
  metadata?: Record<string, string>,
): string {
  const out = join(temporaryFolder(), 'lora.safetensors');
  const renamed = [...readTensors(readFileSync(path))].flatMap(([name, tensor]): [string, RawTensor][] => {
    const other = rename(name);
    return other === undefined ? [] : [[other, tensor]];
  });
  writeTensors(out, new Map(renamed), metadata);
  return out;
}

/** The LoRA with one tensor more. */
export function withTensor(name: string, tensor: RawTensor = floats([1], [1])): string {
  const file = respelled(KOHYA, (each) => each);
  const tensors = readTensors(readFileSync(file));
  writeTensors(file, new Map([...tensors, [name, tensor]]));
  return file;
}
