import { SlothfulError } from '../errors.ts';

/** How far a work in steps is. */
export interface WorkDone {
  readonly done: number;
  readonly total: number;
  /** What is counted, such as `steps`. */
  readonly unit: string;
}

/**
 * Lets timers, signals and input be heard between two steps of a work (wasm and cpu compute without ever leaving the
 * microtasks), and stops where the signal says so.
 *
 * @param place what is stopped, for the message
 * @throws SlothfulError `aborted`
 */
export async function betweenSteps(signal: AbortSignal | undefined, place: string, work: WorkDone): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  if (!signal?.aborted) return;
  const { done, total, unit } = work;
  throw new SlothfulError('aborted', place, `stopped after ${done} of ${total} ${unit}`, undefined, {
    cause: signal.reason,
  });
}
