import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConvertPipelineOptions, convertPipeline } from '../../converters/index.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { readModel } from '../../src/models/node.ts';
import { failsWith } from '../support/errors.ts';
import { KOHYA } from '../support/lora-files.ts';
import { loraFile, SDXL_TERMS, sd15Text, sdxlText, TEXT_SPELLINGS, textTensors } from '../support/lora-text.ts';
import { pipelineFile, pipelineFolder, rawTensors } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, type RawTensor } from '../support/write-tensors.ts';

const test = suite('LoRAs for text encoders that do not fit');

const FC1 = 'text_model_encoder_layers_0_mlp_fc1';
const zeros = (...shape: number[]) =>
  floats(shape, new Float32Array(shape.reduce((product, size) => product * size, 1)));

/** Both matrices of a module, by its name in kohya's spelling. */
function moduleTensors(module: string, rows: number, columns: number): Map<string, RawTensor> {
  return new Map([
    [`${module}.lora_up.weight`, zeros(rows, 2)],
    [`${module}.lora_down.weight`, zeros(2, columns)],
  ]);
}

/** The tensors of a good LoRA for SD 1.5's text encoder and others. */
const withOthers = (others: ReadonlyMap<string, RawTensor>) => new Map([...sd15Text(), ...others]);
const withOne = (name: string) => withOthers(new Map([[name, zeros(1)]]));

const second = () => textTensors(SDXL_TERMS.text_encoder_2, 'text_encoder_2', TEXT_SPELLINGS['kohya, of SDXL']);

type Case = readonly [
  what: string,
  code: ErrorCode,
  message: RegExp,
  tensors: () => ReadonlyMap<string, RawTensor>,
  options?: ConvertPipelineOptions,
];

const REFUSED: readonly Case[] = [
  [
    'an unknown module',
    'unsupported',
    /changes 1 of its 25 modules that the text encoder does not have: text_model_encoder_layers_9_mlp_fc1; .*--lora-partial/,
    () => withOthers(moduleTensors('lora_te_text_model_encoder_layers_9_mlp_fc1', 96, 24)),
  ],
  [
    'nothing but unknown modules, though what fits is asked for',
    'unsupported',
    /changes only 1 of its 1 modules that the text encoder does not have: x; the LoRA was made for another model/,
    () => moduleTensors('lora_te_x', 24, 24),
    { loraPartial: true },
  ],
  [
    'another width',
    'unsupported',
    /module "text_model_\w+": is up \[32, 2\] times down \[2, 8\], and the checkpoint's weight is \[96, 24\]; the LoRA was/,
    () => textTensors(SDXL_TERMS.text_encoder, 'text_encoder', TEXT_SPELLINGS.PEFT),
  ],
  [
    'a second text encoder beside the first',
    'unsupported',
    /changes 25 modules of the second text encoder, which this pipeline does not have: \w+.* and 17 more; .*--lora-partial/,
    () => withOthers(second()),
  ],
  [
    'a second text encoder alone',
    'unsupported',
    /has 75 tensors for the second text encoder and none for the UNet or the text encoder; nothing of it can be fused/,
    second,
  ],
  [
    'a third text encoder',
    'unsupported',
    /changes 1 modules of text encoders of other models, which this pipeline does not have: encoder_block_0/,
    () => withOthers(moduleTensors('lora_te3_encoder_block_0', 24, 24)),
  ],
  [
    'an OFT',
    'unsupported',
    /is an OFT \(oft_blocks\), by its tensor "lora_te_/,
    () => withOne(`lora_te_${FC1}.oft_blocks`),
  ],
  ['half a LoHa', 'bad-checkpoint', /has not all of hada_w1_a/, () => withOne(`lora_te_${FC1}.hada_w1_a`)],
  [
    'a stranger among its tensors',
    'bad-checkpoint',
    /has 1 tensors that belong to no LoRA, such as "text_encoder\.x\.weight"/,
    () => withOne('text_encoder.x.weight'),
  ],
  [
    'a module without its up matrix',
    'bad-checkpoint',
    new RegExp(`module "${FC1}": has no up matrix`),
    () => {
      const tensors = sd15Text();
      tensors.delete(`lora_te_${FC1}.lora_up.weight`);
      return tensors;
    },
  ],
  [
    'two spellings of a module',
    'bad-checkpoint',
    new RegExp(`changes "${FC1}" twice, by two spellings of it: "lora_te_.*" and "lora_te1_`),
    () => withOthers(moduleTensors(`lora_te1_${FC1}`, 96, 24)),
  ],
  [
    'a LoRA without text where only text is converted',
    'unsupported',
    /has \d+ tensors for the UNet and none for the text encoder; nothing of it can be fused here: leave it out/,
    () => rawTensors(KOHYA),
    { only: ['text'] },
  ],
  [
    'a LoRA where only a VAE is converted',
    'usage',
    /--lora: is for the UNet and the text encoders, and --only vae is asked for/,
    sd15Text,
    { only: ['vae'] },
  ],
];

for (const [what, code, message, tensors, options] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const parent = temporaryFolder();
    const lora = [{ file: loraFile(tensors()) }];
    await failsWith(code, message, () =>
      convertPipeline(pipelineFolder('sd15'), join(parent, 'model'), { lora, ...options }),
    );
    assert.equal(readdirSync(parent), []);
  });
}

test('text alone is refused where only the UNet is converted', async () => {
  const lora = [{ file: loraFile(sd15Text()) }];
  const convert = () =>
    convertPipeline(pipelineFolder('sd15'), join(temporaryFolder(), 'model'), { lora, only: ['unet'] });
  await failsWith('unsupported', /has 72 tensors for text encoders and none for the UNet/, convert);
});

test('a projection that does not fit is told as the LoRA has it, however the checkpoint lays it', async () => {
  const lora = [{ file: loraFile(moduleTensors('lora_te2_text_projection', 16, 20)) }];
  const configFolder = pipelineFolder('sdxl');
  for (const source of [configFolder, pipelineFile('sdxl')]) {
    await failsWith(
      'unsupported',
      /"text_projection": is up \[16, 2\] times down \[2, 20\], and the checkpoint's weight is \[20, 16\]/,
      () => convertPipeline(source, join(temporaryFolder(), 'model'), { lora, configFolder, only: ['text'] }),
    );
  }
});

const PARTIAL: ReadonlyArray<
  readonly [what: string, tensors: () => Map<string, RawTensor>, note: string, modules: number]
> = [
  [
    'an unknown module',
    () => withOthers(moduleTensors('lora_te_text_model_encoder_layers_9_mlp_fc1', 96, 24)),
    'left 1 modules of lora.safetensors that the text encoder does not have',
    24,
  ],
  [
    'another text encoder',
    () => withOthers(second()),
    'left 75 tensors of lora.safetensors that are for the second text encoder',
    24,
  ],
  [
    'all of the text beside a UNet that fits',
    () => new Map([...rawTensors(KOHYA), ...moduleTensors('lora_te_x', 24, 24)]),
    'left 1 modules of lora.safetensors that the text encoder does not have',
    0,
  ],
];

for (const [what, tensors, note, modules] of PARTIAL) {
  test(`${what} is left with a note where what fits is asked for`, async () => {
    const folder = join(temporaryFolder(), 'model');
    const options = { lora: [{ file: loraFile(tensors()) }], loraPartial: true };
    const { notes } = await convertPipeline(pipelineFolder('sd15'), folder, options);
    assert.ok(notes.includes(note), notes.join('\n'));
    const { lora } = (await readModel(join(folder, 'text_encoder'))).graph.metadata;
    assert.is(modules ? Object(lora)[0].modules : lora, modules || undefined);
  });
}

test('an SDXL LoRA for a pipeline of SD 1.5 does not fit its first text encoder either', async () => {
  const lora = [{ file: loraFile(sdxlText()) }];
  const convert = () =>
    convertPipeline(pipelineFolder('sd15'), join(temporaryFolder(), 'model'), { lora, loraPartial: true });
  await failsWith('unsupported', /the checkpoint's weight is \[96, 24\]; the LoRA was made for another model/, convert);
});

test.run();
