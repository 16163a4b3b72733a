import type { Drawing, DrawnNode } from '../../reports/index.ts';

/** Where a node stands, or where an edge passes a layer: layers count from the top, columns from the middle. */
export interface Spot {
  readonly layer: number;
  readonly column: number;
}

/** A drawing with every node and every bend of an edge in its place. */
export interface PlacedDrawing {
  readonly nodes: ReadonlyMap<string, Spot>;
  /** One list of spots an edge, from its node to its node. */
  readonly paths: readonly (readonly Spot[])[];
}

/** A link between neighbouring layers; long edges are made of several. */
type Link = readonly [from: string, to: string];

const SWEEPS = 8;

/**
 * Lays a drawing out in layers: every node below all that it reads (weights right above their reader), edges that pass
 * layers through places of their own, the order within a layer by the mean place of the neighbours, a few times over.
 * Source: Sugiyama, Tagawa and Toda 1981.
 */
export function layOut({ nodes, edges }: Drawing): PlacedDrawing {
  const layerOf = layersOf(nodes, edges);
  const chains = edges.map(([from, to], index) => chainOf(from, to, index, layerOf));
  const layers = Array.from({ length: Math.max(0, ...layerOf.values()) + 1 }, (): string[] => []);
  for (const [name, layer] of layerOf) layers[layer]?.push(name);
  const links = chains.flatMap((chain) => chain.slice(1).map((to, index): Link => [chain[index] ?? to, to]));
  const columns = orderLayers(layers, links);
  const spot = (name: string): Spot => ({ layer: layerOf.get(name) ?? 0, column: columns.get(name) ?? 0 });
  return {
    nodes: new Map(nodes.map(({ name }) => [name, spot(name)])),
    paths: chains.map((chain) => chain.map(spot)),
  };
}

function layersOf(nodes: readonly DrawnNode[], edges: Drawing['edges']): Map<string, number> {
  const layer = new Map<string, number>(nodes.map(({ name }) => [name, 0]));
  for (let round = 0; round < nodes.length; round++) {
    let isSettled = true;
    for (const [from, to] of edges) {
      const least = (layer.get(from) ?? 0) + 1;
      if ((layer.get(to) ?? 0) >= least) continue;
      layer.set(to, least);
      isSettled = false;
    }
    if (isSettled) break;
  }
  for (const { name, role } of nodes) {
    const readers = edges.filter(([from]) => from === name).map(([, to]) => layer.get(to) ?? 1);
    if (role !== 'inside' && readers.length) layer.set(name, Math.min(...readers) - 1);
  }
  return layer;
}

/** The names that an edge passes, with one made up for every layer in between, which `layerOf` is told. */
function chainOf(from: string, to: string, index: number, layerOf: Map<string, number>): string[] {
  const start = layerOf.get(from) ?? 0;
  const end = layerOf.get(to) ?? 0;
  const bends = Array.from({ length: Math.max(0, end - start - 1) }, (_, step) => {
    const name = `edge ${index} at ${start + step + 1}`;
    layerOf.set(name, start + step + 1);
    return name;
  });
  return [from, ...bends, to];
}

function orderLayers(layers: string[][], links: readonly Link[]): Map<string, number> {
  const column = new Map<string, number>();
  const place = (layer: readonly string[]) => {
    for (const [index, name] of layer.entries()) column.set(name, index - (layer.length - 1) / 2);
  };
  for (const layer of layers) place(layer);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const layer of isDown ? layers : layers.toReversed()) {
      const mean = new Map(layer.map((name) => [name, meanColumn(name, links, column, isDown)] as const));
      layer.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0));
      place(layer);
    }
  }
  return column;
}

/** The mean column of the neighbours above (or below); its own where there are none. */
function meanColumn(name: string, links: readonly Link[], column: ReadonlyMap<string, number>, above: boolean): number {
  const neighbours = links.flatMap(([from, to]) => (above ? (to === name ? [from] : []) : from === name ? [to] : []));
  if (!neighbours.length) return column.get(name) ?? 0;
  return neighbours.reduce((total, neighbour) => total + (column.get(neighbour) ?? 0), 0) / neighbours.length;
}
