import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLora } from '../../converters/lora/open.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { companion } from '../support/companion-goldens.ts';
import { failsWith } from '../support/errors.ts';
import { KOHYA, respelled } from '../support/lora-files.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, type RawTensor, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('where LoRAs lie, and what lies beside them');

const DIFFUSERS = companion('lora_sd15_peft.safetensors');
const asPeft = (name: string) => name.replace('unet.', 'base_model.model.');
const PEFT = respelled(DIFFUSERS, asPeft);

const ADAPTER = 'adapter_model.safetensors';
const CONFIG = 'adapter_config.json';

/** A folder with a LoRA of rank 4 in PEFT's names, and other files. */
function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

const peft = readFileSync(PEFT);
const diffusers = readFileSync(DIFFUSERS);

/** What each matrix is multiplied by, where that is one number; and what is said of the file. */
async function opened(file: string): Promise<{ factor: number | undefined; notes: readonly string[] }> {
  const lora = await openLora({ file });
  await lora.close();
  const factors = new Set(lora.modules.flatMap(({ weight }) => weight.map(({ factor }) => factor)));
  return { factor: factors.size === 1 ? [...factors][0] : undefined, notes: lora.notes };
}

const settings = (fields: object) => JSON.stringify({ peft_type: 'LORA', r: 4, ...fields });
const ASSUMED = /tells no alpha: it was taken to be the rank/;

const FOUND: ReadonlyArray<readonly [what: string, file: () => string, factor: number | undefined, assumed: boolean]> =
  [
    ["PEFT's folder", () => folderWith({ [ADAPTER]: peft, [CONFIG]: settings({ lora_alpha: 8 }) }), 2, false],
    [
      "PEFT's file",
      () => join(folderWith({ [ADAPTER]: peft, [CONFIG]: settings({ lora_alpha: 2 }) }), ADAPTER),
      0.5,
      false,
    ],
    [
      'a file in its names beside its settings',
      () => join(folderWith({ 'mine.safetensors': peft, [CONFIG]: settings({ lora_alpha: 8 }) }), 'mine.safetensors'),
      2,
      false,
    ],
    [
      'rank-stabilised',
      () => folderWith({ [ADAPTER]: peft, [CONFIG]: settings({ lora_alpha: 8, use_rslora: true }) }),
      4,
      false,
    ],
    [
      'settings with what JSON does not know',
      () => folderWith({ [ADAPTER]: peft, [CONFIG]: '\ufeff{"lora_alpha": 4.0, "lora_dropout": NaN, "r": 4}' }),
      1,
      false,
    ],
    ['no settings', () => folderWith({ [ADAPTER]: peft }), 1, true],
    [
      "diffusers' folder, whose rule it is",
      () => folderWith({ 'pytorch_lora_weights.safetensors': diffusers }),
      1,
      false,
    ],
    [
      "diffusers' folder beside settings that are of something else",
      () => folderWith({ 'pytorch_lora_weights.safetensors': diffusers, [CONFIG]: settings({ lora_alpha: 8 }) }),
      1,
      false,
    ],
    ['the only file of a folder', () => folderWith({ 'style.safetensors': diffusers, 'README.md': '#' }), 1, false],
    [
      "kohya's names without alphas",
      () => respelled(KOHYA, (name) => (name.endsWith('alpha') ? undefined : name)),
      1,
      true,
    ],
    ['no prefix', () => respelled(DIFFUSERS, (name) => name.replace('unet.', '')), 1, true],
    ["ComfyUI's names", () => respelled(DIFFUSERS, (name) => name.replace('unet.', 'diffusion_model.')), 1, false],
  ];

for (const [what, file, factor, assumed] of FOUND) {
  test(`${what}: alpha over rank is ${factor}${assumed ? ', which is said to be assumed' : ''}`, async () => {
    const lora = await opened(file());
    assert.is(lora.factor, factor);
    assert.is(
      lora.notes.some((note) => ASSUMED.test(note)),
      assumed,
      lora.notes.join('\n'),
    );
  });
}

const REFUSED: ReadonlyArray<readonly [what: string, code: ErrorCode, message: RegExp, file: () => string]> = [
  ['an empty folder', 'bad-checkpoint', /is a folder with no LoRA; expected pytorch_lora/, () => temporaryFolder()],
  [
    'two files',
    'bad-checkpoint',
    /is a folder with 2 \.safetensors files, none of them .*; give .*a\.safetensors or .*b\.safetensors/,
    () => folderWith({ 'a.safetensors': peft, 'b.safetensors': peft }),
  ],
  ['folders of parts', 'bad-checkpoint', /with no LoRA; give .*unet/, () => folderWith({ [`unet/${ADAPTER}`]: peft })],
  [
    'a pickle in a folder',
    'unsupported',
    /adapter_model\.bin: is a .*pickle/,
    () => folderWith({ 'adapter_model.bin': Uint8Array.of(0x80, 2, 0x7d, 0x71, 0, 0x2e) }),
  ],
  [
    'another kind of adapter',
    'unsupported',
    /is an adapter of PEFT's type "IA3"; fuse it/,
    () => folderWith({ [ADAPTER]: peft, [CONFIG]: settings({ peft_type: 'IA3' }) }),
  ],
  [
    'a LoRA of a model that was changed',
    'unsupported',
    /was changed when its training began \(init_lora_weights "pissa_niter_4"\)/,
    () => folderWith({ [ADAPTER]: peft, [CONFIG]: settings({ init_lora_weights: 'pissa_niter_4' }) }),
  ],
  [
    'settings that are no JSON',
    'bad-checkpoint',
    /adapter_config\.json: is not JSON: line 1, column 2/,
    () => folderWith({ [ADAPTER]: peft, [CONFIG]: '{' }),
  ],
  [
    'an alpha that is no number',
    'bad-checkpoint',
    /lora_alpha must be a number, got NaN/,
    () => folderWith({ [ADAPTER]: peft, [CONFIG]: '{"lora_alpha": NaN}' }),
  ],
  [
    'a pattern that takes for ever',
    'unsupported',
    /chooses modules by the pattern "\(a\*\)\*b"/,
    () => folderWith({ [ADAPTER]: peft, [CONFIG]: settings({ alpha_pattern: { '(a*)*b': 2 } }) }),
  ],
];

for (const [what, code, message, file] of REFUSED) {
  test(`${what} is refused in one line`, () => failsWith(code, message, () => opened(file())));
}

/** The golden LoRA with alphas of its own. */
function withAlphas(alpha: RawTensor): string {
  const file = respelled(KOHYA, (name) => name);
  const tensors = [...readTensors(readFileSync(file))].map(([name, tensor]): [string, RawTensor] => {
    return [name, name.endsWith('.alpha') ? alpha : tensor];
  });
  writeTensors(file, new Map(tensors));
  return file;
}

const whole = (dtype: string, bytes: ArrayBuffer): RawTensor => ({ dtype, shape: [], bytes: new Uint8Array(bytes) });

const ALPHAS: ReadonlyArray<readonly [what: string, alpha: RawTensor, factor: number]> = [
  ['float64', whole('F64', Float64Array.of(6).buffer), 1.5],
  ['an int64', whole('I64', BigInt64Array.of(8n).buffer), 2],
  ['an int8', whole('I8', Int8Array.of(-4).buffer), -1],
  ['an eight-bit float in a list', { dtype: 'F8_E4M3', shape: [1], bytes: Uint8Array.of(0x40) }, 0.5],
  ['negative', floats([], [-2]), -0.5],
];

for (const [what, alpha, factor] of ALPHAS) {
  test(`an alpha that is ${what} counts`, async () => {
    assert.is((await opened(withAlphas(alpha))).factor, factor);
  });
}

test('an alpha of 0 changes nothing, which is said', async () => {
  const { factor, notes } = await opened(withAlphas(floats([], [0])));
  assert.is(factor, 0);
  assert.ok(notes.some((note) => /278 modules of \S+ have the alpha 0, and so change nothing/.test(note)));
});

test('several alphas for one module are refused', () =>
  failsWith('bad-checkpoint', /\.alpha": has 2 values, and is an alpha/, () =>
    opened(withAlphas(floats([2], [1, 2]))),
  ));

test.run();
