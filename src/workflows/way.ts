import { SlothfulError } from '../errors.ts';
import { classOf, isWidget, type Socket, type Widget } from './classes.ts';
import { type FlatGraph, type FlatInput, type FlatNode, type FlatValue, nameOf } from './flat.ts';

/** What inputs of nodes that are not understood carry, by how people call them, where a file does not say it. */
const USUAL_NAMES: ReadonlyArray<readonly [pattern: RegExp, type: string]> = [
  [/^model/, 'MODEL'],
  [/^clip$/, 'CLIP'],
  [/^(positive|negative|conditioning)/, 'CONDITIONING'],
  [/^(samples|latent)/, 'LATENT'],
  [/^(image|images|pixels)$/, 'IMAGE'],
  [/^vae$/, 'VAE'],
];

/** A node on the way, and what it was asked for. */
interface Stop {
  readonly node: FlatNode;
  readonly type: string;
}

/** A stop with the stops before it that were not looked at yet. */
interface OpenStop extends Stop {
  readonly left: Stop[];
}

/**
 * The nodes that a node is computed from, those farthest back first, and itself. Behind one that is not understood the way
 * goes on by what it passes on, as if it were bypassed: what else it needs goes with it.
 *
 * @throws SlothfulError `bad-input` where nodes are linked in a circle
 */
export function wayTo(graph: FlatGraph, output: FlatNode): FlatNode[] {
  const keyOf = ({ node, type }: Stop) => (classOf(node.classType) ? node.id : `${node.id}\n${type}`);
  const seen = new Set<string>();
  const way = new Set<FlatNode>();
  const open: OpenStop[] = [{ node: output, type: '', left: stopsBefore(graph, { node: output, type: '' }) }];
  const isOpen = new Set<FlatNode>([output]);
  // By hand: a chain of ten thousand nodes would take more stack than there is.
  for (let last = open.at(-1); last; last = open.at(-1)) {
    const next = last.left.pop();
    if (!next) {
      way.add(last.node);
      isOpen.delete(last.node);
      open.pop();
      continue;
    }
    if (isOpen.has(next.node)) throw circle(graph, open, next.node);
    if (seen.has(keyOf(next))) continue;
    seen.add(keyOf(next));
    isOpen.add(next.node);
    open.push({ ...next, left: stopsBefore(graph, next) });
  }
  return [...way];
}

function circle({ place }: FlatGraph, open: readonly OpenStop[], node: FlatNode): SlothfulError {
  const names = open.slice(open.findIndex((stop) => stop.node === node)).map((stop) => nameOf(stop.node));
  const shown = names.length > 8 ? [...names.slice(0, 8), `${names.length - 8} more`] : names;
  return new SlothfulError(
    'bad-input',
    place,
    `nodes are linked in a circle: ${shown.join(', ')}`,
    'take one link away',
  );
}

function stopsBefore(graph: FlatGraph, { node, type }: Stop): Stop[] {
  return inputsThatCount(node, type).flatMap(([wanted, input]) => {
    const from = input?.kind === 'link' ? graph.nodes.get(input.node) : undefined;
    return from ? [{ node: from, type: wanted }] : [];
  });
}

/** Of a class that is understood the inputs that it has; of another those of the type that it was asked for. */
function inputsThatCount(
  { classType, inputs }: FlatNode,
  type: string,
): Array<readonly [type: string, FlatInput | undefined]> {
  const nodeClass = classOf(classType);
  if (nodeClass) return nodeClass.inputs.map((input) => [input.type, inputs.get(input.name)]);
  const typeOf = (name: string, input: FlatInput) =>
    (input.kind === 'link' ? input.type : undefined) ?? USUAL_NAMES.find(([pattern]) => pattern.test(name))?.[1];
  return [...inputs].filter(([name, input]) => typeOf(name, input) === type).map(([, input]) => [type, input] as const);
}

/** Why a way cannot be gone, where a muted node is on it; undefined where none is. */
export function mutedOn(way: readonly FlatNode[]): string | undefined {
  for (const node of way) {
    const declared: ReadonlyArray<Socket | Widget> = classOf(node.classType)?.inputs ?? [];
    for (const { name } of declared) {
      const input = node.inputs.get(name);
      if (input?.kind === 'gone') return `${nameOf(node)} ${input.because}`;
    }
  }
  return undefined;
}

/** A widget's value, behind the primitives that give it; undefined where none is. Only for ways without a circle. */
export function literalOf(graph: FlatGraph, node: FlatNode, name: string): FlatValue | undefined {
  let input = node.inputs.get(name);
  for (let steps = 0; input?.kind === 'link' && steps < graph.nodes.size; steps++) {
    const from = graph.nodes.get(input.node);
    if (!from || !isPrimitive(from)) return undefined;
    input = from.inputs.get('value');
  }
  return input?.kind === 'value' ? input : undefined;
}

/** Whether a node does no more than give its value. */
export function isPrimitive({ classType }: FlatNode): boolean {
  const [value] = classOf(classType)?.inputs ?? [];
  return value?.name === 'value' && isWidget(value);
}
