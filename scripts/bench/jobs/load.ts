import { loadUNet } from '../../../src/node.ts';
import { parseBackend } from '../backend-name.ts';
import { peakMemory, printReport } from '../report.ts';

/** Loads a model as it is and reports the seconds that it took, the memory that the process has then, and its peak. */
const [model = '', backend = 'native'] = process.argv.slice(2);
const start = performance.now();
const unet = await loadUNet(model, { backend: parseBackend(backend) });
const seconds = (performance.now() - start) / 1000;
const now = process.memoryUsage().rss;
printReport({ seconds, now, peak: peakMemory() });
unet.dispose();
