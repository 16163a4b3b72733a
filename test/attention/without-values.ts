import { Graph } from '../../src/graph/index.ts';

/** The document as other exporters leave it: every constant is in the manifest, and no values are inline. */
export function withoutValues(graph: Graph): Graph {
  const stored = graph.weightGroups.flatMap((group) => group.weights);
  const added = [...graph.addedConstants].map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
  const weightsManifest = [{ paths: ['all.bin'], weights: [...stored, ...added] }];
  const bare = Graph.parse(JSON.stringify({ ...graph.toJson(), weightsManifest }));
  for (const node of [...bare.nodes]) {
    if (node.op !== 'Const') continue;
    const { value: _, ...attributes } = node.attributes;
    bare.remove(node.name);
    bare.add({ name: node.name, op: 'Const', attributes });
  }
  return bare;
}
