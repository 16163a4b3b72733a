import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAMES, backendNameOf, backendsFor, scarceKernel } from '../backends/index.ts';
import { SlothfulError } from '../errors.ts';
import type { Graph, GraphNode } from '../graph/index.ts';
import type { Unfit } from './backend.ts';

/** Tells which backends lack a kernel that a graph needs, and which they lack, before any is loaded; none where all have all. */
export function lackingKernels(graph: Graph): Unfit {
  const ops = [...new Set([...graph.nodes].map(({ op }) => op))].filter((op) => scarceKernel(op) !== undefined);
  return (backend) => {
    const lacks = ops.filter((op) => !backendsFor(op).includes(backend));
    return lacks.length ? `it has no ${lacks.join(', ')}, which the model needs` : undefined;
  };
}

/**
 * Refuses a graph with an op for which the running backend has no kernel, before any weight is read. Composed kernels must
 * be registered by then.
 *
 * @throws SlothfulError `backend` naming the op and the backends that have it
 */
export function checkKernels(graph: Graph, place: string): void {
  const tfjsName = tf.getBackend();
  const missing = [...graph.nodes].filter(({ op }) => {
    const kernel = scarceKernel(op);
    return kernel !== undefined && !tf.getKernel(kernel, tfjsName);
  });
  if (missing[0]) throw noKernel(missing, place, backendNameOf(tfjsName) ?? tfjsName);
}

function noKernel(missing: readonly GraphNode[], place: string, running: string): SlothfulError {
  const ops = [...new Set(missing.map(({ op }) => op))];
  const able = BACKEND_NAMES.filter((name) => ops.every((op) => backendsFor(op).includes(name)));
  const first = `${missing.length > 1 ? 'of the first, ' : ''}node "${missing[0]?.name}"`;
  const problem = `needs ${ops.join(', ')} (${first}), which the ${running} backend does not have`;
  const cure = able.length
    ? `use ${able.map((name) => `--backend ${name}`).join(' or ')}`
    : 'no backend of TF.js has all of them';
  return new SlothfulError('backend', place, problem, cure);
}
