import {
  type Endpoint,
  executionOrder,
  type Graph,
  type GraphNode,
  inferShapes,
  outputNodes,
  type ShapeTable,
} from '../graph/index.ts';
import { OTHER_PROBE, probeShapes } from './probe.ts';

/** A graph with what the locator asks about it again and again, each computed once. */
export class Context {
  readonly graph: Graph;
  /** Nodes in the order of execution. */
  readonly order: readonly GraphNode[];
  /** Shapes at the probe size. */
  readonly shapes: ShapeTable;
  private readonly outputs: ReadonlySet<string>;
  private readonly constants: ReadonlySet<string>;
  private other: ShapeTable | undefined;

  constructor(graph: Graph) {
    this.graph = graph;
    this.order = executionOrder(graph).order;
    this.shapes = inferShapes(graph, probeShapes(graph), this.order);
    this.outputs = new Set(outputNodes(graph));
    this.constants = constantNodes(this.order);
  }

  /** Whether the node is an output of the model. */
  isOutput(name: string): boolean {
    return this.outputs.has(name);
  }

  /** Whether an endpoint depends on constants only: a weight, or something computed from weights. */
  isConstant({ node }: Endpoint): boolean {
    return this.constants.has(node);
  }

  /** Shapes at another size of the inputs. */
  get otherShapes(): ShapeTable {
    this.other ??= inferShapes(this.graph, probeShapes(this.graph, OTHER_PROBE), this.order);
    return this.other;
  }

  /** The node of an endpoint; undefined where the edge dangles. */
  producer(of: Endpoint): GraphNode | undefined {
    return this.graph.node(of.node);
  }
}

function constantNodes(order: readonly GraphNode[]): Set<string> {
  const constants = new Set<string>();
  for (const { name, op, inputs } of order) {
    const isMade = op === 'Const' || (inputs.length > 0 && !/^(Placeholder|Random|Truncated)/.test(op));
    if (isMade && inputs.every((input) => constants.has(input.node))) constants.add(name);
  }
  return constants;
}
