import { visible } from '../errors.ts';
import { sayLine } from './printer.ts';

/** Work below this is not worth a line. */
const SILENT_MS = 2000;
const REDRAW_MS = 200;

/** Says on stderr how far a long work is; nothing of one that is short. */
export interface Progress {
  /** @param unit what `done` counts (`step`): then the time of each is shown too */
  update(done: number, total: number, unit?: string): void;
  /** Takes the line away. */
  end(): void;
}

/**
 * Progress of `label`, told from the third second on: on a terminal one line that is drawn anew, with an estimate of what is
 * left; elsewhere, as in the log of a batch job, a plain line every tenth of the way.
 */
export function startProgress(
  label: string,
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stderr,
  clock: () => number = () => performance.now(),
): Progress {
  const shown = visible(label);
  const work = { shown, stream, clock, start: clock() };
  return stream.isTTY ? drawnLine(work) : plainLines(work);
}

interface Work {
  readonly shown: string;
  readonly stream: Pick<NodeJS.WriteStream, 'write'>;
  readonly clock: () => number;
  readonly start: number;
}

function drawnLine({ shown, stream, clock, start }: Work): Progress {
  let drawn = 0;
  return {
    update(done, total, unit) {
      const now = clock();
      if (now - start < SILENT_MS || now - drawn < REDRAW_MS) return;
      drawn = now;
      const share = total > 0 ? done / total : 0;
      const left = share > 0 ? ((now - start) / 1000) * (1 / share - 1) : 0;
      const each = unit && done > 0 ? ` ${done}/${total}, ${perUnit((now - start) / done)} a ${unit},` : '';
      stream.write(`\r\u001b[K${shown} ${bar(share)} ${Math.floor(share * 100)} %,${each} ${Math.ceil(left)} s left`);
    },
    end() {
      if (drawn) stream.write('\r\u001b[K');
    },
  };
}

const TENTHS = 10;
/** Between two lines: what comes faster is nearly done. */
const LINE_MS = 900;

function plainLines({ shown, stream, clock, start }: Work): Progress {
  let [told, last] = [0, Number.NEGATIVE_INFINITY];
  return {
    update(done, total, unit) {
      const elapsed = clock() - start;
      const tenth = total > 0 ? Math.floor((TENTHS * done) / total) : 0;
      // That it is done is nothing new where nothing was said before.
      if (elapsed < SILENT_MS || tenth <= told || (done >= total && told === 0)) return;
      if (elapsed - last < LINE_MS) return;
      [told, last] = [tenth, elapsed];
      const where = unit ? `${unit} ${done} of ${total}` : `${Math.floor((100 * done) / total)} %`;
      stream.write(`${shown}: ${where}, ${Math.round(elapsed / 1000)} s\n`);
    },
    end: () => undefined,
  };
}

function perUnit(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toPrecision(3)} s`;
}

function bar(share: number): string {
  const filled = Math.round(share * 24);
  return `[${'#'.repeat(filled)}${'.'.repeat(24 - filled)}]`;
}

/** Bars of a job that has several parts: each takes the place of the one before. */
export interface JobBars {
  /** @param unit what `done` counts */
  update(label: string, done: number, total: number, unit?: string): void;
  end(): void;
}

/** A bar for every part of a job, by its label. */
export function startBars(): JobBars {
  let current: { readonly label: string; readonly progress: Progress; done: number } | undefined;
  return {
    update(label, done, total, unit) {
      // What begins anew under the same label is another thing: the next model that is loaded.
      if (current?.label !== label || done < current.done) {
        current?.progress.end();
        current = { label, progress: startProgress(label), done };
      }
      current.done = done;
      current.progress.update(done, total, unit);
    },
    end() {
      current?.progress.end();
      current = undefined;
    },
  };
}

/** Says on stderr what was chosen for the user. */
export function printNote(note: string): void {
  sayLine(`note: ${note}`);
}

/** What lets Ctrl-C stop a job between two of its steps. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** From here on Ctrl-C stops the job and keeps what is done; before, there is nothing to keep. */
  begin(): void;
}

/**
 * Does work that Ctrl-C can stop. A second Ctrl-C ends the program at once, as ever.
 *
 * @param work calls `begin` before its first step, stops when the signal is aborted, and keeps what is done
 */
export async function interruptible<T>(work: (interrupt: Interrupt) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    sayLine('');
    sayLine('stopping after this step, and keeping what is done; Ctrl-C again ends at once');
    controller.abort();
  };
  try {
    // Without a listener left, the signal's own action is back.
    return await work({ signal: controller.signal, begin: () => void process.once('SIGINT', stop) });
  } finally {
    process.off('SIGINT', stop);
  }
}
