/** Runs test files in this process, one after the other, until a test fails. Compiled with the rest of the copy. */
import { writeSync } from 'node:fs';
import { takeSuites } from './suite.ts';

/** What the process says on file descriptor 3 when it ends. */
export interface Verdict {
  /** The file whose test failed; none where all passed. */
  readonly failed?: string | undefined;
  readonly test?: string | undefined;
  readonly error?: string | undefined;
  readonly passed: number;
  readonly cpuSeconds: number;
}

let passed = 0;
let now = { file: '', test: '' };

function end(verdict: Partial<Verdict>): never {
  const { user, system } = process.cpuUsage();
  writeSync(3, JSON.stringify({ ...verdict, passed, cpuSeconds: (user + system) / 1e6 }));
  process.exit(0);
}

function fail(error: unknown): never {
  end({ failed: now.file, test: now.test, error: String(error).slice(0, 500) });
}

async function runFile(file: string): Promise<void> {
  now = { file, test: '' };
  await import(file);
  const suites = takeSuites();
  for (const { name, tests, before, after, beforeEach, afterEach } of suites) {
    const context = {};
    for (const handler of before) await handler(context);
    for (const { name: title, handler } of tests) {
      now = { file, test: `${name} ${title}` };
      for (const each of beforeEach) await each(context);
      await handler(context);
      for (const each of afterEach) await each(context);
      passed++;
    }
    for (const handler of after) await handler(context);
  }
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
try {
  for (const file of process.argv.slice(2)) await runFile(file);
} catch (error) {
  fail(error);
}
end({});
