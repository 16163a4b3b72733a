import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SlothfulError } from '../../src/errors.ts';
import { type JobReport, parseReport } from './report.ts';

/** A finished job: its own report, and the seconds that the process took from its start to its end. */
export interface JobResult extends JobReport {
  readonly seconds: number;
}

const TAIL = 600;

/**
 * Runs `jobs/<name>.ts` in a process of its own, so that peak memory is its own and no run warms another one; compiled, as
 * users have the toolkit: a TypeScript loader takes memory too, in every thread.
 *
 * @throws SlothfulError `bug` where it fails, with the end of what it said
 */
export async function runJob(name: string, args: readonly (string | number)[]): Promise<JobResult> {
  const script = fileURLToPath(new URL(`../../.bench/scripts/bench/jobs/${name}.js`, import.meta.url));
  const start = performance.now();
  const child = spawn(process.execPath, [script, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-TAIL);
  });
  const how = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const seconds = (performance.now() - start) / 1000;
  const report = parseReport(stdout);
  if (report) return { ...report, seconds };
  throw new SlothfulError('bug', `bench job ${name} ${args.join(' ')}`, `ended without a report (${how}): ${stderr}`);
}
