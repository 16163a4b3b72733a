import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, SlothfulError } from '../../../src/errors.ts';
import { Kernel } from './kernel.ts';
import type { Reply } from './lane.ts';
import type { FuseTask } from './layout.ts';

if (!(workerData instanceof WebAssembly.Memory)) throw new TypeError('a worker needs the memory of its lane');
const kernel = new Kernel(workerData);

function answer(task: FuseTask): Reply {
  try {
    kernel.fuse(task);
    return undefined;
  } catch (error) {
    if (!(error instanceof SlothfulError)) return ['bug', task.place, messageOf(error)];
    return [error.code, error.place, error.problem, error.cure];
  }
}

parentPort?.on('message', (task: FuseTask) => parentPort?.postMessage(answer(task)));
