import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlothfulError } from '../errors.ts';
import { type HiddenPhase, type HiddenSibling, hiddenSibling, hiddenSiblings } from './hidden-names.ts';
import { systemCode } from './io-error.ts';
import { kindOf, realTarget } from './real-path.ts';

/**
 * How a folder takes the place of another. Node cannot exchange two names at once, so the steps are renames whose names
 * say, whenever a kill comes, what is whole (`HiddenPhase`): the new folder becomes `whole`, the one that has the name
 * becomes `old`, the new one takes the name, the old one becomes `gone` and is removed. Whoever comes next, to read or
 * to write, completes what was begun: `settle`.
 */

/** Others that write under the same name at the same time are let by. */
const MOST_TRIES = 20;
/** Between two renames of a process that is at work. */
const MOST_WAIT_MS = 2000;
const POLL_MS = 20;

/**
 * Gives a filled folder its name. What had the name before is replaced as a whole, if `mayReplace` lets it.
 *
 * @param filled a hidden sibling of the target; it stays where it is when this fails
 * @param mayReplace throws where what is there must stay
 */
export async function putFolder(target: string, filled: string, mayReplace: () => Promise<void>): Promise<void> {
  if (await take(filled, target)) return;
  await mayReplace();
  const whole = inPhase(filled, target, 'whole');
  await rename(filled, whole);
  try {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      if (await exchange(target, whole)) return;
      await mayReplace();
    }
    throw new SlothfulError('io', target, 'is written by others all the time', 'give each command a name of its own');
  } catch (error) {
    // The caller has it as it was, to keep elsewhere or to remove.
    await rename(whole, filled).catch(() => undefined);
    throw error;
  }
}

/** Returns whether the new folder has the name; false where another process took it in between. */
async function exchange(target: string, whole: string): Promise<boolean> {
  const old = hiddenSibling(target, 'old');
  const isAside = await setAside(target, old);
  try {
    const isDone = await take(whole, target);
    if (isAside) await discardHidden(old, target);
    return isDone;
  } catch (error) {
    // The new one cannot take the name: the old one has it back.
    if (isAside) await rename(old, target).catch(() => undefined);
    throw error;
  }
}

/**
 * Renames a folder to a name that is free, or an empty folder's. Returns whether it has the name: false where another
 * folder has it. Where the folder is gone from its own name, another process has completed the exchange.
 */
async function take(from: string, target: string): Promise<boolean> {
  try {
    await rename(from, target);
    return true;
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code === 'ENOENT' && (await kindOf(from)) === undefined && (await kindOf(target))) return true;
    const isTaken = code === 'ENOTEMPTY' || code === 'EEXIST';
    // Windows says EPERM, of folders that are taken too.
    if (isTaken || (code === 'EPERM' && (await kindOf(target)) === 'folder')) return false;
    throw error;
  }
}

/** Returns false where nothing has the name any more: another process is between its renames. */
async function setAside(target: string, old: string): Promise<boolean> {
  try {
    await rename(target, old);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Removes a hidden folder, under a name that says so first: half of it is not to be taken for a whole one. */
export async function discardHidden(path: string, target: string): Promise<void> {
  const gone = inPhase(path, target, 'gone');
  const isRenamed = await rename(path, gone).then(
    () => true,
    () => false,
  );
  // What cannot be removed now is removed, or named, by the next command that comes here.
  await rm(isRenamed ? gone : path, { recursive: true, force: true }).catch(() => undefined);
}

function inPhase(path: string, target: string, phase: HiddenPhase): string {
  const start = `.${basename(target)}.`;
  const rest = basename(path).slice(start.length);
  return join(dirname(path), `${start}${rest.replace(/^[a-z]+/, phase)}`);
}

/**
 * Completes under a name what a killed command began, and removes what it left: what is there is read and written by
 * `settle` first. Each thing done is said in a line on stderr. A command that is at work is waited for, shortly.
 *
 * @param path of a file or folder, which need not be there; of what is missing, its highest missing folder is meant
 */
export async function settle(path: string): Promise<void> {
  const target = await realTarget(path).catch(() => undefined);
  if (target === undefined) return;
  const name = await highestMissing(target);
  let siblings = await hiddenSiblings(name);
  if (!siblings.length) return;
  if ((await kindOf(name)) === undefined) {
    await restore(name);
    siblings = await hiddenSiblings(name);
  }
  for (const sibling of siblings) await clear(name, sibling);
}

async function highestMissing(target: string): Promise<string> {
  const parent = dirname(resolve(target));
  return parent === target || (await kindOf(parent)) ? target : highestMissing(parent);
}

/** Gives the name to the whole folder that has the best right to it: the new one, else the old one. */
async function restore(target: string): Promise<void> {
  const deadline = Date.now() + MOST_WAIT_MS;
  for (;;) {
    const siblings = await hiddenSiblings(target);
    const chosen = siblings.find(({ phase }) => phase === 'whole') ?? siblings.find(({ phase }) => phase === 'old');
    if (!chosen || (await kindOf(target))) return;
    if (chosen.maker === 'alive' && Date.now() < deadline) {
      await sleep(POLL_MS);
      continue;
    }
    // Two may come here at once; the one that is late finds it done.
    if (!(await take(chosen.path, target).catch(() => false))) return;
    const what = chosen.phase === 'whole' ? 'the new one was complete and has the name now' : 'the old one is back';
    return tell(`${target}: a command was stopped while it replaced this; ${what}`);
  }
}

/** Removes what is provably of a process that is dead; names what may be of another. */
async function clear(target: string, { path, maker }: HiddenSibling): Promise<void> {
  if (maker === 'alive') return;
  const name = basename(path);
  if (maker === 'unknown') {
    return tell(`${target}: beside it is ${name}, of an earlier version or another machine; remove it if nothing runs`);
  }
  await discardHidden(path, target);
  const isLeft = (await kindOf(path)) ?? (await kindOf(inPhase(path, target, 'gone')));
  tell(`${target}: ${name}, which a stopped command left, ${isLeft ? 'cannot be removed' : 'was removed'}`);
}

function tell(line: string): void {
  console.error(`note: ${line}`);
}
