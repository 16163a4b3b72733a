import { convertCheckpoint } from '../../../converters/index.ts';
import { printReport } from '../report.ts';

const [checkpoint = '', out = '', lora] = process.argv.slice(2);
const start = performance.now();
const { bytes } = await convertCheckpoint(checkpoint, out, lora ? { lora: [{ file: lora, scale: 1 }] } : {});
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage();
printReport({ seconds, bytes, cpuSeconds: (user + system) / 1e6 });
