import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { systemCode } from './io-error.ts';

/**
 * What a hidden file or folder beside an output holds, said by its name, so that it is still known after a kill:
 * `new` is being filled, `whole` is filled and about to take the name, `old` had the name and is whole, `gone` is being
 * removed.
 */
export type HiddenPhase = 'new' | 'whole' | 'old' | 'gone';

/** A hidden sibling that was found on disk. */
export interface HiddenSibling {
  readonly path: string;
  /** Name of the output that it is beside. */
  readonly of: string;
  readonly phase: HiddenPhase;
  /** Whether the process that made it is at work; `unknown` on other machines, and of versions that did not say. */
  readonly maker: 'dead' | 'alive' | 'unknown';
}

/** Process numbers are those of one machine. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const NAME = /^\.(.+)\.(new|whole|old|gone)-([0-9a-f]{8})-(\d+)-([0-9a-z]+)$/s;
/** As earlier versions named theirs. */
const EARLIER = /^\.(.+)\.(new|old)-\d+-[0-9a-z]+$/s;

/** What this process made: a number that was given to it may have been another's before. */
const tags = new Set<string>();

/** A new name beside an output, for what belongs to it and is not it. */
export function hiddenSibling(target: string, phase: HiddenPhase): string {
  const tag = Math.random().toString(36).slice(2, 10).padEnd(8, '0');
  tags.add(tag);
  return join(dirname(target), `.${basename(target)}.${phase}-${HOST}-${process.pid}-${tag}`);
}

/** What a name says; undefined where it is none of ours. The maker is not looked for. */
export function hiddenName(name: string): Pick<HiddenSibling, 'of' | 'phase'> | undefined {
  const [, of, phase] = NAME.exec(name) ?? EARLIER.exec(name) ?? [];
  return of !== undefined && isPhase(phase) ? { of, phase } : undefined;
}

function isPhase(text: string | undefined): text is HiddenPhase {
  return text === 'new' || text === 'whole' || text === 'old' || text === 'gone';
}

/** The hidden siblings of an output, newest first; none where its folder cannot be listed. */
export async function hiddenSiblings(target: string): Promise<HiddenSibling[]> {
  const folder = dirname(target);
  const names = await readdir(folder).catch(() => []);
  const found: { readonly sibling: HiddenSibling; readonly time: number }[] = [];
  for (const name of names) {
    const said = hiddenName(name);
    if (said?.of !== basename(target)) continue;
    const path = join(folder, name);
    const time = await timeOf(path);
    if (time !== undefined) found.push({ sibling: { ...said, path, maker: makerOf(name, time) }, time });
  }
  return found.sort((a, b) => b.time - a.time).map(({ sibling }) => sibling);
}

/** Whether the process is dead that made a hidden file, as far as its name and the file's time prove it. */
export async function isDeadLitter(path: string): Promise<boolean> {
  const time = await timeOf(path);
  return time !== undefined && makerOf(basename(path), time) === 'dead';
}

async function timeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

function makerOf(name: string, time: number): HiddenSibling['maker'] {
  const [, , , host, number = '', tag = ''] = NAME.exec(name) ?? [];
  if (host !== HOST) return 'unknown';
  // Since then the machine was started anew, and everybody has another number.
  if (time < Date.now() - uptime() * 1000) return 'dead';
  const pid = Number(number);
  if (pid === process.pid) return tags.has(tag) ? 'alive' : 'dead';
  return isRunning(pid) ? 'alive' : 'dead';
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
