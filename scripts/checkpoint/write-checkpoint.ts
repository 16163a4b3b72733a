import { type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FamilyTensor } from './family.ts';
import { bytesOf, type Dtype, RandomWeights } from './random-weights.ts';

export type CheckpointLayout = 'diffusers' | 'ldm';

/** A checkpoint to write. */
export interface CheckpointPlan {
  readonly config: unknown;
  readonly tensors: readonly FamilyTensor[];
  readonly layout: CheckpointLayout;
  readonly dtype: Dtype;
}

export type WriteProgress = (done: number, total: number) => void;

const LDM_PREFIX = 'model.diffusion_model.';
const NAMES: Readonly<Record<CheckpointLayout, string>> = {
  diffusers: 'diffusion_pytorch_model.safetensors',
  ldm: 'model.safetensors',
};

/**
 * Writes a checkpoint with random weights into a folder: with `config.json` as diffusers has it, or one LDM file. It is
 * streamed from a few blocks, so that it takes no more memory at 10 GB than at 10 MB.
 *
 * @returns the path to convert (the folder, or the LDM file) and the bytes of the weights' file
 */
export async function writeCheckpoint(
  folder: string,
  plan: CheckpointPlan,
  progress?: WriteProgress,
): Promise<{ path: string; bytes: number }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, NAMES[plan.layout]);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const bytes = await writeTensors(temporary, plan, progress);
    if (plan.layout === 'diffusers') await writeFile(join(folder, 'config.json'), JSON.stringify(plan.config, null, 2));
    await rename(temporary, path);
    return { path: plan.layout === 'ldm' ? path : folder, bytes };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeTensors(path: string, plan: CheckpointPlan, progress?: WriteProgress): Promise<number> {
  const { header, bytes } = encodeHeader(plan);
  const handle = await open(path, 'wx');
  const random = new RandomWeights(plan.dtype);
  let done = header.length;
  try {
    await writeFully(handle, header);
    for (const { name, shape } of plan.tensors) {
      for (const piece of random.pieces(name, shape)) {
        await writeFully(handle, piece);
        done += piece.byteLength;
        progress?.(done, bytes);
      }
    }
    return done;
  } finally {
    await handle.close();
  }
}

/** A call may take fewer bytes than it is given. */
async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) done += (await handle.write(bytes, done)).bytesWritten;
}

/** The header, padded to 8 bytes. Source: the safetensors format description. */
function encodeHeader({ tensors, layout, dtype }: CheckpointPlan): { header: Uint8Array; bytes: number } {
  let offset = 0;
  const entries = tensors.map(({ name, ldmName, shape }) => {
    const begin = offset;
    offset += shape.reduce((product, size) => product * size, bytesOf(dtype));
    const key = layout === 'ldm' ? `${LDM_PREFIX}${ldmName}` : name;
    return [key, { dtype, shape, data_offsets: [begin, offset] }] as const;
  });
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  return { header, bytes: header.length + offset };
}
