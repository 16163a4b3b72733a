import type { Graph } from '../../graph/index.ts';
import { Context } from '../matching/context.ts';
import { findSkips, type SkipConnection, terrainOf } from './terrain.ts';

/** Where a skip connection joins the way up, and in which of its blocks. */
export interface UpJoint extends SkipConnection {
  /** The up block, 0 the deepest: an upsampling ends a block. */
  readonly block: number;
}

/**
 * The skip connections of a UNet with the up blocks that they join, in the order of execution.
 *
 * The blocks are told by how often what comes from below was halved, so that every spelling of an upsampler counts.
 */
export function findUpJoints(graph: Graph): UpJoint[] {
  const { upstream } = terrainOf(new Context(graph));
  const depthOf = ({ main }: SkipConnection) => upstream.get(main.node)?.depth ?? 0;
  const skips = findSkips(graph);
  const deepest = Math.max(0, ...skips.map(depthOf));
  return skips.map((skip) => ({ ...skip, block: deepest - depthOf(skip) }));
}
