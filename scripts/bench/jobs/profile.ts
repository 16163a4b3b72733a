import * as tf from '@tensorflow/tfjs-core';
import { inferShapes } from '../../../src/graph/index.ts';
import { readModel } from '../../../src/models/node.ts';
import { loadUNet } from '../../../src/node.ts';
import { graphFlops, resolveSize } from '../../../src/reports/index.ts';
import type { Prediction } from '../../../src/runtime/index.ts';
import { clockStep, PARTS, type StepClock } from '../clock-step.ts';
import { printReport } from '../report.ts';
import { stepInputs } from '../step-inputs.ts';

/**
 * Steps of a patched model on the native backend in turns, without pooling ("plain") and patched at t = 999, each as it is
 * and with clocks in it. A turn before the first one warms up and is not reported.
 *
 * Reported: `<way>/<turn>/seconds`, and of the clocked step `clocked` (seconds of all of it), `products`,
 * `<site>/<part>`, `<site>/flops`, `<site>/kv` and `<site>/tokens`; `flops` of a step as converted, where all are known;
 * `product/flops`, those of a large matrix product in a second. Nothing on a GPU, whose kernels are not done when they
 * return.
 */
const [model = '', height = '64', width = '64', turns = '1'] = process.argv.slice(2);
const TIMESTEP = 999;
const WAYS = ['t999', 'plain'] as const;
type Way = (typeof WAYS)[number];
const values: Record<string, number> = {};

const unet = await loadUNet(model, { backend: 'native', slothful: true });
const inputs = { ...stepInputs(unet, Number(height), Number(width)), timestep: TIMESTEP };
if (unet.backend.device === 'CPU') await measureAll();
printReport(values);

async function measureAll(): Promise<void> {
  const flops = await stepFlops();
  if (flops !== undefined) values.flops = flops;
  for (const way of WAYS) await stepSeconds(() => predict(way));
  for (let turn = 0; turn < Math.max(1, Number(turns)); turn++) {
    for (const way of WAYS) await measure(way, turn);
  }
  values['product/flops'] = productRate();
}

function predict(way: Way): Prediction {
  return unet.predict(inputs, way === 'plain' ? { slothful: false } : {});
}

async function measure(way: Way, turn: number): Promise<void> {
  const place = `${way}/${turn}`;
  values[`${place}/seconds`] = await stepSeconds(() => predict(way));
  values[`${place}/clocked`] = await stepSeconds(() => {
    const clock = clockStep(() => predict(way));
    tell(place, clock);
    return clock.result;
  });
}

function tell(place: string, { result, sites, products }: StepClock<Prediction>): void {
  values[`${place}/products`] = products;
  for (const [site, { seconds, flops }] of sites.entries()) {
    for (const part of PARTS) values[`${place}/${site}/${part}`] = seconds[part];
    values[`${place}/${site}/flops`] = flops;
  }
  for (const [site, { kvTokens, tokens }] of result.sites.entries()) {
    values[`${place}/${site}/kv`] = kvTokens;
    values[`${place}/${site}/tokens`] = tokens;
  }
}

/** Seconds of a step, to the data of its output. */
async function stepSeconds(step: () => Prediction): Promise<number> {
  const start = performance.now();
  const { out_sample } = step();
  const data = await out_sample.data();
  const seconds = (performance.now() - start) / 1000;
  out_sample.dispose();
  if (!Number.isFinite(data[0])) throw new Error(`a step gave ${data[0]}`);
  process.stderr.write(`a step: ${seconds.toFixed(2)} s\n`);
  return seconds;
}

/** FLOPs of the products and convolutions of a step as converted; undefined where those of any node are not known. */
async function stepFlops(): Promise<number | undefined> {
  const { graph } = await readModel(model);
  const { inputShapes } = resolveSize(graph, { rows: Number(height), columns: Number(width) });
  const { stock, unknown } = graphFlops(graph, inferShapes(graph, inputShapes));
  return unknown.length ? undefined : stock;
}

/** FLOPs in a second of a matrix product that is as fast as the machine can be: the best of a few. */
function productRate(): number {
  const size = 2048;
  const [a, b] = [tf.randomNormal([size, size]), tf.randomNormal([size, size])];
  const rates = Array.from({ length: 8 }, () => {
    const start = performance.now();
    tf.matMul(a, b).dispose();
    return (2 * size ** 3 * 1000) / (performance.now() - start);
  });
  tf.dispose([a, b]);
  return Math.max(...rates);
}
