import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../../src/errors.ts';
import { SlothfulAttention } from '../../src/kernels/index.ts';

/**
 * What a self-attention spends its time on: the projection of its queries, those of its keys and values, the logits, their
 * softmax, its product with the values, and all else in its node (pooling, the copies that part and join heads).
 */
export const PARTS = ['query', 'keysValues', 'logits', 'softmax', 'product', 'other'] as const;
export type Part = (typeof PARTS)[number];

/** One self-attention in one step. */
export interface SiteClock {
  readonly seconds: Readonly<Record<Part, number>>;
  /** FLOPs of all its products but the projection of the queries, two for each multiply-add. */
  readonly flops: number;
}

/** One step. */
export interface StepClock<T> {
  readonly result: T;
  /** By row of the control table. */
  readonly sites: readonly SiteClock[];
  /** Seconds of all matrix products and convolutions outside of the self-attentions. */
  readonly products: number;
}

const PRODUCTS = /conv2d|matmul|einsum/i;
const PROJECTIONS = 3;

/**
 * Runs a step and times what its self-attentions do, and its products. For backends whose kernels are done when they
 * return: `native` on a CPU, and `cpu`. While it runs it stands in for the layer's `call` and for kernels of TF.js.
 *
 * @param run works synchronously
 */
export function clockStep<T>(run: () => T): StepClock<T> {
  const clock = new Clock();
  const kernels = tf.getKernelsForBackend(tf.getBackend()).map(({ kernelName }) => kernelName);
  const undo = [
    replaceCall((call, site) => clock.node(site, call)),
    replaceKernel('Softmax', (kernel) => (params) => clock.softmax(() => kernel(params))),
    ...kernels
      .filter((name) => PRODUCTS.test(name))
      .map((name) => replaceKernel(name, (kernel) => (params) => clock.product(params, () => kernel(params)))),
  ];
  try {
    return { result: run(), sites: clock.sites, products: clock.products };
  } finally {
    for (const restore of undo) restore();
  }
}

type KernelParams = Parameters<tf.KernelFunc>[0];

class Clock {
  readonly sites: SiteClock[] = [];
  products = 0;
  private current: NodeClock | undefined;
  /** Some kernels run others: only the outer one counts. */
  private inProduct = false;

  node(site: number, call: () => tf.Tensor): tf.Tensor {
    const node = new NodeClock();
    this.current = node;
    const output = node.run('other', call);
    this.current = undefined;
    this.sites[site] = node.close();
    return output;
  }

  softmax<T>(kernel: () => T): T {
    return this.current ? this.current.run('softmax', kernel) : kernel();
  }

  product<T>(params: KernelParams, kernel: () => T): T {
    if (this.current) return this.current.product(params, kernel);
    if (this.inProduct) return kernel();
    this.inProduct = true;
    const { result, seconds } = timed(kernel);
    this.inProduct = false;
    this.products += seconds;
    return result;
  }
}

/** Times one run of one node. */
class NodeClock implements SiteClock {
  readonly seconds = { query: 0, keysValues: 0, logits: 0, softmax: 0, product: 0, other: 0 };
  flops = 0;
  private projections = 0;

  run<T>(part: Part, work: () => T): T {
    const { result, seconds } = timed(work);
    this.seconds[part] += seconds;
    return result;
  }

  /** Projections are 2-D products: of the queries, the keys, the values. Keys are transposed where logits are made. */
  product<T>(params: KernelParams, kernel: () => T): T {
    const transposed = params.attrs?.transposeB === true;
    const isProjection = params.inputs.a?.shape.length === 2;
    if (isProjection) this.projections++;
    if (isProjection && this.projections === 1) return this.run('query', kernel);
    this.flops += productFlops(params, transposed);
    return this.run(isProjection ? 'keysValues' : transposed ? 'logits' : 'product', kernel);
  }

  /** The whole node was timed as `other`: takes the parts out of it. */
  close(): SiteClock {
    const { query, keysValues, logits, softmax, product } = this.seconds;
    this.seconds.other -= query + keysValues + logits + softmax + product;
    if (this.projections === PROJECTIONS) return this;
    const problem = `a self-attention has ${PROJECTIONS} projections, ${this.projections} were seen`;
    throw new SlothfulError('bug', 'bench profile', problem);
  }
}

function timed<T>(work: () => T): { readonly result: T; readonly seconds: number } {
  const start = performance.now();
  const result = work();
  return { result, seconds: (performance.now() - start) / 1000 };
}

function productFlops({ inputs: { a, b } }: KernelParams, transposed: boolean): number {
  return 2 * tf.util.sizeFromShape(a?.shape ?? []) * (b?.shape.at(transposed ? -2 : -1) ?? 0);
}

/** Stands in for the layer's `call`, of self-attentions alone. @returns what takes it back */
function replaceCall(around: (call: () => tf.Tensor, site: number) => tf.Tensor): () => void {
  const { prototype } = SlothfulAttention;
  const { call } = prototype;
  prototype.call = function (inputs) {
    const run = () => call.call(this, inputs);
    return this.attributes.cross ? run() : around(run, this.attributes.site);
  };
  return () => {
    prototype.call = call;
  };
}

/** Stands in for a kernel of the running backend. @returns what takes it back */
function replaceKernel(name: string, around: (kernel: tf.KernelFunc) => tf.KernelFunc): () => void {
  const config = tf.getKernel(name, tf.getBackend());
  const put = (kernelFunc: tf.KernelFunc) => {
    tf.unregisterKernel(name, config.backendName);
    tf.registerKernel({ ...config, kernelFunc });
  };
  put(around(config.kernelFunc));
  return () => put(config.kernelFunc);
}
