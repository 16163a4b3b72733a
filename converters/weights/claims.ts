import { SlothfulError } from '../../src/errors.ts';
import { listNames } from './list-names.ts';

/**
 * Checks that a checkpoint has tensors of every module that its config claims, before a graph is built of them: what a
 * config says is easily written, and what is built by it takes memory. Single tensors are checked by `checkTensors`.
 *
 * @param modules names as the graph's weights have them, without the names of their tensors
 * @param tensors by names of the same spelling
 * @throws SlothfulError `bad-checkpoint` that lists the modules that are missing
 */
export function checkModules(
  modules: readonly string[],
  { tensors }: { readonly tensors: ReadonlyMap<string, unknown> },
  place: string,
): void {
  const there = modulesOf(tensors.keys());
  const missing = modules.filter((module) => !there.has(module));
  if (!missing.length) return;
  const problem = `lacks ${missing.length} of the ${modules.length} blocks that its config claims: ${listNames(missing)}`;
  const cure = 'the file is incomplete, or the config is of another model';
  throw new SlothfulError('bad-checkpoint', place, problem, cure);
}

/** Everything that names begin with up to a dot. */
function modulesOf(names: Iterable<string>): Set<string> {
  const modules = new Set<string>();
  for (const name of names) {
    for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
      const module = name.slice(0, dot);
      if (modules.has(module)) break;
      modules.add(module);
    }
  }
  return modules;
}

/**
 * How many blocks a list of them has, by the numbers that the names of tensors have.
 *
 * @param list what is counted, such as `mid_block.attentions.0.transformer_blocks`
 * @throws SlothfulError `bad-checkpoint` where the numbers are not 0, 1, 2, ...: a name alone makes no block
 */
export function countBlocks(numbers: ReadonlySet<number>, list: string, place: string): number {
  const last = numbers.size ? Math.max(...numbers) : -1;
  if (last === numbers.size - 1) return numbers.size;
  const problem = `has tensors of ${numbers.size} blocks of "${list}", the last of which is number ${last}`;
  throw new SlothfulError('bad-checkpoint', place, problem, 'tensors are missing: download it again');
}
