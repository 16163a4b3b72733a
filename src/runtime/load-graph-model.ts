import { GraphModel } from '@tensorflow/tfjs-converter';
import { io, type NamedTensorMap } from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { type Graph, isObject } from '../graph/index.ts';

/**
 * A TF.js model of a document and its weights. The tensors become the model's, which disposes of them.
 *
 * TF.js's own loaders hold every weight up to three times while they decode it; here the tensors are made before (see
 * `loadWeights`), and the model is given them in the place of its decoder. The signature is left out: nodes are fed and
 * read by their own names.
 */
export function graphModelOf(graph: Graph, weights: NamedTensorMap): GraphModel<io.IOHandlerSync> {
  const { modelTopology } = graph.toJson();
  const artifacts: io.ModelArtifacts = { modelTopology: isObject(modelTopology) ? modelTopology : {} };
  const model = new GraphModel<io.IOHandlerSync>(
    { load: () => artifacts },
    {},
    { ...io, decodeWeights: () => weights },
  );
  model.load();
  return model;
}

/** Refuses models that fill hash tables before they run. @throws SlothfulError `unsupported` */
export function refuseInitializer(graph: Graph, place: string): void {
  const initializer = graph.extras.modelInitializer;
  if (isObject(initializer) && Array.isArray(initializer.node) && initializer.node.length) {
    throw new SlothfulError('unsupported', place, 'has an initializer (hash tables), which no UNet needs');
  }
}
