import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CliResult } from './cli.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const GIVE_UP_MS = 120_000;

/** Runs a command and presses Ctrl-C, as a terminal does it, as soon as `isDue` says so. */
export async function interrupted(
  args: readonly string[],
  isDue: (result: Readonly<CliResult>) => boolean,
): Promise<CliResult> {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), MAIN, ...args]);
  const result: CliResult = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    result.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    result.stderr += chunk;
  });
  let running = true;
  const closed = new Promise<void>((resolve) => {
    child.on('close', (code) => {
      result.code = code;
      running = false;
      resolve();
    });
  });
  for (let waited = 0; running && !isDue(result) && waited < GIVE_UP_MS; waited += 50) await sleep(50);
  child.kill('SIGINT');
  await closed;
  return result;
}
