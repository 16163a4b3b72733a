/**
 * Runs the test files one process each and adds up what uvu counted. A file that counts no test fails: that is how a
 * forgotten `test.run()` is found.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

interface Tally {
  passed: number;
  failed: number;
}

const root = fileURLToPath(new URL('.', import.meta.url));
const { values: options, positionals: patterns } = parseArgs({
  allowPositionals: true,
  // Which backend the golden UNets run on, wasm by default; and whether what is tried in part is tried as a whole.
  options: { backend: { type: 'string' }, all: { type: 'boolean', default: false } },
});

/** These need what not every machine has: a Chromium, a package registry and pip. `npm run test:browser`, `test:package`. */
const ON_DEMAND = ['browser', 'package'];

function testFiles(): string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.test.ts')).sort();
  if (patterns.length) return files.filter((name) => patterns.some((pattern) => name.includes(pattern)));
  return files.filter((name) => !ON_DEMAND.includes(dirname(name)));
}

function count(output: string, label: string): number {
  const found = [...output.matchAll(new RegExp(`${label}:\\s+(\\d+)`, 'g'))].at(-1);
  return Number(found?.[1] ?? 0);
}

const environment = {
  FORCE_COLOR: '0',
  NO_COLOR: '1',
  ...(options.backend === undefined ? {} : { SLOTHFUL_BACKEND: options.backend }),
  ...(options.all ? { SLOTHFUL_ALL: '1' } : {}),
};

function runFile(name: string): Promise<Tally> {
  const path = join(root, name);
  const began = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', path], {
      env: { ...process.env, ...environment },
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('close', (code) => {
      const seconds = Math.round((performance.now() - began) / 1000);
      const passed = count(output, 'Passed');
      const total = count(output, 'Total');
      const broken = code !== 0 || total === 0;
      const failed = broken ? Math.max(1, total - passed) : total - passed;
      if (failed) process.stdout.write(`${output}\n${total === 0 ? 'no test ran\n' : ''}`);
      process.stdout.write(`${failed ? 'FAIL' : 'ok  '} ${name}: ${passed} passed, ${failed} failed, ${seconds} s\n`);
      resolve({ passed, failed });
    });
  });
}

const sum: Tally = { passed: 0, failed: 0 };
const waiting = testFiles();

/** Takes files until none is left. */
async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const tally = await runFile(name);
    sum.passed += tally.passed;
    sum.failed += tally.failed;
  }
}

await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
console.log(`\n${sum.passed} passed, ${sum.failed} failed`);
if (sum.failed || sum.passed === 0) process.exitCode = 1;
