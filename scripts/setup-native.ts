/** `npm run setup:native`: the native backend on the TensorFlow of today. `--help` says more. */
import { messageOf } from '../src/errors.ts';
import { type Checked, describeResult, gpuRemark } from './native/check-result.ts';
import { HELP, parseOptions, type SetupOptions } from './native/options.ts';
import { MissingTools, setupNative } from './native/setup.ts';

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function report({ result, log }: Checked, { gpu, json, verbose }: SetupOptions): void {
  if (verbose && log) say(log.trim());
  if (gpu && result.device === 'CPU') {
    const remark = gpuRemark(log);
    say(`TensorFlow sees no GPU: it computes on the CPU${remark ? ` (it said: ${remark})` : ''}`);
  }
  process.stdout.write(`${json ? JSON.stringify(result, null, 2) : describeResult(result)}\n`);
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else report(await setupNative(process.cwd(), options, say), options);
}

try {
  await main();
} catch (error) {
  const lines = error instanceof MissingTools ? error.missing.map(messageOf) : [messageOf(error)];
  for (const line of lines) say(`setup:native: ${line}`);
  if (process.argv.includes('--verbose') && error instanceof Error) say(error.stack ?? '');
  process.exitCode = 1;
}
