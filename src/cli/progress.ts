/** Work below this is not worth a line. */
const SILENT_MS = 2000;
const REDRAW_MS = 200;

/** A line on stderr that says how far a long work is; none when stderr is not a terminal. */
export interface Progress {
  update(done: number, total: number): void;
  /** Takes the line away. */
  end(): void;
}

/** Progress of `label`, shown from the third second on, with an estimate of what is left. */
export function startProgress(label: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  const start = performance.now();
  let drawn = 0;
  return {
    update(done, total) {
      const now = performance.now();
      if (!stream.isTTY || now - start < SILENT_MS || now - drawn < REDRAW_MS) return;
      drawn = now;
      const share = total > 0 ? done / total : 0;
      const left = share > 0 ? ((now - start) / 1000) * (1 / share - 1) : 0;
      stream.write(`\r\u001b[K${label} ${bar(share)} ${Math.floor(share * 100)} %, ${Math.ceil(left)} s left`);
    },
    end() {
      if (drawn) stream.write('\r\u001b[K');
    },
  };
}

function bar(share: number): string {
  const filled = Math.round(share * 24);
  return `[${'#'.repeat(filled)}${'.'.repeat(24 - filled)}]`;
}
