/** Work below this is not worth a line. */
const SILENT_MS = 2000;
const REDRAW_MS = 200;

/** A line on stderr that says how far a long work is; none when stderr is not a terminal. */
export interface Progress {
  /** @param unit what `done` counts (`step`): then the time of each is shown too */
  update(done: number, total: number, unit?: string): void;
  /** Takes the line away. */
  end(): void;
}

/** Progress of `label`, shown from the third second on, with an estimate of what is left. */
export function startProgress(label: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  const start = performance.now();
  let drawn = 0;
  return {
    update(done, total, unit) {
      const now = performance.now();
      if (!stream.isTTY || now - start < SILENT_MS || now - drawn < REDRAW_MS) return;
      drawn = now;
      const share = total > 0 ? done / total : 0;
      const left = share > 0 ? ((now - start) / 1000) * (1 / share - 1) : 0;
      const each = unit && done > 0 ? ` ${done}/${total}, ${perUnit((now - start) / done)} a ${unit},` : '';
      stream.write(`\r\u001b[K${label} ${bar(share)} ${Math.floor(share * 100)} %,${each} ${Math.ceil(left)} s left`);
    },
    end() {
      if (drawn) stream.write('\r\u001b[K');
    },
  };
}

function perUnit(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toPrecision(3)} s`;
}

function bar(share: number): string {
  const filled = Math.round(share * 24);
  return `[${'#'.repeat(filled)}${'.'.repeat(24 - filled)}]`;
}
