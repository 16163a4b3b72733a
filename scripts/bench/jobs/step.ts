import { loadUNet } from '../../../src/node.ts';
import type { PredictOptions, UNet } from '../../../src/runtime/index.ts';
import { parseBackend } from '../backend-name.ts';
import { peakMemory, printReport } from '../report.ts';
import { stepInputs } from '../step-inputs.ts';

/**
 * Steps of a model in turns: patched at every timestep, then without pooling ("plain"), then, where `stock` is told, the
 * graph of stock ops as it was converted. The first turn warms up and is not counted, unless it is the only one.
 *
 * Reported: `<way>/<turn>/seconds` and `cpu` (seconds of CPU), `<way>/kv` and `tokens` (over all sites), `<way>/rss` (peak
 * so far, after the way's first run: the ways come in the order of the memory that they need).
 */
const [model = '', backend = 'native', height = '64', width = '64', turns = '3', steps = '999', stock = ''] =
  process.argv.slice(2);
const values: Record<string, number> = {};

const unet = await loadUNet(model, { backend: parseBackend(backend), slothful: true });
const inputs = stepInputs(unet, Number(height), Number(width));
values['loaded/rss'] = peakMemory();
const timesteps = steps.split(',').map(Number);
const ways: [string, number, UNet, PredictOptions][] = [
  ...timesteps.map((timestep): [string, number, UNet, PredictOptions] => [`t${timestep}`, timestep, unet, {}]),
  ['plain', timesteps[0] ?? 999, unet, { slothful: false }],
];
for (let turn = 0; turn < Math.max(1, Number(turns)); turn++) {
  for (const way of ways) await measure(turn, ...way);
  if (stock && turn === 0) ways.push(['stock', timesteps[0] ?? 999, await loadUNet(model, { backend: 'current' }), {}]);
}
printReport(values);

async function measure(turn: number, way: string, timestep: number, on: UNet, options: PredictOptions): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { out_sample, sites } = on.predict({ ...inputs, timestep }, options);
  const data = await out_sample.data();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  out_sample.dispose();
  if (!Number.isFinite(data[0])) throw new Error(`${way} gave ${data[0]}`);
  process.stderr.write(`${way} turn ${turn}: ${seconds.toFixed(2)} s\n`);
  values[`${way}/${turn}/seconds`] = seconds;
  values[`${way}/${turn}/cpu`] = (user + system) / 1e6;
  values[`${way}/rss`] ??= peakMemory();
  values[`${way}/kv`] = sites.reduce((sum, { kvTokens }) => sum + kvTokens, 0);
  values[`${way}/tokens`] = sites.reduce((sum, { tokens }) => sum + tokens, 0);
}
