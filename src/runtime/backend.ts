import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS, backendOf, type KnownBackend } from '../backends/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';

/** Backends by what users call them. `current`: the one that the program has set with TF.js itself. */
export type BackendName = KnownBackend | 'current';

/** One way to get a backend. */
export interface BackendCandidate {
  readonly name: KnownBackend;
  /** Where it comes from: a package. */
  readonly from: string;
  /** What makes it work where it does not. */
  readonly cure?: string;
  /**
   * Loads the package and returns the name under which TF.js knows the backend. Throws where it cannot.
   *
   * @param remark told what had to be changed for it, in words
   */
  load(remark?: (text: string) => void): Promise<string>;
}

/** The backend that runs, and why this one. */
export interface ChosenBackend {
  readonly name: BackendName;
  /** TF.js's name for it (`tensorflow` for native). */
  readonly tfjsName: string;
  /** What it computes on, where that can be told. */
  readonly device: string;
  /** Why it was chosen, in one line; with the reasons of those that failed before it. */
  readonly reason: string;
  readonly failed: readonly FailedBackend[];
}

export interface FailedBackend {
  readonly name: BackendName;
  readonly from: string;
  readonly reason: string;
  readonly cure?: string | undefined;
}

export interface BackendOptions {
  /** Use this one or fail; by default the first that works. */
  readonly backend?: BackendName | undefined;
  /** Told the choice, in one line. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Why a backend cannot run what is to be run, in words; undefined where it can. */
export type Unfit = (name: KnownBackend) => string | undefined;

/** The backends that work in browsers too, fastest first. Their packages are loaded when they are tried. */
export const WEB_BACKENDS: readonly BackendCandidate[] = [
  {
    name: 'wasm',
    from: '@tensorflow/tfjs-backend-wasm',
    load: async () => {
      await import('@tensorflow/tfjs-backend-wasm');
      return BACKENDS.wasm.tfjsName;
    },
  },
  {
    name: 'cpu',
    from: '@tensorflow/tfjs-backend-cpu',
    load: async () => {
      await import('@tensorflow/tfjs-backend-cpu');
      return BACKENDS.cpu.tfjsName;
    },
  },
];

/**
 * Makes the first candidate that works TF.js's backend: one works when it multiplies two matrices rightly.
 *
 * @param unfit tells which cannot run what is to be run: they are passed over, and not loaded, where none is asked for
 * @throws SlothfulError `backend` where the asked one, or none, works: with the reason of each
 */
export async function chooseBackend(
  { backend, log }: BackendOptions = {},
  candidates: readonly BackendCandidate[] = WEB_BACKENDS,
  unfit?: Unfit,
): Promise<ChosenBackend> {
  const before = tf.engine().backendName;
  const chosen = backend === 'current' ? await useCurrent() : await useFirst(candidates, backend, before, unfit);
  log?.(`backend: ${chosen.name} on ${chosen.device}; ${chosen.reason}`);
  return chosen;
}

async function useCurrent(): Promise<ChosenBackend> {
  await tf.ready();
  const tfjsName = tf.getBackend();
  await checkProduct();
  const reason = 'it was set by the program';
  return { name: 'current', tfjsName, device: deviceOf(tfjsName), reason, failed: [] };
}

async function useFirst(
  candidates: readonly BackendCandidate[],
  asked: BackendName | undefined,
  before: string | null | undefined,
  unfit: Unfit | undefined,
): Promise<ChosenBackend> {
  const failed: FailedBackend[] = [];
  for (const candidate of candidates.filter(({ name }) => asked === undefined || name === asked)) {
    const lack = asked === undefined ? unfit?.(candidate.name) : undefined;
    if (lack !== undefined) {
      failed.push({ name: candidate.name, from: candidate.name, reason: lack });
      continue;
    }
    const remarks: string[] = [];
    try {
      const tfjsName = await activate(candidate, (text) => remarks.push(text));
      const reason = [asked ? 'it was asked for' : explain(failed), ...remarks].join('; ');
      return { name: candidate.name, tfjsName, device: deviceOf(tfjsName), reason, failed };
    } catch (error) {
      failed.push({ name: candidate.name, from: candidate.from, reason: messageOf(error), cure: candidate.cure });
    }
  }
  // Until a backend is chosen TF.js has none: undefined, whatever its types say.
  if (before) await tf.setBackend(before);
  throw noneWorks(asked, failed);
}

async function activate(candidate: BackendCandidate, remark: (text: string) => void): Promise<string> {
  const tfjsName = await candidate.load(remark);
  const set = await tf.setBackend(tfjsName);
  if (!set || tf.getBackend() !== tfjsName) throw new Error('TF.js could not start it');
  await checkProduct();
  return tfjsName;
}

/** A backend that starts may still be unable to compute: a library may be missing, a kernel broken. */
async function checkProduct(): Promise<void> {
  const product = withoutAdvice(() =>
    tf.tidy(() => tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2]))),
  );
  const values = await product.data();
  product.dispose();
  if ([19, 22, 43, 50].some((value, index) => value !== values[index])) {
    throw new Error(`it multiplies wrongly: got ${values.join(', ')} for 19, 22, 43, 50`);
  }
}

/** At its first use in Node the cpu backend advises on stderr to install another one. The choice says that already. */
function withoutAdvice<T>(run: () => T): T {
  const before = tf.env().getBool('PROD');
  tf.env().set('PROD', true);
  try {
    return run();
  } finally {
    tf.env().set('PROD', before);
  }
}

function explain(failed: readonly FailedBackend[]): string {
  if (!failed.length) return 'the first choice';
  const cures = curesOf(failed).map((cure) => `; ${cure}`);
  return `the first that works (${reasonsOf(failed)}${cures.join('')})`;
}

function reasonsOf(failed: readonly FailedBackend[]): string {
  return [...new Set(failed.map(({ from, reason }) => `${from}: ${reason}`))].join('; ');
}

/** Each cure once: two packages of one backend have the same. */
function curesOf(failed: readonly FailedBackend[]): string[] {
  return [...new Set(failed.flatMap(({ cure }) => cure ?? []))];
}

function noneWorks(asked: BackendName | undefined, failed: readonly FailedBackend[]): SlothfulError {
  const reasons = reasonsOf(failed) || 'there is none here';
  const cures = [...curesOf(failed), ...(asked ? ['leave the backend to the toolkit'] : [])].join(', or ');
  return new SlothfulError('backend', `backend ${asked ?? 'choice'}`, `does not work: ${reasons}`, cures);
}

/** The native backend tells whether it computes on a GPU; the others have their device in their name. */
function deviceOf(tfjsName: string): string {
  if (tfjsName !== BACKENDS.native.tfjsName) return backendOf(tfjsName).inHostMemory ? 'CPU' : tfjsName;
  const backend: unknown = tf.backend();
  const isGpu = typeof backend === 'object' && backend !== null && Reflect.get(backend, 'isUsingGpuDevice') === true;
  return isGpu ? 'GPU' : 'CPU';
}
