import { SlothfulError } from '../../src/errors.ts';
import type { Graph } from '../../src/graph/index.ts';
import { makePass, type PassDefinition } from '../../src/passes/index.ts';

/** Two passes by name, and why they do not go together; undefined where they do. */
export interface Pair {
  readonly first: string;
  readonly second: string;
  readonly refusal: string | undefined;
}

/**
 * Tries every two passes on a graph with their default parameters, in both orders.
 *
 * @param graph a UNet that is not patched; it stays as it is
 * @throws SlothfulError where the one order is refused and the other is not, or a pass alone cannot be applied
 */
export async function tryPairs(graph: Graph, passes: readonly PassDefinition[]): Promise<Pair[]> {
  const patched = new Map<PassDefinition, Graph>();
  for (const pass of passes) patched.set(pass, await graph.clone().transform(makePass(pass)));
  const pairs: Pair[] = [];
  for (const [index, first] of passes.entries()) {
    for (const second of passes.slice(index + 1)) {
      const [refusal, other] = [await refusalOf(patched, first, second), await refusalOf(patched, second, first)];
      if ((refusal === undefined) !== (other === undefined)) {
        const problem = `one order is refused (${refusal ?? other}), and the other is not`;
        throw new SlothfulError('bug', `passes "${first.name}" and "${second.name}"`, problem);
      }
      pairs.push({ first: first.name, second: second.name, refusal });
    }
  }
  return pairs;
}

async function refusalOf(
  patched: ReadonlyMap<PassDefinition, Graph>,
  before: PassDefinition,
  after: PassDefinition,
): Promise<string | undefined> {
  try {
    await patched.get(before)?.clone().transform(makePass(after));
    return undefined;
  } catch (error) {
    if (error instanceof SlothfulError && error.code === 'unsupported') return error.problem;
    throw error;
  }
}
