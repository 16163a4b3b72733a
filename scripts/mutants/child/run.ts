/**
 * Runs test files in this process, for one order after the other: until a test fails, or all pass. Compiled with the rest
 * of the copy. What an order runs has names of its own, so that nothing of it is left of the order before.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { takeSuites } from './suite.ts';

/** What the process is asked to do, as a line of JSON. */
export interface Order {
  readonly tests: readonly string[];
  /** The process ends itself when it has taken as long. */
  readonly cpuSeconds: number;
}

/** What it says on file descriptor 3 when it is done, as a line of JSON. */
export interface Verdict {
  /** The file whose test failed; none where all passed. */
  readonly failed?: string | undefined;
  readonly test?: string | undefined;
  readonly error?: string | undefined;
  readonly passed: number;
  readonly cpuSeconds: number;
}

/** A thread of its own sees a loop without an end, which nothing in this one can leave. */
const WATCH = `
  const { parentPort } = require('node:worker_threads');
  const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
  let limit = Infinity;
  parentPort.on('message', (more) => { limit = seconds() + more; });
  setInterval(() => { if (seconds() > limit) process.kill(process.pid, 'SIGKILL'); }, 500);
`;
const watch = new Worker(WATCH, { eval: true });
watch.unref();

type Failure = Pick<Verdict, 'failed' | 'test' | 'error'>;

let passed = 0;
let now = { file: '', test: '' };
/** Ends the order from outside of its tests: what nobody caught. */
let giveUp: (error: unknown) => void = () => undefined;
process.on('uncaughtException', (error) => giveUp(error));
process.on('unhandledRejection', (error) => giveUp(error));

async function runFile(file: string): Promise<void> {
  now = { file, test: 'the file' };
  await import(pathToFileURL(file).href);
  for (const { name, tests, before, after, beforeEach, afterEach } of takeSuites()) {
    const context = {};
    try {
      for (const handler of before) await handler(context);
      for (const { name: title, handler } of tests) {
        now = { file, test: `${name} ${title}` };
        for (const each of beforeEach) await each(context);
        await handler(context);
        for (const each of afterEach) await each(context);
        passed++;
      }
    } finally {
      for (const handler of after) await handler(context);
    }
  }
}

async function runFiles(files: readonly string[]): Promise<Failure> {
  const failure = (error: unknown) => ({ failed: now.file, test: now.test, error: String(error).slice(0, 500) });
  try {
    const uncaught = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    const all = async () => {
      for (const file of files) await runFile(file);
    };
    await Promise.race([all(), uncaught]);
    return {};
  } catch (error) {
    return failure(error);
  } finally {
    giveUp = () => undefined;
    takeSuites();
  }
}

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line);
  watch.postMessage(order.cpuSeconds);
  passed = 0;
  const began = cpuSeconds();
  const failure = await runFiles(order.tests);
  watch.postMessage(Number.POSITIVE_INFINITY);
  writeSync(3, `${JSON.stringify({ ...failure, passed, cpuSeconds: cpuSeconds() - began })}\n`);
}
process.exit(0);
