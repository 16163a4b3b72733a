import type { Endpoint, Graph } from '../graph/index.ts';
import { Context } from './context.ts';
import { survey } from './terrain.ts';

/** A place where a feature map of the way down joins the way up. */
export interface SkipConnection {
  /** The concatenation. */
  readonly joint: string;
  /** What comes from the way down. */
  readonly skip: Endpoint;
  /** What comes from below. */
  readonly main: Endpoint;
}

/** Finds the skip connections of a UNet by its structure, in the order of execution: the deepest first. */
export function findSkips(graph: Graph): SkipConnection[] {
  const context = new Context(graph);
  const { joints } = survey(context);
  return [...joints].flatMap(([joint, skips]) => {
    const [skip, ...others] = skips;
    const inputs = graph.node(joint)?.inputs ?? [];
    const main = inputs.find((input) => context.shapes.dims(input)?.length !== 1 && !context.isConstant(input) && input !== skip);
    return skip && main && !others.length ? [{ joint, skip, main }] : [];
  });
}
