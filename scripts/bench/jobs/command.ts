import { readFileSync } from 'node:fs';
import { runCli } from '../../../src/cli/cli.ts';
import { printReport } from '../report.ts';

/** Bytes that this process has read so far by system calls; 0 where the system does not tell. */
function bytesRead(): number {
  try {
    return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Runs one command line of the toolkit as its users do, and reports what it read. Its answer is passed over. */
const before = bytesRead();
const start = performance.now();
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true;
const code = await runCli(process.argv.slice(2));
process.stdout.write = write;
if (code === 0) printReport({ seconds: (performance.now() - start) / 1000, bytesRead: bytesRead() - before });
process.exitCode = code;
