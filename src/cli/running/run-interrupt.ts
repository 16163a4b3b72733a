/**
 * Runs something that Ctrl-C stops between two of its steps. A second Ctrl-C ends the program at once, as ever.
 *
 * @param work stops when its signal is aborted, and keeps what is done
 */
export async function stoppable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    process.stderr.write('\nstopping after this step, and keeping what is done; Ctrl-C again ends at once\n');
    controller.abort();
  };
  // Without a listener left, the signal's own action is back.
  process.once('SIGINT', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
  }
}
