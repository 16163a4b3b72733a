import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { SlothfulError } from '../../src/errors.ts';
import type { LaneOrder } from './lane.ts';
import type { TryId } from './tries.ts';
import { type Fault, LIMITS, type Verdict } from './verdict.ts';

/** A try that ended, or that ended its process. */
export interface Outcome {
  readonly id: TryId;
  readonly verdict: Verdict;
  /** Where its input is kept, if it is. */
  readonly file?: string | undefined;
}

/** What a lane says, a line each. */
interface Message {
  readonly begun?: TryId;
  readonly ended?: TryId;
  readonly verdict?: Verdict;
  readonly file?: string;
  readonly done?: boolean;
}

const LANE = fileURLToPath(new URL('lane.ts', import.meta.url));
const HEAP_MIB = LIMITS.memoryBytes / 2 ** 20;
/** A target that hangs as often is left alone for the rest of the run, or there would be no rest. */
const MOST_DEATHS = 3;
/** Until the first try: modules are loaded and models converted, on a machine that may be busy. */
const START_MS = 120_000;
const NO_TRY: Pick<TryId, 'index'> = { index: -1 };

/**
 * Has a process try targets, and starts the next one where it hangs or dies.
 *
 * @param hear told of every try
 * @throws SlothfulError `bug` where a process dies before its first try
 */
export async function watchLane(order: Omit<LaneOrder, 'root'>, hear: (outcome: Outcome) => void): Promise<void> {
  const starts: Record<string, number> = { ...order.starts };
  const deaths = new Map<string, number>();
  for (;;) {
    const targets = order.targets.filter((name) => (deaths.get(name) ?? 0) < MOST_DEATHS);
    const end = await runLane({ ...order, targets, starts }, (outcome) => {
      starts[outcome.id.target] = outcome.id.index + 1;
      hear(outcome);
    });
    if (!end) return;
    const { id, fault } = end;
    if (!id || id.index < 0) {
      throw new SlothfulError('bug', `fuzz ${id?.target ?? 'lane'}`, `ended before its first try: ${fault.detail}`);
    }
    deaths.set(id.target, (deaths.get(id.target) ?? 0) + 1);
    starts[id.target] = id.index + 1;
    hear({ id, verdict: fault });
  }
}

/** @returns the try at which the process ended, and how; undefined where all was done */
function runLane(
  order: Omit<LaneOrder, 'root'>,
  hear: (outcome: Outcome) => void,
): Promise<{ id: TryId | undefined; fault: Fault } | undefined> {
  const root = mkdtempSync(join(tmpdir(), 'slothful-fuzz-'));
  const args = [`--max-old-space-size=${HEAP_MIB}`, '--import', 'tsx', LANE, JSON.stringify({ ...order, root })];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  let id: TryId | undefined;
  let isDone = false;
  let fault: Fault | undefined;
  let said = '';
  const late = (ms: number) => () => {
    fault = { kind: 'hang', detail: `nothing in ${ms} ms` };
    child.kill('SIGKILL');
  };
  let timer = setTimeout(late(START_MS), START_MS);
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-2000);
  });
  // Node types the pipes past stderr as any stream.
  const lines = createInterface({ input: child.stdio[3] as Readable });
  lines.on('line', (line) => {
    const message: Message = JSON.parse(line);
    const ms = (message.begun ?? message.ended ?? NO_TRY).index < 0 ? START_MS : (order.hangMs ?? LIMITS.hangMs);
    clearTimeout(timer);
    timer = setTimeout(late(ms), ms);
    isDone ||= message.done === true;
    id = message.begun ?? id;
    if (message.ended && message.verdict) hear({ id: message.ended, verdict: message.verdict, file: message.file });
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      rmSync(root, { recursive: true, force: true });
      const detail = `${signal ?? `exit code ${code}`}: ${said.trim()}`;
      resolve(isDone ? undefined : { id, fault: fault ?? { kind: 'crash', detail } });
    });
  });
}
