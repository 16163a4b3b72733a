import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../src/cli/cli.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the command line as a user does, in a process of its own. */
export function slothful(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
      ...options,
    });
    const result: CliResult = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      result.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      result.stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...result, code }));
  });
}

/** The same in this process, which starts faster: for command lines that are refused before anything is computed. */
export async function slothfulHere(args: readonly string[]): Promise<CliResult> {
  const result: CliResult = { code: null, stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const before = streams.map((name) => process[name].write);
  const errorBefore = console.error;
  console.error = (line: unknown) => {
    result.stderr += `${line}\n`;
  };
  for (const name of streams) {
    process[name].write = (chunk: string | Uint8Array) => {
      result[name] += String(chunk);
      return true;
    };
  }
  try {
    result.code = await runCli(args);
  } finally {
    streams.forEach((name, index) => {
      process[name].write = before[index] ?? process[name].write;
    });
    console.error = errorBefore;
  }
  return result;
}
