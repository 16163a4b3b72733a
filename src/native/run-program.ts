import { spawn } from 'node:child_process';
import { SlothfulError } from '../errors.ts';
import { systemCode } from '../models/index.ts';

export interface ProgramResult {
  /** Exit status; 127 where the program is not there, 128 and the signal's name in `stderr` where one killed it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Told what the program prints on stdout, as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a program to its end and keeps what it printed. A program that is not there is a status, not an error. */
export function runProgram(
  command: string,
  args: readonly string[],
  { cwd, env, onOutput }: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      onOutput?.(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => {
      const code = systemCode(error);
      if (code === 'ENOENT' || code === 'EACCES') resolve({ status: 127, stdout, stderr: `${command}: not found` });
      else reject(error);
    });
    child.on('close', (status, signal) => {
      resolve({ status: status ?? 128, stdout, stderr: signal ? `${stderr}\nkilled by ${signal}` : stderr });
    });
  });
}

/** Runs a program that must succeed; a failure names the line of its output that says most. */
export async function mustRun(
  command: string,
  args: readonly string[],
  failure: { readonly place: string; readonly cure: string },
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const result = await runProgram(command, args, options);
  if (result.status === 0) return result;
  const line = tellingLine(result.stderr) ?? tellingLine(result.stdout) ?? `exit status ${result.status}`;
  throw new SlothfulError('backend', failure.place, line, failure.cure);
}

/** Of a program's messages the first that speaks of an error, else the last. */
export function tellingLine(output: string): string | undefined {
  const lines = output.split('\n').map((line) => line.trim());
  const said = lines.filter((line) => line && !/^(npm )?(warn|notice)/i.test(line));
  return said.find((line) => /\berror\b/i.test(line) && !/^npm error code/i.test(line)) ?? said.at(-1);
}
