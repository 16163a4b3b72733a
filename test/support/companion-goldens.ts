import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import type { SlothfulOptions } from '../../src/passes/slothful/index.ts';
import { type FixtureTensor, readSafetensors } from './safetensors.ts';
import { caseInputs, type FamilyName, unetGoldens } from './unet-goldens.ts';

/** One evaluation of a golden UNet with a companion, by diffusers. */
export interface CompanionCase {
  readonly out: string;
  readonly timestep: number;
  readonly params: SlothfulOptions | null;
  readonly checkpoint: FamilyName;
  readonly lora?: string;
  readonly controlnet?: string;
  readonly ip_adapter?: string;
  readonly scale?: number;
  readonly conditioning_scale?: number;
}

const folder = fileURLToPath(new URL('../../fixtures/companions/', import.meta.url));

/** The path of a companion. */
export function companion(name: string): string {
  return join(folder, name);
}

/** The cases of one companion. */
export function companionCases(start: string): CompanionCase[] {
  const files = ['cases.json', 'more.json'].map((name) => readFileSync(companion(name), 'utf8'));
  const cases: CompanionCase[] = files.flatMap((text) => JSON.parse(text));
  return cases.filter(({ out }) => out.startsWith(`${start}.`));
}

const tensors = new Map([
  ...readSafetensors(companion('goldens.safetensors')),
  ...readSafetensors(companion('more.safetensors')),
]);

export function companionTensor(name: string): FixtureTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`fixtures/companions has no tensor ${name}`);
  return tensor;
}

/** A tensor of the goldens; the caller's to dispose. */
export function goldenInput(name: string): tf.Tensor {
  const { data, shape } = companionTensor(name);
  return tf.tensor(data, shape);
}

/** Inputs of the checkpoint at 32x32, NCHW. */
export function companionInputs({ checkpoint, timestep, params, out }: CompanionCase) {
  return caseInputs(unetGoldens(checkpoint), { size: [32, 32], timestep, params, out }, checkpoint);
}
