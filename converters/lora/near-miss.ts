/** Why none of a LoRA's modules is one of the model, where their names tell it. */

/** Words of a module's name that are looked at from its end. */
const MOST_WORDS = 12;
/** Modules that are looked at. */
const MOST_MODULES = 2000;

/**
 * What is said of a LoRA none of whose modules are known: that they would be but for what all of their names begin with;
 * undefined where the model just does not have them.
 *
 * @param modules names with underscores for dots, none of which are `known`
 */
export function nearMiss(modules: readonly string[], known: ReadonlySet<string>): string | undefined {
  const looked = modules.slice(0, MOST_MODULES);
  const counts = new Map<string, number>();
  for (const module of looked) {
    const prefix = strangePrefix(module, known);
    if (prefix !== undefined) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const [prefix, count] = [...counts].reduce<readonly [string, number]>((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
  if (count * 2 <= looked.length) return undefined;
  return `${count} of ${looked.length} would fit without the "${prefix}" at their start, which is no prefix that is known: rename its tensors`;
}

/** What a module's name has before the longest name of a known one at its end. */
function strangePrefix(module: string, known: ReadonlySet<string>): string | undefined {
  let at = -1;
  for (let words = 0; words < MOST_WORDS; words++) {
    at = module.indexOf('_', at + 1);
    if (at < 0) return undefined;
    if (known.has(module.slice(at + 1))) return module.slice(0, at + 1);
  }
  return undefined;
}
