import {
  type Endpoint,
  executionOrder,
  type Graph,
  type GraphNode,
  inferShapes,
  outputNodes,
  type ShapeCall,
  type ShapeTable,
} from '../../graph/index.ts';
import { OTHER_PROBE, probeShapes } from '../probe.ts';

/** A graph with what the locator asks about it again and again, each computed once. */
export class Context {
  readonly graph: Graph;
  /** Nodes in the order of execution. */
  readonly order: readonly GraphNode[];
  /** Shapes at the probe size. */
  readonly shapes: ShapeTable;
  private readonly outputs: ReadonlySet<string>;
  private readonly constants: ReadonlySet<string>;
  private readonly shapeMath: ReadonlySet<string>;
  private other: ShapeTable | undefined;

  constructor(graph: Graph) {
    this.graph = graph;
    this.order = executionOrder(graph).order;
    this.shapes = inferShapes(graph, probeShapes(graph), this.order);
    this.outputs = new Set(outputNodes(graph));
    this.constants = nodesMadeOf(this.order, ({ op }) => op === 'Const');
    this.shapeMath = nodesMadeOf(this.order, (node) => node.op === 'Const' || readsShape(node));
  }

  /** Whether the node is an output of the model. */
  isOutput(name: string): boolean {
    return this.outputs.has(name);
  }

  /** Whether an endpoint depends on constants only: a weight, or something computed from weights. */
  isConstant({ node }: Endpoint): boolean {
    return this.constants.has(node);
  }

  /** Whether an endpoint depends on constants and shapes only. */
  isShapeMath({ node }: Endpoint): boolean {
    return this.shapeMath.has(node);
  }

  /** Shapes at another size of the inputs. */
  get otherShapes(): ShapeTable {
    this.other ??= inferShapes(this.graph, probeShapes(this.graph, OTHER_PROBE), this.order);
    return this.other;
  }

  /** A node as a shape function sees it. */
  callOf(node: GraphNode): ShapeCall {
    const inputs = node.inputs.map((input) => {
      return { dims: this.shapes.dims(input), values: this.shapes.partialValues(input) };
    });
    return { node, attributes: node.attributes, inputs };
  }

  /** The node of an endpoint; undefined where the edge dangles. */
  producer(of: Endpoint): GraphNode | undefined {
    return this.graph.node(of.node);
  }
}

/** The number of dimensions of an endpoint, where it is known. */
export function rankOf(context: Context, of: Endpoint): number | undefined {
  return context.shapes.dims(of)?.length;
}

/** Whether a node reads nothing of its input but the shape. */
export function readsShape(node: GraphNode): boolean {
  return /^(Shape|ShapeN|Size|Rank)$/.test(node.op);
}

/** The nodes that are computed from `sources` and nothing else. */
function nodesMadeOf(order: readonly GraphNode[], isSource: (node: GraphNode) => boolean): Set<string> {
  const made = new Set<string>();
  for (const node of order) {
    const { name, op, inputs } = node;
    const isOpen = inputs.length === 0 || /^(Placeholder|Random|Truncated)/.test(op);
    if (isSource(node) || (!isOpen && inputs.every((input) => made.has(input.node)))) made.add(name);
  }
  return made;
}

/** Why a piece of a graph is not what was looked for, and where. A value, not an exception: most softmaxes have one. */
export interface Problem {
  readonly problem: string;
  readonly node: string;
}

export function problem(node: string, text: string): Problem {
  return { problem: text, node };
}

export function isProblem(value: object | undefined): value is Problem {
  return value !== undefined && 'problem' in value;
}
