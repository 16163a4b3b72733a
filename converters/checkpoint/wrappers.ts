import type { SafetensorsFile } from '../../src/tensors/node.ts';

/** What training frameworks put into the names of a module's tensors, wherever they wrap one. */
const WRAPPERS: ReadonlySet<string> = new Set([
  '_orig_mod', // torch.compile
  'module', // DataParallel, DistributedDataParallel, DeepSpeed
  '_fsdp_wrapped_module',
  '_checkpoint_wrapped_module',
  '_forward_module', // Lightning's strategies
]);
/** What a whole training checkpoint calls its weights, beside the optimizer's state. */
const OUTER = /^(?:state_dict|model_state_dict|pytorch-lightning_state_dict)\./;

/** A tensor's name without what wraps its modules. */
function unwrapped(name: string): string {
  return name
    .replace(OUTER, '')
    .split('.')
    .filter((segment) => !WRAPPERS.has(segment))
    .join('.');
}

/** The names of tensors as the model gives them, and what each is called in its file. */
export interface NamesInFile {
  readonly fileOf: ReadonlyMap<string, SafetensorsFile>;
  readonly storedAs: ReadonlyMap<string, string>;
}

/**
 * Takes off what wraps the modules of a model that was saved as it was trained: `_orig_mod.`, `module.`, `state_dict.`. A name
 * that another tensor already has stays as it is.
 */
export function withoutWrappers(fileOf: ReadonlyMap<string, SafetensorsFile>): NamesInFile {
  const named = new Map<string, SafetensorsFile>();
  const storedAs = new Map<string, string>();
  for (const [stored, file] of fileOf) {
    const bare = unwrapped(stored);
    const name = bare !== stored && (bare === '' || fileOf.has(bare) || named.has(bare)) ? stored : bare;
    named.set(name, file);
    if (name !== stored) storedAs.set(name, stored);
  }
  return { fileOf: named, storedAs };
}

/** The prefixes under which there are names that a pattern finds behind them, in the order of the names. */
export function prefixesBefore(names: readonly string[], pattern: RegExp): string[] {
  const found = new Set<string>();
  const anywhere = new RegExp(`^((?:.*\\.)?)${pattern.source}`);
  for (const name of names) {
    const prefix = anywhere.exec(name)?.[1];
    if (prefix !== undefined) found.add(prefix);
  }
  return [...found];
}
