import { type Endpoint, endpoint, type GraphNode, readInts, readString } from '../../graph/index.ts';
import { type Context, readsShape } from '../matching/context.ts';
import { findFlattened } from './flatten.ts';
import { skipSource } from './skips.ts';

/** What is known of a tensor from all that lies upstream of it. */
export interface Place {
  /** log2 of the strides passed since the first convolution, less the upsamplings; undefined before it. */
  readonly depth: number | undefined;
  /** Position in the order of execution of the last op upstream that mixes neighbouring pixels; 0 where none does. */
  readonly stage: number;
  /** The rank-4 tensor whose pixels are the tokens. */
  readonly grid: Endpoint | undefined;
  /** Whether a skip connection was joined in upstream. */
  readonly afterSkip: boolean;
}

/** The lie of the land: every node's place, and where skip connections start. */
export interface Terrain {
  readonly places: ReadonlyMap<string, Place>;
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

const NOWHERE: Place = { depth: undefined, stage: 0, grid: undefined, afterSkip: false };

/** Surveys a graph in one pass along the order of execution. */
export function survey(context: Context): Terrain {
  const places = new Map<string, Place>();
  const position = new Map(context.order.map((node, index) => [node.name, index + 1] as const));
  const joints = new Map<string, readonly Endpoint[]>();
  for (const node of context.order) {
    const place = placeOf(context, node, places, position);
    const skips = node.op.startsWith('Concat') ? skipSource(context, node, { places, position }) : [];
    if (skips.length) joints.set(node.name, skips);
    places.set(node.name, skips.length ? { ...place, afterSkip: true } : place);
  }
  const skips = [...joints.values()].flat();
  const feedsSkip = skips.length ? upstreamOf(context, skips, joints) : upstreamOfSeveral(context);
  return { places, position, joints, feedsSkip, sample: sampleSize(context, places) };
}

function placeOf(
  context: Context,
  node: GraphNode,
  places: ReadonlyMap<string, Place>,
  position: ReadonlyMap<string, number>,
): Place {
  if (node.op === 'Const' || readsShape(node)) return NOWHERE;
  const place = joinPlaces(node.inputs.map((input) => places.get(input.node) ?? NOWHERE));
  const change = spatialChange(context, node);
  if (change !== undefined) {
    return { ...place, depth: (place.depth ?? 0) + change, stage: position.get(node.name) ?? 0, grid: undefined };
  }
  if (node.op !== 'Reshape') return place;
  const found = findFlattened(context, node, place.grid);
  return found === 'keep' ? place : { ...place, grid: found };
}

function joinPlaces(places: readonly Place[]): Place {
  const depths = places.map(({ depth }) => depth).filter((depth) => depth !== undefined);
  return {
    depth: depths.length ? Math.min(...depths) : undefined,
    stage: Math.max(0, ...places.map(({ stage }) => stage)),
    grid: places.find(({ grid }) => grid)?.grid,
    afterSkip: places.some(({ afterSkip }) => afterSkip),
  };
}

function isImage(context: Context, node: GraphNode): boolean {
  return context.shapes.dims(endpoint(node.name))?.length === 4;
}

/** How an op changes log2 of the scale where it mixes pixels; undefined where every pixel stays by itself. */
function spatialChange(context: Context, node: GraphNode): number | undefined {
  const stride = Math.max(1, ...readInts(node.attributes, 'strides'));
  if (/^(Conv2D|_FusedConv2D|DepthwiseConv2d(Native)?|FusedDepthwiseConv2dNative)$/.test(node.op)) {
    const kernel = node.inputs[1] && context.shapes.dims(node.inputs[1]);
    const isPointwise = kernel?.[0] === 1 && kernel[1] === 1 && stride === 1;
    return isPointwise ? undefined : Math.log2(stride);
  }
  if (node.op === 'AvgPool' || node.op === 'MaxPool') return Math.log2(stride);
  if (node.op === 'Conv2DBackpropInput') return -Math.log2(stride);
  if (node.op.startsWith('Resize')) return -1;
  if (node.op === 'DepthToSpace') return -Math.log2(Number(node.attributes.block_size?.i ?? 1));
  return undefined;
}

/** Everything upstream of `sources`, but for what lies behind a joint. Shapes are not followed. */
function upstreamOf(context: Context, sources: readonly Endpoint[], joints: ReadonlyMap<string, unknown>): Set<string> {
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
function upstreamOfSeveral(context: Context): Set<string> {
  const outputs = context.order.filter(({ name }) => context.isOutput(name));
  const counts = new Map<string, number>();
  for (const { name } of outputs.length > 1 ? outputs : []) {
    for (const found of upstreamOf(context, [endpoint(name)], new Map()))
      counts.set(found, (counts.get(found) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => count > 1).map(([name]) => name));
}

/** The image that enters: of the convolutions with none before them the smallest, for hints come in full size. */
function sampleSize(context: Context, places: ReadonlyMap<string, Place>): Terrain['sample'] {
  const entries = context.order
    .filter((node) => /^(Conv2D|_FusedConv2D)$/.test(node.op) && readString(node.attributes, 'data_format') !== 'NCHW')
    .map((node) => node.inputs[0])
    .filter((input) => input !== undefined && (places.get(input.node)?.stage ?? 0) === 0);
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
