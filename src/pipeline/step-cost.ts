import { ATTENTION_OP, cutLogits } from '../attention/index.ts';
import { type Backend, backendOf } from '../backends/index.ts';
import { endpoint, executionOrder, type Graph, inferShapes, type ShapeTable, sizeOf } from '../graph/index.ts';
import { graphFlops, type InspectReport, inspectGraph, type RunSize, resolveSize } from '../reports/index.ts';

/** What one evaluation of a UNet takes. */
export interface StepCost {
  /** As asked, completed by the model's own. */
  readonly size: RunSize;
  /** Most bytes of tensors that are held at once, weights aside: the least that any backend needs. */
  readonly heldBytes: number;
  /** Of all matrix products and convolutions, before any pooling. */
  readonly flops: number;
}

const BYTES = 4;

/** These give the values of their first input another shape: no bytes of their own. */
const ALIASES: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'ExpandDims', 'Squeeze', 'StopGradient']);

/**
 * Estimates an evaluation from the document: no weights are read. What cannot be told counts as nothing.
 *
 * @param tfjsName the backend by TF.js's name, for how it cuts the logits of attention nodes
 * @throws SlothfulError `bad-input` for a size that the graph cannot have
 */
export function stepCost(graph: Graph, asked: Partial<RunSize>, tfjsName: string): StepCost {
  const { size, inputShapes } = resolveSize(graph, asked);
  const shapes = inferShapes(graph, inputShapes);
  // What attentions cost is in the stock ops, but for nodes: only those need to be found.
  const report = [...graph.nodes].some(({ op }) => op === ATTENTION_OP) ? inspectGraph(graph, { size }) : undefined;
  const inside = report ? insideAttentions(report, size.batch, backendOf(tfjsName)) : new Map<string, number>();
  const flops = report?.totals.flops ?? graphFlops(graph, shapes).stock;
  return { size, heldBytes: heldBytes(graph, shapes, inside), flops };
}

/** Bytes of what attention nodes hold beside inputs and output: projections, logits and their softmax. */
function insideAttentions(report: InspectReport, batch: number, backend: Backend): ReadonlyMap<string, number> {
  const bytesOf = ({ channels, heads, tokens, kv_tokens: keys }: InspectReport['sites'][number]) => {
    if (heads === null || tokens === null || keys === null) return 0;
    const shape = { heads: heads * batch, queries: tokens, keys };
    const { logitsBytes } = cutLogits(shape, backend.strategy, backend.logitsLimit);
    return 2 * logitsBytes + BYTES * batch * channels * (tokens + 2 * keys);
  };
  return new Map(report.sites.filter(({ patched }) => patched).map((site) => [site.node, bytesOf(site)] as const));
}

/** Follows the tensors through the graph as TF.js makes and frees them. */
function heldBytes(graph: Graph, shapes: ShapeTable, inside: ReadonlyMap<string, number>): number {
  const { order } = executionOrder(graph);
  const owner = new Map<string, string>();
  const ownerOf = (name: string) => owner.get(name) ?? name;
  for (const { name, op, inputs } of order) {
    const [source] = inputs;
    if (source && ALIASES.has(op)) owner.set(name, ownerOf(source.node));
  }
  const lastReader = new Map(order.flatMap(({ name, inputs }) => inputs.map((each) => [ownerOf(each.node), name])));
  const bytesOf = (name: string) => BYTES * sizeOf(shapes.shape(endpoint(name)) ?? [0]);
  let held = 0;
  let peak = 0;
  for (const { name, op, inputs } of order) {
    if (op !== 'Const' && !owner.has(name)) held += bytesOf(name);
    peak = Math.max(peak, held + (inside.get(name) ?? 0));
    for (const source of new Set(inputs.map((each) => ownerOf(each.node)))) {
      if (lastReader.get(source) === name && graph.node(source)?.op !== 'Const') held -= bytesOf(source);
    }
  }
  return peak;
}
