import { parentPort } from 'node:worker_threads';
import { messageOf, SlothfulError } from '../../../src/errors.ts';
import type { FuseReply, FuseRequest } from './fuse-pool.ts';
import { Kernel } from './kernel.ts';

const kernel = new Kernel();

function answer({ id, job }: FuseRequest): FuseReply {
  try {
    return { id, rows: kernel.fuse(job) };
  } catch (error) {
    if (!(error instanceof SlothfulError)) return { id, error: ['bug', job.place, messageOf(error)] };
    return { id, error: [error.code, error.place, error.problem, error.cure] };
  }
}

parentPort?.on('message', (request: FuseRequest) => {
  const reply = answer(request);
  parentPort?.postMessage(reply, 'rows' in reply ? [reply.rows.buffer] : []);
});
