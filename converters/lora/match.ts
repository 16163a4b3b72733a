import { SlothfulError } from '../../src/errors.ts';
import { layoutOfDiffusers, ldmNames } from '../unet/index.ts';
import type { TensorSource } from '../weights/index.ts';
import type { LoraFile, LoraModule } from './open.ts';

/** The weights of a UNet by its modules' names with underscores for dots, in diffusers' and in LDM's spelling. */
export class WeightIndex {
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
  find(module: string): { name: string; source: TensorSource } | undefined {
    const name = this.names.get(module);
    const source = name === undefined ? undefined : this.tensors.get(name);
    return name === undefined || !source ? undefined : { name, source };
  }
}

/** What of a LoRA goes where. */
export interface LoraMatch {
  /** By the diffusers names of the weights. */
  readonly modules: ReadonlyMap<string, LoraModule>;
  /** Modules that the UNet does not have. */
  readonly unmatched: readonly string[];
}

const LISTED = 8;

/** Sizes after the first, without those of 1x1 convolutions: a linear layer may be stored as such and the other way round. */
function innerSizes([, ...inner]: readonly number[]): readonly number[] {
  return inner.length === 3 && inner[1] === 1 && inner[2] === 1 ? inner.slice(0, 1) : inner;
}

function checkFit(lora: LoraFile, { module, down, up }: LoraModule, weight: TensorSource): void {
  const [inner, wanted] = [innerSizes(down.shape), innerSizes(weight.shape)];
  const fits = inner.length === wanted.length && inner.every((size, index) => size === wanted[index]);
  if (fits && up.shape[0] === weight.shape[0]) return;
  const got = `up [${up.shape.join(', ')}] times down [${down.shape.join(', ')}]`;
  throw new SlothfulError(
    'unsupported',
    `${lora.path} module "${module}"`,
    `is ${got}, and the checkpoint's weight is [${weight.shape.join(', ')}]`,
    'the LoRA was made for another model: give one of the same family',
  );
}

/**
 * Finds the weight of each module of a LoRA.
 *
 * @param partial leave out modules that the UNet does not have
 * @throws SlothfulError `unsupported` for such modules, all listed, and for shapes that do not fit
 */
export function matchLora(lora: LoraFile, index: WeightIndex, partial: boolean): LoraMatch {
  const modules = new Map<string, LoraModule>();
  const unmatched: string[] = [];
  for (const module of lora.modules) {
    const found = index.find(module.module);
    if (!found) {
      unmatched.push(module.module);
      continue;
    }
    checkFit(lora, module, found.source);
    if (modules.has(found.name)) {
      throw new SlothfulError('bad-checkpoint', lora.path, `changes "${found.name}" twice, by two spellings of it`);
    }
    modules.set(found.name, module);
  }
  if (modules.size === 0 || (unmatched.length && !partial)) throw unmatchedError(lora, unmatched);
  return { modules, unmatched };
}

function unmatchedError({ path, modules }: LoraFile, unmatched: readonly string[]): SlothfulError {
  const all = unmatched.length === modules.length;
  const more = unmatched.length > LISTED ? ` and ${unmatched.length - LISTED} more` : '';
  const list = `${unmatched.slice(0, LISTED).join(', ')}${more}`;
  return new SlothfulError(
    'unsupported',
    path,
    `changes ${all ? 'only ' : ''}${unmatched.length} of its ${modules.length} modules that this UNet does not have: ${list}`,
    all
      ? 'the LoRA was made for another model'
      : 'give a LoRA of the same family, or fuse the rest with --lora-partial',
  );
}
