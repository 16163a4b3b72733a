import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Files } from './plan.ts';
import type { Place, Target } from './target.ts';
import { type Fault, faultOfError, LIMITS, type Verdict } from './verdict.ts';

/** Linux lists what a process has open. */
const OPEN_FILES = '/proc/self/fd';

/**
 * Tries an input, and tells whether a rule was broken. What it takes is measured here; what does not come back is for the
 * watcher of the process.
 *
 * @param root an empty folder, which is empty again afterwards
 */
export async function judge(target: Target, files: Files, root: string): Promise<Verdict> {
  const place = { in: join(root, 'in'), out: join(root, 'out') };
  if (target.isOnDisk) layDown(files, place.in);
  const before = target.isOnDisk ? listing(place.in) : [];
  const count = countOf(target);
  const start = startMeter();
  let verdict: Verdict = 'taken';
  try {
    await target.read(files, place);
  } catch (error) {
    verdict = faultOfError(error) ?? 'refused';
  }
  const cost = start();
  const left = target.isOnDisk ? leftBehind(root, place, before, verdict === 'taken') : undefined;
  if (target.isOnDisk) for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  if (typeof verdict === 'object') return verdict;
  return cost ?? left ?? changedCount(count, countOf(target)) ?? verdict;
}

function layDown(files: Files, folder: string): void {
  mkdirSync(folder);
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

function leftBehind(root: string, place: Place, before: readonly string[], isTaken: boolean): Fault | undefined {
  const kind = 'left behind';
  const others = readdirSync(root).filter((name) => name !== 'in' && name !== 'out');
  if (others.length) return { kind, detail: `beside the output: ${others.join(', ')}` };
  if (!isTaken && existsSync(place.out))
    return { kind, detail: `of an output that failed: ${listing(root).join(', ')}` };
  const after = listing(place.in);
  const isSame = after.length === before.length && after.every((name, index) => name === before[index]);
  return isSame ? undefined : { kind, detail: `the input was ${before.join(', ')} and is ${after.join(', ')}` };
}

/** The tensors of a target that has some, and of one on disk the files that are open. */
function countOf(target: Target): number {
  const open = target.isOnDisk && existsSync(OPEN_FILES) ? readdirSync(OPEN_FILES).length : 0;
  return open + (target.count?.() ?? 0);
}

function changedCount(before: number, after: number): Fault | undefined {
  if (before === after) return undefined;
  return { kind: 'left behind', detail: `${after - before} more tensors or open files than before` };
}

/** Measures from now until it is called: what was more than a try may take. */
function startMeter(): () => Fault | undefined {
  const cpu = process.cpuUsage();
  const resident = process.memoryUsage.rss();
  const peak = peakBytes();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    const ms = Math.round((user + system) / 1000);
    if (ms > LIMITS.cpuMs) return { kind: 'slow', detail: `${ms} ms of CPU` };
    // There is but one peak of a process: a try is caught where it takes more than all before it.
    const grown = peakBytes() - resident;
    if (peakBytes() === peak || grown <= LIMITS.memoryBytes) return undefined;
    return { kind: 'memory', detail: `${Math.round(grown / 2 ** 20)} MiB` };
  };
}

function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
