import { type Endpoint, endpoint, type Graph, type GraphNode, readString, sameEndpoint } from '../../graph/index.ts';
import { Context, readsShape } from '../matching/context.ts';
import { findFlattened, skipSource, spatialChange } from './landmarks.ts';

/** What is known of a tensor from all that lies upstream of it. */
export interface Upstream {
  /** log2 of the strides passed since the first convolution, less the upsamplings; undefined before it. */
  readonly depth: number | undefined;
  /** Position in the order of execution of the last op upstream that mixes neighbouring pixels; 0 where none does. */
  readonly stage: number;
  /** The rank-4 tensor whose pixels are the tokens. */
  readonly grid: Endpoint | undefined;
  /** Whether a skip connection was joined in upstream. */
  readonly afterSkip: boolean;
}

/** The lie of the land: what is upstream of every node, and where skip connections start. */
export interface Terrain {
  readonly upstream: ReadonlyMap<string, Upstream>;
  readonly position: ReadonlyMap<string, number>;
  /** Nodes that join a skip connection in, with what they join in, in the order of execution. */
  readonly joints: ReadonlyMap<string, readonly Endpoint[]>;
  /**
   * Nodes that feed a skip connection without passing another; in a graph without any, which may be the half of a UNet
   * that a ControlNet is, those that feed more than one output.
   */
  readonly feedsSkip: ReadonlySet<string>;
  /** Rows and columns of the image that enters; undefined where they are not known. */
  readonly sample: readonly [rows: number, columns: number] | undefined;
}

const NOWHERE: Upstream = { depth: undefined, stage: 0, grid: undefined, afterSkip: false };

/** Surveys a graph in one pass along the order of execution. */
export function terrainOf(context: Context): Terrain {
  const upstream = new Map<string, Upstream>();
  const position = new Map(context.order.map((node, index) => [node.name, index + 1] as const));
  const joints = new Map<string, readonly Endpoint[]>();
  const stageOf = (name: string) => upstream.get(name)?.stage ?? 0;
  for (const node of context.order) {
    const known = upstreamAt(context, node, upstream, position);
    const skips = node.op.startsWith('Concat') ? skipSource(context, node, { stageOf, position }) : [];
    if (skips.length) joints.set(node.name, skips);
    upstream.set(node.name, skips.length ? { ...known, afterSkip: true } : known);
  }
  const skips = [...joints.values()].flat();
  const feedsSkip = skips.length ? allUpstreamOf(context, skips, joints) : allUpstreamOfSeveral(context);
  return { upstream, position, joints, feedsSkip, sample: sampleSize(context, upstream) };
}

function upstreamAt(
  context: Context,
  node: GraphNode,
  upstream: ReadonlyMap<string, Upstream>,
  position: ReadonlyMap<string, number>,
): Upstream {
  if (node.op === 'Const' || readsShape(node)) return NOWHERE;
  const known = joinUpstream(node.inputs.map((input) => upstream.get(input.node) ?? NOWHERE));
  const change = spatialChange(context, node);
  if (change !== undefined) {
    return { ...known, depth: (known.depth ?? 0) + change, stage: position.get(node.name) ?? 0, grid: undefined };
  }
  if (node.op !== 'Reshape') return known;
  const found = findFlattened(context, node, known.grid);
  return found === 'keep' ? known : { ...known, grid: found };
}

function joinUpstream(each: readonly Upstream[]): Upstream {
  const depths = each.map(({ depth }) => depth).filter((depth) => depth !== undefined);
  return {
    depth: depths.length ? Math.min(...depths) : undefined,
    stage: Math.max(0, ...each.map(({ stage }) => stage)),
    grid: each.find(({ grid }) => grid)?.grid,
    afterSkip: each.some(({ afterSkip }) => afterSkip),
  };
}

function isImage(context: Context, node: GraphNode): boolean {
  return context.shapes.dims(endpoint(node.name))?.length === 4;
}

/** Everything upstream of `sources`, but for what lies behind a joint. Shapes are not followed. */
function allUpstreamOf(
  context: Context,
  sources: readonly Endpoint[],
  joints: ReadonlyMap<string, unknown>,
): Set<string> {
  const found = new Set<string>();
  const queue = sources.map(({ node }) => node);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = context.graph.node(name);
    if (!node || found.has(name) || joints.has(name) || readsShape(node)) continue;
    found.add(name);
    queue.push(...node.inputs.map((input) => input.node));
  }
  return found;
}

/** Everything upstream of two outputs or more: in half a UNet all but the middle block. */
function allUpstreamOfSeveral(context: Context): Set<string> {
  const outputs = context.order.filter(({ name }) => context.isOutput(name));
  const counts = new Map<string, number>();
  for (const { name } of outputs.length > 1 ? outputs : []) {
    for (const found of allUpstreamOf(context, [endpoint(name)], new Map()))
      counts.set(found, (counts.get(found) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => count > 1).map(([name]) => name));
}

/** The image that enters: of the convolutions with none before them the smallest, for hints come in full size. */
function sampleSize(context: Context, upstream: ReadonlyMap<string, Upstream>): Terrain['sample'] {
  const entries = context.order
    .filter((node) => /^(Conv2D|_FusedConv2D)$/.test(node.op) && readString(node.attributes, 'data_format') !== 'NCHW')
    .map((node) => node.inputs[0])
    .filter((input) => input !== undefined && (upstream.get(input.node)?.stage ?? 0) === 0);
  const images = context.order
    .filter((node) => node.op.startsWith('Placeholder') && isImage(context, node))
    .map((node) => endpoint(node.name));
  const sizes = (entries.length ? entries : images)
    .map((of) => of && context.shapes.dims(of))
    .map((dims): readonly [number, number] | undefined =>
      dims?.length === 4 && dims[1] && dims[2] ? [dims[1], dims[2]] : undefined,
    )
    .filter((size) => size !== undefined);
  return sizes.toSorted((a, b) => a[0] * a[1] - b[0] * b[1])[0];
}

/** A known where a feature map of the way down joins the way up. */
export interface SkipConnection {
  /** The concatenation. */
  readonly joint: string;
  /** What comes from the way down. */
  readonly skip: Endpoint;
  /** What comes from below. */
  readonly main: Endpoint;
  /** Channels of both; undefined where they are not known. */
  readonly channels: { readonly skip: number | undefined; readonly main: number | undefined };
}

/** Finds the skip connections of a UNet by its structure, in the order of execution: the deepest first. */
export function findSkips(graph: Graph): SkipConnection[] {
  const context = new Context(graph);
  const channelsOf = (of: Endpoint) => context.shapes.dims(of)?.at(-1);
  return [...terrainOf(context).joints].flatMap(([joint, [skip, ...others]]) => {
    const inputs = graph.node(joint)?.inputs ?? [];
    const main = inputs.find((input) => skip && !sameEndpoint(input, skip) && !context.isConstant(input));
    if (!skip || !main || others.length) return [];
    return [{ joint, skip, main, channels: { skip: channelsOf(skip), main: channelsOf(main) } }];
  });
}
