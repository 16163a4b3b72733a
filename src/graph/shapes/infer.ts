import { SlothfulError } from '../../errors.ts';
import { readShape } from '../attributes.ts';
import type { GraphNode, GraphView } from '../document.ts';
import { shapeRuleOf } from '../ops.ts';
import { executionOrder } from '../traverse.ts';
import { type AbstractTensor, isConcrete, NOTHING } from './abstract.ts';
import { type Deduced, deduceConstants } from './deduce.ts';
import { ShapeTable } from './table.ts';

/** Shapes of placeholders by name. */
export type InputShapes = Readonly<Record<string, readonly number[]>>;

/**
 * The shape of every output of every node for given input shapes, without running anything.
 *
 * Values of small integer tensors are followed, so that reshapes to computed shapes resolve. What cannot be known
 * (an op without a rule, a constant whose values the document does not hold) is left unknown with a reason; ranks and
 * single sizes are kept where they are known.
 *
 * @param inputShapes shapes of placeholders; one that is not given has its declared shape, with unknown sizes
 * @param order the nodes in the order of execution, for callers who have it
 * @throws SlothfulError `bad-input` where a name is not a placeholder or a shape contradicts the declared one
 */
export function inferShapes(
  graph: GraphView,
  inputShapes: InputShapes = {},
  order: readonly GraphNode[] = executionOrder(graph).order,
): ShapeTable {
  checkInputs(graph, inputShapes);
  const found = new Map<string, readonly AbstractTensor[]>();
  const deduced = deduceConstants(graph, order);
  for (const node of order) {
    const known = node.op === 'Const' ? [constant(graph, node, deduced)] : undefined;
    found.set(node.name, known ?? inferNode(node, inputShapes, found));
  }
  return new ShapeTable(found);
}

function checkInputs(graph: GraphView, inputShapes: InputShapes): void {
  for (const [name, shape] of Object.entries(inputShapes)) {
    const node = graph.node(name);
    if (!node?.op.startsWith('Placeholder')) {
      throw new SlothfulError('bad-input', `input "${name}"`, 'is not an input of the graph');
    }
    const declared = readShape(node.attributes, 'shape');
    if (!declared?.length) continue;
    const fits = declared.length === shape.length && declared.every((size, axis) => size < 0 || size === shape[axis]);
    if (!fits) {
      throw new SlothfulError('bad-input', `input "${name}"`, `takes [${declared}] (-1: any), not [${shape}]`);
    }
  }
}

function inferNode(
  node: GraphNode,
  inputShapes: InputShapes,
  found: ReadonlyMap<string, readonly AbstractTensor[]>,
): readonly AbstractTensor[] {
  const given = Object.hasOwn(inputShapes, node.name) ? inputShapes[node.name] : undefined;
  if (given) return [{ dims: given }];
  const inputs = node.inputs.map(({ node: name, output }) => found.get(name)?.[output] ?? NOTHING);
  const rule = shapeRuleOf(node.op);
  if (!rule) return [{ dims: undefined, reason: `"${node.name}" is a ${node.op}, for which there is no shape rule` }];
  const result = rule({ node, attributes: node.attributes, inputs }) ?? NOTHING;
  const outputs = isList(result) ? result : [result];
  return outputs.map((output) => explain(output, node, inputs));
}

function isList(result: AbstractTensor | readonly AbstractTensor[]): result is readonly AbstractTensor[] {
  return Array.isArray(result);
}

function constant(graph: GraphView, node: GraphNode, deduced: Deduced): AbstractTensor {
  const value = graph.constant(node.name);
  const dims = graph.weight(node.name)?.shape ?? value?.shape;
  if (!dims) return { dims: undefined, reason: `"${node.name}" is a Const that is not in the weights manifest` };
  const values = value?.values ?? deduced.get(node.name);
  if (values) return { dims, values };
  return { dims, reason: `the values of the constant "${node.name}" are not in the document` };
}

/** Says why an output is not wholly known: the reason of the first input that has one, or the node itself. */
function explain(output: AbstractTensor, node: GraphNode, inputs: readonly AbstractTensor[]): AbstractTensor {
  if (output.dims && isConcrete(output.dims) && (output.values === undefined || isConcrete(output.values))) {
    return { dims: output.dims, values: output.values };
  }
  if (output.reason) return { ...output, reason: `"${node.name}": ${output.reason}` };
  const ignorant = inputs.find((input) => !input.dims || !isConcrete(input.dims));
  const cause = ignorant ?? inputs.find((input) => input.reason !== undefined && !input.values);
  const own = node.op.startsWith('Placeholder')
    ? `the input "${node.name}" takes any size`
    : `"${node.name}" (${node.op}) has inputs that do not fit`;
  return { ...output, reason: cause?.reason ?? own };
}
