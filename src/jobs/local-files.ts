import { localPath } from '../models/node.ts';

/** Fields of jobs that name files: a `file:` URL will do for each. */
const FILES = ['model', 'inputs', 'out', 'noise', 'cond', 'uncond', 'initImage', 'mask', 'imageEmbeds'] as const;

/** What names files in a job. */
type Named = Partial<Record<(typeof FILES)[number], string | undefined>> & {
  readonly controlNets?: readonly { readonly model: string; readonly image: string }[] | undefined;
};

/** A job whose files are named by paths, or addresses of servers. @throws SlothfulError `bad-input` */
export function withPaths<Job extends Named>(job: Job): Job {
  const named = FILES.flatMap((field) => (job[field] === undefined ? [] : [[field, localPath(job[field])] as const]));
  const nets = job.controlNets?.map((net) => ({ ...net, model: localPath(net.model), image: localPath(net.image) }));
  return { ...job, ...Object.fromEntries(named), ...(nets ? { controlNets: nets } : {}) };
}
