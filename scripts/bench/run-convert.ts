import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FamilyName } from '../checkpoint/family.ts';
import { cacheFolder } from './cache.ts';
import { type JobResult, runJob } from './run-job.ts';

/** Converts a checkpoint in a process of its own, with a LoRA or without. What it makes is removed at once. */
export async function runConvert(family: FamilyName, checkpoint: string, ...lora: string[]): Promise<JobResult> {
  const out = join(cacheFolder(), family, 'converted');
  const result = await runJob('convert', [checkpoint, out, ...lora]);
  await rm(out, { recursive: true });
  return result;
}
