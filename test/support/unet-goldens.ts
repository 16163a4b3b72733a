import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { type FamilyName, familyOrUsual } from '../../src/families/index.ts';
import type { SlothfulOptions } from '../../src/passes/slothful/index.ts';
import type { UNetInputs } from '../../src/runtime/index.ts';
import { type FixtureTensor, readSafetensors } from './safetensors.ts';

export { FAMILY_NAMES as FAMILIES, type FamilyName } from '../../src/families/index.ts';

/** One evaluation of a golden UNet: sizes, timestep, parameters, and what diffusers and the original node gave. */
export interface UNetCase {
  readonly size: readonly [height: number, width: number];
  readonly timestep: number;
  readonly sigma?: number;
  readonly params: SlothfulOptions | null;
  readonly out: string;
  /** Tokens and K/V tokens by diffusers name; absent for a plain case. */
  readonly kv_tokens?: Readonly<Record<string, readonly [tokens: number, kv: number]>> | null;
}

export interface UNetGoldens {
  readonly folder: string;
  readonly diffusers: string;
  readonly ldm: string;
  readonly config: unknown;
  readonly regular: readonly UNetCase[];
  readonly odd: readonly UNetCase[];
  tensor(name: string): FixtureTensor;
}

/** The goldens of a family: 48 cases at regular sizes, 36 at sizes that the original refuses. */
export function unetGoldens(family: FamilyName): UNetGoldens {
  const folder = fileURLToPath(new URL(`../../fixtures/unet/${family}/`, import.meta.url));
  const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const tensors = new Map([
    ...readSafetensors(join(folder, 'goldens.safetensors')),
    ...readSafetensors(join(folder, 'odd.safetensors')),
  ]);
  return {
    folder,
    diffusers: join(folder, 'diffusers'),
    ldm: join(folder, 'ldm.safetensors'),
    config: json('diffusers/config.json'),
    regular: json('cases.json'),
    odd: json('odd.json'),
    tensor(name) {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`fixtures/unet/${family} has no tensor ${name}`);
      return tensor;
    },
  };
}

const INPUTS = ['sample', 'encoder_hidden_states', 'text_embeds', 'time_ids'] as const;

/** A case's inputs as tensors, NCHW as diffusers has them; the caller's to dispose. */
export function caseInputs(goldens: UNetGoldens, { size, timestep }: UNetCase, family: FamilyName): UNetInputs {
  const names = familyOrUsual(family).addition ? INPUTS : INPUTS.slice(0, 2);
  const tensors = names.map((name) => {
    const { shape, data } = goldens.tensor(`${size.join('x')}.${name}`);
    return [name, tf.tensor(data, shape)] as const;
  });
  const { sample, ...rest } = Object.fromEntries(tensors);
  if (!sample) throw new Error('a case without a sample');
  return { ...rest, timestep, sample };
}
