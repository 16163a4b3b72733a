import { visible } from '../errors.ts';

const SILENT_MS = 2000;
const REDRAW_MS = 500;

/**
 * Runs one phase of the work and says so on stderr: a line when it starts; on a terminal, from the third second on, how
 * long it takes and how far it is instead.
 *
 * @param detail how far the work is, in a few words; asked for while it runs
 */
export async function phase<T>(label: string, work: () => Promise<T>, detail?: () => string): Promise<T> {
  const stream = process.stderr;
  stream.write(`${label}\n`);
  if (!stream.isTTY) return work();
  const start = performance.now();
  const seconds = () => Math.round((performance.now() - start) / 1000);
  let drawn = false;
  const timer = setInterval(() => {
    if (performance.now() - start < SILENT_MS) return;
    drawn = true;
    stream.write(`\r\u001b[K  ${seconds()} s ${visible(detail?.() ?? '')}`);
  }, REDRAW_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (drawn) stream.write('\r\u001b[K');
  }
}
