import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConvertPipelineOptions, convertPipeline, type TextEncoderName } from '../../converters/index.ts';
import { toFloat32Array } from '../../src/tensors/index.ts';
import { useBackend } from '../support/backend.ts';
import {
  differenceOf,
  loraFile,
  SD15_TERMS,
  SDXL_TERMS,
  sd15Text,
  sdxlText,
  type TextTerm,
} from '../support/lora-text.ts';
import { largestDifference } from '../support/numbers.ts';
import {
  changeTensors,
  goldenTensor,
  loadStock,
  type PipelineName,
  pipelineFile,
  pipelineFolder,
} from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, type RawTensor } from '../support/write-tensors.ts';

const test = suite('text encoders with LoRAs, against ones that were changed before');

/** All outputs of a converted text encoder for the prompts of the goldens. */
async function statesOf(folder: string, name: PipelineName, which: TextEncoderName): Promise<Float32Array[]> {
  await useBackend('wasm');
  const model = await loadStock(join(folder, which));
  const outputs = model.outputs.map((output) => output.name).sort();
  const states = tf.tidy(() => {
    const results = model.execute({ input_ids: goldenTensor('text', `${name}.${which}.ids`) }, outputs);
    return (Array.isArray(results) ? results : [results]).map((result) => Float32Array.from(result.dataSync()));
  });
  model.dispose();
  return states;
}

/** Where a single file has a weight of SDXL's second text encoder: OpenCLIP's name, its first row, and how it lies. */
function openClipPlace(weight: string): { name: string; part: number; isTurned: boolean } {
  const start = 'conditioner.embedders.1.model.';
  const [, layer, module = ''] = /layers\.(\d)\.(.+)\.weight$/.exec(weight) ?? [];
  if (layer === undefined) return { name: `${start}text_projection`, part: 0, isTurned: true };
  const stacked = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'].indexOf(module);
  const names: Readonly<Record<string, string>> = {
    'self_attn.out_proj': 'attn.out_proj.weight',
    'mlp.fc1': 'mlp.c_fc.weight',
    'mlp.fc2': 'mlp.c_proj.weight',
  };
  const name = `${start}transformer.resblocks.${layer}.${names[module] ?? 'attn.in_proj_weight'}`;
  return { name, part: Math.max(stacked, 0), isTurned: false };
}

/** Adds terms to a file's tensors, which become floats. */
function addTerms(
  tensors: Map<string, RawTensor>,
  terms: readonly TextTerm[],
  scale: number,
  placeOf: (weight: string) => { name: string; part: number; isTurned: boolean },
): void {
  for (const term of terms) {
    const { name, part, isTurned } = placeOf(term.weight);
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    const values = toFloat32Array(tensor.bytes, tensor.dtype === 'F16' ? 'F16' : 'F32').slice();
    const { rows, columns } = term.sizes;
    differenceOf(term, scale).forEach((added, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      const at = isTurned ? column * rows + row : part * rows * columns + index;
      values[at] = (values[at] ?? Number.NaN) + added;
    });
    tensors.set(name, floats(tensor.shape, values));
  }
}

const at = (prefix: string) => (weight: string) => ({ name: `${prefix}${weight}`, part: 0, isTurned: false });

/** Pipelines whose text encoders have terms in them already, at half their scale. */
const CHANGED: ReadonlyArray<readonly [what: string, name: PipelineName, plain: () => string, changed: () => string]> =
  [
    [
      'sd15, a folder',
      'sd15',
      () => pipelineFolder('sd15'),
      () => {
        const folder = pipelineFolder('sd15');
        changeTensors(join(folder, 'text_encoder', 'model.safetensors'), (all) =>
          addTerms(all, SD15_TERMS, 0.5, at('')),
        );
        return folder;
      },
    ],
    [
      'sd15, a single file',
      'sd15',
      () => pipelineFile('sd15'),
      () => pipelineFile('sd15', (all) => addTerms(all, SD15_TERMS, 0.5, at('cond_stage_model.transformer.'))),
    ],
    [
      'sdxl, a folder',
      'sdxl',
      () => pipelineFolder('sdxl'),
      () => {
        const folder = pipelineFolder('sdxl');
        for (const which of ['text_encoder', 'text_encoder_2'] as const) {
          changeTensors(join(folder, which, 'model.safetensors'), (all) =>
            addTerms(all, SDXL_TERMS[which], 0.5, at('')),
          );
        }
        return folder;
      },
    ],
    [
      'sdxl, a single file',
      'sdxl',
      () => pipelineFile('sdxl'),
      () =>
        pipelineFile('sdxl', (all) => {
          addTerms(all, SDXL_TERMS.text_encoder, 0.5, at('conditioner.embedders.0.transformer.'));
          addTerms(all, SDXL_TERMS.text_encoder_2, 0.5, openClipPlace);
        }),
    ],
  ];

/** A pipeline's text encoders, converted. */
async function converted(source: string, name: PipelineName, options: ConvertPipelineOptions = {}): Promise<string> {
  const folder = join(temporaryFolder(), 'model');
  const configFolder = pipelineFolder(name);
  await convertPipeline(source, folder, { dtype: 'float32', only: ['text'], configFolder, ...options });
  return folder;
}

/** The largest difference of each output in parts of the output's largest value. */
function differences(states: readonly Float32Array[], expected: readonly Float32Array[]): number[] {
  return states.map((values, index) => {
    const other = expected[index] ?? new Float32Array();
    return largestDifference(values, other) / largestDifference(other, new Float32Array(other.length));
  });
}

const ENCODERS: Readonly<Record<PipelineName, readonly TextEncoderName[]>> = {
  sd15: ['text_encoder'],
  sdxl: ['text_encoder', 'text_encoder_2'],
};

for (const [what, name, plain, changed] of CHANGED) {
  test(`${what}: the states are those of a checkpoint that was changed before it was converted`, async () => {
    const file = loraFile(name === 'sd15' ? sd15Text() : sdxlText());
    const fused = await converted(plain(), name, { lora: [{ file, scale: 0.5 }] });
    const [before, without] = [await converted(changed(), name), await converted(plain(), name)];
    for (const which of ENCODERS[name]) {
      const states = await statesOf(fused, name, which);
      const worst = Math.max(...differences(states, await statesOf(before, name, which)));
      assert.ok(worst < 1e-5, `${which} differs by ${worst}`);
      const effects = differences(states, await statesOf(without, name, which));
      // No LoRA changes the embeddings, which are the first of the hidden states, with the final norm and without it.
      assert.is(effects.filter((effect) => effect > 1e-2).length, effects.length - 2, `${which}: ${effects}`);
    }
  });
}

test.run();
