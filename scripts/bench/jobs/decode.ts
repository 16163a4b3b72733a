import * as tf from '@tensorflow/tfjs-core';
import { loadModel } from '../../../src/node.ts';
import { decodeLatents, type Tiling } from '../../../src/vae/index.ts';
import { parseBackend } from '../backend-name.ts';
import { peakMemory, printReport } from '../report.ts';

/**
 * Decodes random latents by a VAE in turns, in tiles ("tiled") and at once ("plain").
 *
 * Reported: `load` (seconds of loading), `<way>/<turn>/seconds` and `cpu` (seconds of CPU), `<way>/rss` (peak so far, after
 * the way's first run: tiles come first, which need less memory).
 */
const [decoder = '', backend = 'native', side = '64', tile = '32', turns = '1'] = process.argv.slice(2);
const WAYS: Readonly<Record<string, Tiling | undefined>> = { tiled: { tile: Number(tile) }, plain: undefined };
const LATENT_CHANNELS = 4;
const values: Record<string, number> = {};

const start = performance.now();
const model = await loadModel(decoder, { backend: parseBackend(backend) });
values.load = (performance.now() - start) / 1000;
const latents = await randomLatents();
for (let turn = 0; turn < Math.max(1, Number(turns)); turn++) {
  for (const [way, tiling] of Object.entries(WAYS)) await measure(turn, way, tiling);
}
printReport(values);

async function randomLatents() {
  const shape: [number, number, number, number] = [1, Number(side), Number(side), LATENT_CHANNELS];
  const tensor = tf.randomNormal(shape, 0, 1, 'float32', 1);
  const data = Float32Array.from(await tensor.data());
  tensor.dispose();
  return { shape, data };
}

async function measure(turn: number, way: string, tiling: Tiling | undefined): Promise<void> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await decodeLatents(model, latents, { tiling });
  const seconds = (performance.now() - begin) / 1000;
  process.stderr.write(`${way} turn ${turn}: ${seconds.toFixed(2)} s\n`);
  const { user, system } = process.cpuUsage(cpu);
  values[`${way}/${turn}/seconds`] = seconds;
  values[`${way}/${turn}/cpu`] = (user + system) / 1e6;
  values[`${way}/rss`] ??= peakMemory();
}
