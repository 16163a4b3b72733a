import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SlothfulError } from '../errors.ts';
import { phase } from './phase.ts';
import { runProgram } from './run-program.ts';

/** What the check of a backend found. */
export interface CheckResult {
  readonly device: 'CPU' | 'GPU';
  readonly deviceName: string;
  readonly tensorflow: string;
  /** Largest difference from the plain product, of sums below 48. */
  readonly maxError: number;
  /** fp32 products of 2048 x 2048 matrices. */
  readonly gflops: number;
}

/** A result, and what TensorFlow said on stderr while it started. */
export interface Checked {
  readonly result: CheckResult;
  readonly log: string;
}

/**
 * Runs the check in a process of its own: a library that crashes takes only that one down, and TensorFlow reads its
 * environment once.
 *
 * @throws FailedCheck with the reason where the backend does not work
 */
export async function runCheck(root: string): Promise<Checked> {
  const script = fileURLToPath(new URL(`./check${extname(import.meta.url)}`, import.meta.url));
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0' };
  const { status, stdout, stderr } = await phase('checking it: products of 2048 x 2048 matrices', () =>
    runProgram(process.execPath, [...process.execArgv, script], { cwd: root, env }),
  );
  const result = status === 0 ? parseResult(stdout) : undefined;
  if (result) return { result, log: stderr };
  const said = stderr.split('\n').filter((line) => line.trim());
  const reason = said.find((line) => line.startsWith('error: ')) ?? said.at(-1) ?? `exit status ${status}`;
  throw new FailedCheck(`does not work: ${reason.replace(/^error: /, '')}`);
}

/** The backend that was set up does not work. */
export class FailedCheck extends SlothfulError {
  constructor(problem: string) {
    super('backend', 'native backend', problem, 'leave the backend to the toolkit: it takes wasm');
  }
}

/** The result in the check's output; undefined where there is none. */
export function parseResult(stdout: string): CheckResult | undefined {
  let value: unknown;
  try {
    value = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const of = (name: string): unknown => Reflect.get(value, name);
  const [device, deviceName, tensorflow, maxError, gflops] = [
    of('device'),
    of('deviceName'),
    of('tensorflow'),
    of('maxError'),
    of('gflops'),
  ];
  if (device !== 'CPU' && device !== 'GPU') return undefined;
  if (typeof deviceName !== 'string' || typeof tensorflow !== 'string') return undefined;
  if (typeof maxError !== 'number' || typeof gflops !== 'number') return undefined;
  return { device, deviceName, tensorflow, maxError, gflops };
}

/** One line for people. */
export function describeResult({ device, deviceName, tensorflow, gflops }: CheckResult): string {
  return `native backend works: ${device} (${deviceName}), TensorFlow ${tensorflow}, ${gflops.toFixed(0)} GFLOPS`;
}

/** What TensorFlow said about GPUs, without its time stamps; undefined where it said nothing. */
export function gpuRemark(log: string): string | undefined {
  const line = log.split('\n').find((text) => /\b(cuda|gpu|libcu\w+)\b/i.test(text) && !/successfully/i.test(text));
  return line?.replace(/^[IWEF]\d{4}\s.*?\]\s*/, '').trim();
}
