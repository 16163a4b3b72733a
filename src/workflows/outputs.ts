import { SlothfulError } from '../errors.ts';
import { OUTPUTS, SAMPLERS } from './classes.ts';
import { type FlatGraph, type FlatNode, nameOf } from './flat.ts';
import { mutedOn, wayTo } from './way.ts';

/** A node that a workflow is run for, with all that it is computed from. */
export interface Output {
  readonly node: FlatNode;
  readonly way: readonly FlatNode[];
}

/**
 * The output that a workflow is run for: of several the one that needs the samplers of all others, as it is the last. One
 * that needs a muted node does not run in ComfyUI either.
 *
 * @param asked the id of the one that the user has chosen
 * @throws SlothfulError `bad-input` where there is none or two have nothing to do with each other, `usage` for a wrong choice
 */
export function chooseOutput(graph: FlatGraph, asked: string | undefined): Output {
  const nodes = [...graph.nodes.values()].filter(({ classType }) => OUTPUTS.includes(classType));
  if (asked !== undefined) return askedOutput(graph, nodes, asked);
  const all = nodes.map((node) => ({ node, way: wayTo(graph, node) }));
  const running = all.filter(({ way }) => mutedOn(way) === undefined);
  if (!running.length) throw noOutput(graph, all);
  const last = lastOf(running);
  if (last) return last;
  const names = running.map(({ node }) => nameOf(node)).join(', ');
  const problem = `has outputs that do not depend on each other: ${names}`;
  throw new SlothfulError('bad-input', graph.place, problem, 'choose one with --output ID');
}

function askedOutput(graph: FlatGraph, nodes: readonly FlatNode[], asked: string): Output {
  const node = nodes.find(({ id }) => id === asked);
  if (!node) {
    const cure = nodes.length ? `there are ${nodes.map(nameOf).join(', ')}` : undefined;
    throw new SlothfulError('usage', graph.place, `has no SaveImage or PreviewImage ${asked} that runs`, cure);
  }
  const way = wayTo(graph, node);
  const muted = mutedOn(way);
  if (muted === undefined) return { node, way };
  throw new SlothfulError('usage', graph.place, `${nameOf(node)} does not run: ${muted}`, 'choose another output');
}

function noOutput({ place }: FlatGraph, all: readonly Output[]): SlothfulError {
  if (!all.length) {
    const problem = 'has no SaveImage or PreviewImage that runs';
    return new SlothfulError('bad-input', place, problem, 'add one, or un-mute the one it has');
  }
  const reasons = all.map(({ node, way }) => `${nameOf(node)}: ${mutedOn(way)}`).join('; ');
  return new SlothfulError('bad-input', place, `has no output that runs: ${reasons}`, 'un-mute what it needs');
}

/** Of outputs of one picture a saved one is taken before a preview, then the first of the file. */
function lastOf(outputs: readonly Output[]): Output | undefined {
  const samplers = outputs.map(({ way }) => {
    return new Set(way.filter(({ classType }) => SAMPLERS.includes(classType)).map(({ id }) => id));
  });
  const most = Math.max(...samplers.map(({ size }) => size));
  const largest = outputs.filter((_, index) => samplers[index]?.size === most);
  const [first] = largest;
  const all = new Set(samplers.flatMap((each) => [...each]));
  if (!first || all.size > most || largest.some(({ node }) => pictureOf(node) !== pictureOf(first.node)))
    return undefined;
  return largest.find(({ node }) => node.classType === OUTPUTS[0]) ?? first;
}

function pictureOf({ inputs }: FlatNode): string {
  const images = inputs.get('images');
  return images?.kind === 'link' ? `${images.node} ${images.slot}` : '';
}
