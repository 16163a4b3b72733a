import { SlothfulError } from '../../src/errors.ts';
import { layoutOfDiffusers, ldmNames } from '../unet/index.ts';
import type { TensorSource } from '../weights/index.ts';
import type { LoraFile, LoraModule } from './open.ts';
import { type LoraPart, listOf, titleOf } from './parts.ts';
import { turnedModule } from './turned.ts';

/** The weight of a module. */
export interface IndexedWeight {
  /** By diffusers' and transformers' names. */
  readonly name: string;
  readonly source: TensorSource;
  /** It is stored [inputs, outputs]. */
  readonly isTurned?: boolean;
}

/** Where the modules of a LoRA are looked for. */
export interface ModuleIndex {
  readonly part: LoraPart;
  find(module: string): IndexedWeight | undefined;
}

/** The weights of a UNet by its modules' names with underscores for dots, in diffusers' and in LDM's spelling. */
export class WeightIndex implements ModuleIndex {
  readonly part = 'unet';
  private readonly names = new Map<string, string>();

  /** @param tensors a UNet's tensors by diffusers names */
  constructor(
    private readonly tensors: ReadonlyMap<string, TensorSource>,
    place: string,
  ) {
    const { toLdm } = ldmNames(layoutOfDiffusers([...tensors.keys()], place));
    for (const [name, { shape }] of tensors) {
      if (!name.endsWith('.weight') || shape.length < 2) continue;
      for (const spelling of [name, toLdm(name)]) {
        if (spelling !== undefined) this.names.set(spelling.replace(/\.weight$/, '').replaceAll('.', '_'), name);
      }
    }
  }

  /** The weight of a module: its diffusers name, and the tensor. */
  find(module: string): IndexedWeight | undefined {
    const name = this.names.get(module);
    const source = name === undefined ? undefined : this.tensors.get(name);
    return name === undefined || !source ? undefined : { name, source };
  }
}

/** The linear layers of a text encoder by transformers' names with underscores for dots. */
export class TextWeightIndex implements ModuleIndex {
  private readonly weights = new Map<string, IndexedWeight>();

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
      const [, module] = /^(text_model\.encoder\.layers\..+|text_projection)\.weight$/.exec(name) ?? [];
      if (module === undefined || source.shape.length < 2) continue;
      this.weights.set(module.replaceAll('.', '_'), { name, source, isTurned: turned.includes(name) });
    }
  }

  find(module: string): IndexedWeight | undefined {
    return this.weights.get(module);
  }
}

/** What of a LoRA goes where. */
export interface LoraMatch {
  /** By the diffusers names of the weights. */
  readonly modules: ReadonlyMap<string, LoraModule>;
  /** Modules that the model does not have. */
  readonly unmatched: readonly string[];
}

/** Sizes after the first, without those of 1x1 convolutions: a linear layer may be stored as such and the other way round. */
function innerSizes([, ...inner]: readonly number[]): readonly number[] {
  return inner.length === 3 && inner[1] === 1 && inner[2] === 1 ? inner.slice(0, 1) : inner;
}

function checkFit(lora: LoraFile, { module, down, up }: LoraModule, { source, isTurned }: IndexedWeight): void {
  const shape = isTurned ? [...source.shape].reverse() : source.shape;
  const [inner, wanted] = [innerSizes(down.shape), innerSizes(shape)];
  const fits = inner.length === wanted.length && inner.every((size, index) => size === wanted[index]);
  if (fits && up.shape[0] === shape[0]) return;
  const got = `up [${up.shape.join(', ')}] times down [${down.shape.join(', ')}]`;
  throw new SlothfulError(
    'unsupported',
    `${lora.path} module "${module}"`,
    `is ${got}, and the checkpoint's weight is [${shape.join(', ')}]`,
    'the LoRA was made for another model: give one of the same family',
  );
}

/**
 * Finds the weight of each module of a LoRA.
 *
 * @param partial leave out modules that the model does not have, as long as something of the LoRA is fused
 * @throws SlothfulError `unsupported` for such modules, all listed, and for shapes that do not fit
 */
export function matchLora(lora: LoraFile, index: ModuleIndex, partial: boolean): LoraMatch {
  const modules = new Map<string, LoraModule>();
  const unmatched: string[] = [];
  for (const module of lora.modules) {
    const found = index.find(module.module);
    if (!found) {
      unmatched.push(module.module);
      continue;
    }
    checkFit(lora, module, found);
    if (modules.has(found.name)) {
      throw new SlothfulError('bad-checkpoint', lora.path, `changes "${found.name}" twice, by two spellings of it`);
    }
    modules.set(found.name, found.isTurned ? turnedModule(module) : module);
  }
  const isUseless = modules.size === 0 && !lora.alsoUNet;
  if (unmatched.length && (isUseless || !partial)) throw unmatchedError(lora, unmatched, titleOf(index.part));
  return { modules, unmatched };
}

function unmatchedError({ path, modules }: LoraFile, unmatched: readonly string[], what: string): SlothfulError {
  const all = unmatched.length === modules.length;
  return new SlothfulError(
    'unsupported',
    path,
    `changes ${all ? 'only ' : ''}${unmatched.length} of its ${modules.length} modules that ${what} does not have: ${listOf(unmatched)}`,
    all
      ? 'the LoRA was made for another model'
      : 'give a LoRA of the same family, or fuse the rest with --lora-partial',
  );
}
