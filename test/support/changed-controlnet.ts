import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { companion } from './companion-goldens.ts';
import { temporaryFolder } from './temporary.ts';
import { type RawTensor, readTensors, writeTensors } from './write-tensors.ts';

/** The folder of the golden ControlNet of SD1.5 with other tensors or another config. */
export async function changedControlNet(
  change: (tensors: Map<string, RawTensor>, config: Record<string, unknown>) => void,
): Promise<string> {
  const folder = join(temporaryFolder(), 'net');
  await mkdir(folder);
  const tensors = readTensors(readFileSync(companion('controlnet_sd15/diffusion_pytorch_model.safetensors')));
  const config: Record<string, unknown> = JSON.parse(readFileSync(companion('controlnet_sd15/config.json'), 'utf8'));
  change(tensors, config);
  writeTensors(join(folder, 'diffusion_pytorch_model.safetensors'), tensors);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}
