import { SlothfulError } from '../../src/errors.ts';
import { layoutOfDiffusers, ldmNames } from '../unet/index.ts';
import type { TensorSource } from '../weights/index.ts';
import type { LoraChange, LoraModule } from './changes.ts';
import { checkFit, shapeIn } from './fit.ts';
import { nearMiss } from './near-miss.ts';
import type { LoraFile } from './open.ts';
import { type LoraPart, listOf, titleOf } from './parts.ts';

/** A tensor of a module. */
export interface IndexedTensor {
  /** By diffusers' and transformers' names. */
  readonly name: string;
  readonly source: TensorSource;
  /** It is stored [inputs, outputs]. */
  readonly isTurned?: boolean;
}

/** What a module has that can be changed. */
export type ModuleTensorKind = 'weight' | 'bias';

/** Where the modules of a LoRA are looked for. */
export interface ModuleIndex {
  readonly part: LoraPart;
  /** All modules, in every spelling. */
  readonly modules: ReadonlySet<string>;
  find(module: string, kind: ModuleTensorKind): IndexedTensor | undefined;
}

const KIND = /\.(weight|bias)$/;

/** The tensors of a UNet by its modules' names with underscores for dots, in diffusers' and in LDM's spelling. */
export class WeightIndex implements ModuleIndex {
  readonly part = 'unet';
  readonly modules = new Set<string>();
  private readonly names = new Map<string, string>();

  /** @param tensors a UNet's tensors by diffusers names */
  constructor(
    private readonly tensors: ReadonlyMap<string, TensorSource>,
    place: string,
  ) {
    const { toLdm } = ldmNames(layoutOfDiffusers([...tensors.keys()], place));
    for (const name of tensors.keys()) {
      const [, kind] = KIND.exec(name) ?? [];
      for (const spelling of [name, toLdm(name)]) {
        if (kind === undefined || spelling === undefined) continue;
        const module = spelling.replace(KIND, '').replaceAll('.', '_');
        this.modules.add(module);
        this.names.set(`${module}.${kind}`, name);
      }
    }
  }

  find(module: string, kind: ModuleTensorKind): IndexedTensor | undefined {
    const name = this.names.get(`${module}.${kind}`);
    const source = name === undefined ? undefined : this.tensors.get(name);
    return name === undefined || !source ? undefined : { name, source };
  }
}

/** The tensors of a text encoder by its modules' names with underscores for dots, as transformers has them. */
export class TextWeightIndex implements ModuleIndex {
  readonly modules = new Set<string>();
  private readonly tensors = new Map<string, IndexedTensor>();

  /**
   * @param tensors a text encoder's tensors by transformers' names
   * @param turned which of them are stored [inputs, outputs]
   */
  constructor(
    readonly part: LoraPart,
    tensors: ReadonlyMap<string, TensorSource>,
    turned: readonly string[],
  ) {
    for (const [name, source] of tensors) {
      const [, kind] = KIND.exec(name) ?? [];
      if (kind === undefined) continue;
      const module = name.replace(KIND, '').replaceAll('.', '_');
      this.modules.add(module);
      this.tensors.set(`${module}.${kind}`, { name, source, isTurned: turned.includes(name) });
    }
  }

  find(module: string, kind: ModuleTensorKind): IndexedTensor | undefined {
    return this.tensors.get(`${module}.${kind}`);
  }
}

/** What of a LoRA goes where. */
export interface LoraMatch {
  /** By the diffusers names of the tensors. */
  readonly changes: ReadonlyMap<string, readonly LoraChange[]>;
  /** Modules that the model does not have. */
  readonly unmatched: readonly string[];
}

/**
 * Finds the tensors of each module of a LoRA.
 *
 * @param partial leave out modules that the model does not have, as long as something of the LoRA is fused
 * @throws SlothfulError `unsupported` for such modules, all listed, and for shapes that do not fit
 */
export function matchLora(lora: LoraFile, index: ModuleIndex, partial: boolean): LoraMatch {
  const changes = new Map<string, readonly LoraChange[]>();
  const unmatched: string[] = [];
  for (const module of lora.modules) {
    const kinds = (['weight', 'bias'] as const).filter((kind) => module[kind].length > 0);
    for (const kind of kinds) {
      const found = index.find(module.module, kind);
      if (found) setChanges(changes, lora, module, kind, found);
    }
    if (kinds.some((kind) => !index.find(module.module, kind))) unmatched.push(module.module);
  }
  const isUseless = changes.size === 0 && !lora.alsoUNet;
  if (unmatched.length && (isUseless || !partial)) throw unmatchedError(lora, unmatched, index);
  return { changes, unmatched };
}

function setChanges(
  changes: Map<string, readonly LoraChange[]>,
  lora: LoraFile,
  module: LoraModule,
  kind: ModuleTensorKind,
  { name, source, isTurned = false }: IndexedTensor,
): void {
  for (const change of module[kind]) {
    checkFit(change, shapeIn(source, isTurned), `${lora.path} module "${module.module}"`, kind);
  }
  if (changes.has(name)) {
    throw new SlothfulError('bad-checkpoint', lora.path, `changes "${name}" twice, by two spellings of it`);
  }
  changes.set(name, module[kind]);
}

function unmatchedError(
  { path, modules }: LoraFile,
  unmatched: readonly string[],
  { part, modules: known }: ModuleIndex,
): SlothfulError {
  const all = unmatched.length === modules.length;
  const problem = `changes ${all ? 'only ' : ''}${unmatched.length} of its ${modules.length} modules that ${titleOf(part)} does not have`;
  const near = all ? nearMiss(unmatched, known) : undefined;
  if (near) return new SlothfulError('unsupported', path, `${problem}, such as "${unmatched[0]}"`, near);
  const partly = 'give a LoRA of the same family, or fuse the rest with --lora-partial';
  const cure = all ? 'the LoRA was made for another model' : partly;
  return new SlothfulError('unsupported', path, `${problem}: ${listOf(unmatched)}`, cure);
}
