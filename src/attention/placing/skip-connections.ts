import { type Endpoint, type Graph, sameEndpoint } from '../../graph/index.ts';
import { Context } from '../matching/context.ts';
import { survey } from './terrain.ts';

/** A place where a feature map of the way down joins the way up. */
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
  return [...survey(context).joints].flatMap(([joint, [skip, ...others]]) => {
    const inputs = graph.node(joint)?.inputs ?? [];
    const main = inputs.find((input) => skip && !sameEndpoint(input, skip) && !context.isConstant(input));
    if (!skip || !main || others.length) return [];
    return [{ joint, skip, main, channels: { skip: channelsOf(skip), main: channelsOf(main) } }];
  });
}
