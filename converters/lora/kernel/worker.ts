import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, SlothfulError } from '../../../src/errors.ts';
import { Kernel } from './kernel.ts';
import type { Reply, ThreadJob } from './thread.ts';

function kernelOf(memory: unknown): Kernel {
  if (memory instanceof WebAssembly.Memory) return new Kernel(memory);
  throw new TypeError('a worker needs the memories of its pool');
}

const kernels = Array.isArray(workerData) ? workerData.map(kernelOf) : [];

function answer({ memory, task, layout, share }: ThreadJob): Reply {
  try {
    kernels[memory]?.fuse(task, layout, share);
    return undefined;
  } catch (error) {
    if (!(error instanceof SlothfulError)) return ['bug', task.place, messageOf(error)];
    return [error.code, error.place, error.problem, error.cure];
  }
}

parentPort?.on('message', (job: ThreadJob) => parentPort?.postMessage(answer(job)));
