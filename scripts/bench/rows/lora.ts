import { rm } from 'node:fs/promises';
import { checkpointOf, loraOf } from '../cache.ts';
import { type Finding, ratioFinding } from '../finding.ts';
import { MEGABYTE, type Row } from '../row.ts';
import { runConvert } from '../run-convert.ts';
import type { JobResult } from '../run-job.ts';
import { minimum, ratioOf } from '../statistics.ts';

const RANK = 64;
const MOST = 1.3;

/** Converting a checkpoint with a LoRA over all its transformers, against converting it alone, in turns. */
export const loraRow: Row = {
  name: 'lora',
  describe: `convert with a LoRA of rank ${RANK}, against the same without: time, memory`,
  fullSize: true,
  async run({ families, quick, log }) {
    const findings: Finding[] = [];
    for (const family of families) {
      const { path } = await checkpointOf(family, log);
      const lora = await loraOf(family, RANK);
      const [plain, fused]: [JobResult[], JobResult[]] = [[], []];
      for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
        log(`lora ${family}, turn ${turn + 1}`);
        plain.push(await runConvert(family, path));
        fused.push(await runConvert(family, path, lora));
      }
      await rm(lora);
      findings.push(timeFinding(family, fused, plain), memoryFinding(family, fused, plain));
    }
    return findings;
  },
};

function timeFinding(family: string, fused: readonly JobResult[], plain: readonly JobResult[]): Finding {
  const seconds = (each: JobResult) => each.values.seconds ?? Number.NaN;
  const cpu = (each: JobResult) => each.values.cpuSeconds ?? Number.NaN;
  const details = {
    s: minimum(fused.map(seconds)),
    'against s': minimum(plain.map(seconds)),
    'CPU s': minimum(fused.map(cpu)),
    'against CPU s': minimum(plain.map(cpu)),
  };
  return ratioFinding('lora', `${family}: time`, ratioOf(fused.map(seconds), plain.map(seconds)), details, MOST);
}

function memoryFinding(family: string, fused: readonly JobResult[], plain: readonly JobResult[]): Finding {
  const megabytes = ({ rss }: JobResult) => rss / MEGABYTE;
  const [one, other] = [fused.map(megabytes), plain.map(megabytes)];
  const details = { MB: minimum(one), 'against MB': minimum(other) };
  return ratioFinding('lora', `${family}: peak memory`, ratioOf(one, other), details, MOST);
}
