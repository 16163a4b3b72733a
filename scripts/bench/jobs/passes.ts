import { loadUNet } from '../../../src/node.ts';
import { deepCache } from '../../../src/passes/index.ts';
import { type PredictOptions, RunMemory } from '../../../src/runtime/index.ts';
import { defaultConfig, makeScheduler } from '../../../src/sampling/index.ts';
import { parseBackend } from '../backend-name.ts';
import { printReport } from '../report.ts';
import { stepInputs } from '../step-inputs.ts';

/**
 * The steps of a run, each in every way before the next: without passes, with Slothful Attention, with DeepCache, with both. One
 * full evaluation in each way warms up and is not counted.
 *
 * Reported: `<way>/<step>/seconds` and `cpu` (seconds of CPU).
 */
const [model = '', backend = 'native', side = '64', steps = '20', interval = '3'] = process.argv.slice(2);
const values: Record<string, number> = {};

const passes = [deepCache({ interval: Number(interval) })];
const unet = await loadUNet(model, { backend: parseBackend(backend), slothful: true, passes });
const inputs = stepInputs(unet, Number(side), Number(side));
const { timesteps } = makeScheduler(defaultConfig('ddim'), Number(steps));
const off = { in_strength: 0, out_strength: 0 };
const ways: Readonly<Record<string, PredictOptions>> = {
  plain: { slothful: false },
  slothful: { passes: { deepcache: false } },
  deepcache: { parameters: off, memory: new RunMemory() },
  both: { memory: new RunMemory() },
};
for (const { memory: _, ...options } of Object.values(ways)) await evaluate(timesteps[0] ?? 999, options);
for (const [step, timestep] of timesteps.entries()) {
  for (const [way, options] of Object.entries(ways)) {
    const { seconds, cpu } = await evaluate(timestep, options);
    process.stderr.write(`${way} step ${step}: ${seconds.toFixed(2)} s\n`);
    values[`${way}/${step}/seconds`] = seconds;
    values[`${way}/${step}/cpu`] = cpu;
  }
}
printReport(values);

async function evaluate(timestep: number, options: PredictOptions) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { out_sample } = unet.predict({ ...inputs, timestep }, options);
  const data = await out_sample.data();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  out_sample.dispose();
  if (!Number.isFinite(data[0])) throw new Error(`the model gave ${data[0]}`);
  return { seconds, cpu: (user + system) / 1e6 };
}
