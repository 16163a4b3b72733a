import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { basename, join } from 'node:path';

/**
 * A file system that breaks at a call that was chosen: what a kill, a full disk and a read-only one leave behind, on every
 * machine and at every call that changes something.
 *
 * - `before`, `half`, `after`: the process is dead from there on; `half` of the call is done, where a call has halves
 * - `ENOSPC`: the disk is full from there on; half of what was being written is there
 * - `EROFS`: nothing can be changed from there on
 */
export type Break = 'before' | 'half' | 'after' | 'ENOSPC' | 'EROFS';

/** A call that changes something. */
export interface FsCall {
  readonly name: string;
  /** Names of the files, without what differs from run to run. */
  readonly on: string;
  readonly hasHalves: boolean;
  readonly takesSpace: boolean;
}

export interface BrokenFs {
  readonly calls: FsCall[];
  /** Fulfilled when the process would be dead, and what the kernel was doing for it is done. */
  readonly dead: Promise<void>;
  /** Runs what shall meet the break. */
  during<T>(action: () => T): T;
  /** All of this process meets it. */
  wholeProcess(): void;
}

type Call = (...args: unknown[]) => unknown;

const require = createRequire(import.meta.url);
const fs: Record<string, Call> = require('node:fs');
const promises: Record<string, Call> = require('node:fs/promises');
const plain = { fs: { ...fs }, promises: { ...promises } };

const ASYNC = ['rename', 'link', 'unlink', 'rm', 'rmdir', 'mkdir', 'writeFile', 'appendFile', 'copyFile', 'symlink'];
const SYNC = ['openSync', 'writeSync'];
const WITH_HALVES: ReadonlySet<string> = new Set(['rm', 'writeFile', 'appendFile', 'copyFile', 'writeSync']);
const TAKE_SPACE: ReadonlySet<string> = new Set([
  ...['link', 'mkdir', 'writeFile', 'appendFile', 'copyFile', 'symlink', 'openSync', 'writeSync'],
]);

/** Half of a call, by its name. */
const HALVES: Readonly<Record<string, (args: unknown[]) => void>> = {
  rm: ([path]) => removeOne(String(path)),
  writeFile: ([path, content]) => plain.fs.writeFileSync?.(path, halfOf(content)),
  appendFile: ([path, content]) => plain.fs.appendFileSync?.(path, halfOf(content)),
  copyFile([from, to]) {
    plain.fs.writeFileSync?.(to, halfOf(plain.fs.readFileSync?.(from)));
  },
  writeSync: ([file, bytes, offset, length]) =>
    plain.fs.writeSync?.(file, bytes, offset, Math.floor(Number(length) / 2)),
};

function halfOf(content: unknown): unknown {
  if (typeof content === 'string') return content.slice(0, content.length >> 1);
  return content instanceof Uint8Array ? content.subarray(0, content.length >> 1) : content;
}

/** What removing a folder has done when it is stopped: a file is gone. */
function removeOne(path: string): void {
  const names = plain.fs.readdirSync?.(path, { recursive: true });
  for (const name of Array.isArray(names) ? names : []) {
    const file = join(path, String(name));
    const entry = plain.fs.statSync?.(file);
    if (!entry || typeof entry !== 'object' || !('isFile' in entry) || typeof entry.isFile !== 'function') continue;
    if (entry.isFile()) return void plain.fs.unlinkSync?.(file);
  }
}

/** What became of a case: a process that dies, or a disk that refuses. */
interface Case {
  readonly under: string;
  readonly at: number;
  readonly how: Break;
  readonly calls: FsCall[];
  readonly opened: Set<unknown>;
  /** What the kernel was doing when the kill came. */
  readonly underway: Set<Promise<unknown>>;
  isDead: boolean;
  kill(): void;
}

/** Whose calls are broken: those of what runs in here, and whatever it left behind. */
const running = new AsyncLocalStorage<Case>();
let everywhere: Case | undefined;

/**
 * Breaks the file system below a folder, for what runs in `during`.
 *
 * What is dead stays dead: code that was waiting when the kill came never changes anything again, however late it goes on.
 *
 * @param at number of the call at which it breaks; Infinity: it only counts
 * @param die what a kill does; by default no call that changes something ever returns again
 */
export function breakFs(under: string, at: number, how: Break, die: () => void = () => undefined): BrokenFs {
  let declare: () => void = () => undefined;
  const dead = new Promise<void>((resolve) => {
    declare = resolve;
  });
  const own: Case = {
    ...{ under, at, how, calls: [], opened: new Set(), underway: new Set(), isDead: false },
    kill() {
      own.isDead = true;
      die();
      declare();
    },
  };
  install();
  return {
    calls: own.calls,
    dead: dead.then(async () => {
      await Promise.allSettled(own.underway);
    }),
    during: (action) => running.run(own, action),
    wholeProcess() {
      everywhere = own;
    },
  };
}

/** What becomes of a call: `go`, `last` (killed after it), `stop` (killed), or the code of its failure. */
function decide(own: Case, name: string, args: unknown[]): 'go' | 'last' | 'stop' | 'ENOSPC' | 'EROFS' {
  if (own.isDead) return 'stop';
  const { at, how, calls } = own;
  const index = calls.length;
  const [hasHalves, takesSpace] = [WITH_HALVES.has(name), TAKE_SPACE.has(name)];
  calls.push({ name, on: namesOf(name, args), hasHalves, takesSpace });
  if (index < at) return 'go';
  if (how === 'EROFS') return 'EROFS';
  const half = HALVES[name];
  if (how === 'ENOSPC') {
    if (index === at && takesSpace) half?.(args);
    return takesSpace ? 'ENOSPC' : 'go';
  }
  if (how === 'after') return 'last';
  if (how === 'half') half?.(args);
  own.kill();
  return 'stop';
}

let isInstalled = false;

/** Puts the calls in the place of Node's, once: whose case a call belongs to is told when it is made. */
function install(): void {
  if (isInstalled) return;
  isInstalled = true;
  for (const name of ASYNC) promises[name] = asyncCall(name, plain.promises[name] ?? missing);
  for (const name of SYNC) fs[name] = syncCall(name, plain.fs[name] ?? missing);
  syncBuiltinESMExports();
}

const concerns = ({ under }: Case, args: unknown[]) =>
  args.some((arg) => typeof arg === 'string' && arg.startsWith(under));

function asyncCall(name: string, original: Call): Call {
  return async (...args) => {
    const own = running.getStore() ?? everywhere;
    if (!own || !concerns(own, args)) return original(...args);
    const what = decide(own, name, args);
    if (what === 'stop') return new Promise(() => undefined);
    if (what === 'ENOSPC' || what === 'EROFS') throw failure(what, name);
    const done = Promise.resolve(original(...args));
    own.underway.add(done);
    const result = await done.finally(() => own.underway.delete(done));
    if (what === 'last') own.kill();
    // A dead process learns of nothing.
    return own.isDead ? new Promise(() => undefined) : result;
  };
}

function syncCall(name: string, original: Call): Call {
  return (...args) => {
    const own = running.getStore() ?? everywhere;
    const isOurs =
      own && (name === 'writeSync' ? own.opened.has(args[0]) : concerns(own, args) && /^[wa]/.test(String(args[1])));
    if (!own || !isOurs) return original(...args);
    const what = decide(own, name, args);
    // A call that returns at once cannot wait for ever: what it throws ends in one that can.
    if (what === 'stop') throw failure('EIO', name);
    if (what === 'ENOSPC' || what === 'EROFS') throw failure(what, name);
    const result = original(...args);
    if (name === 'openSync') own.opened.add(result);
    if (what === 'last') own.kill();
    return result;
  };
}

const missing: Call = () => {
  throw new Error('this Node has no such call');
};

/** Of what is renamed or copied both names; what is written is no name. */
function namesOf(call: string, [first, second]: unknown[]): string {
  const paths = call.startsWith('write') || call.startsWith('append') ? [first] : [first, second];
  return paths.flatMap((path) => (typeof path === 'string' ? [nameOf(path)] : [])).join(' ');
}

function nameOf(path: string): string {
  return basename(path).replace(/-[0-9a-f]{8}-\d+-[0-9a-z]+$/, '');
}

function failure(code: string, call: string): Error {
  return Object.assign(new Error(`${code}: ${call}`), { code });
}
