import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openCheckpoint } from '../../converters/checkpoint/index.ts';
import { textEncoderKind, textEncoderTensors } from '../../converters/clip/tensors.ts';
import { type LoraOptions, openTextLoras } from '../../converters/companions.ts';
import type { TextEncoderName } from '../../converters/index.ts';
import type { TensorSource } from '../../converters/weights/index.ts';
import { failsWith } from '../support/errors.ts';
import { fixture } from '../support/fixtures.ts';
import { differenceOf, loraFile, TEXT_SPELLINGS, type TextTerm, textTensors, textTerms } from '../support/lora-text.ts';
import { largestDifference } from '../support/numbers.ts';
import { type PipelineName, pipelineFile, pipelineFolder } from '../support/pipeline-goldens.ts';
import { readSafetensors } from '../support/safetensors.ts';
import type { RawTensor } from '../support/write-tensors.ts';
import { bareFolder } from './bare-folder.ts';

const test = suite('LoRAs in the weights of text encoders');

const { 'kohya, of SD 1.5': kohya, 'kohya, of SDXL': kohyaOfSdxl, PEFT: peft } = TEXT_SPELLINGS;

const ENCODERS: ReadonlyArray<readonly [name: PipelineName, which: TextEncoderName]> = [
  ['sd15', 'text_encoder'],
  ['sdxl', 'text_encoder'],
  ['sdxl', 'text_encoder_2'],
];

/** What `look` sees of a text encoder's tensors with LoRAs in them, and of them without. */
async function withFused<T>(
  source: string,
  which: TextEncoderName,
  options: LoraOptions,
  look: (fused: ReadonlyMap<string, TensorSource>, base: ReadonlyMap<string, TensorSource>) => Promise<T>,
): Promise<T> {
  const checkpoint = await openCheckpoint(source, textEncoderKind(which));
  try {
    const found = textEncoderTensors(checkpoint);
    const fused = await openTextLoras(found, which, options, { dtype: 'float32', place: source });
    try {
      return await look(fused.found.tensors, found.tensors);
    } finally {
      await fused.close();
    }
  } finally {
    await checkpoint.close();
  }
}

/** The values of every weight that a LoRA changed, [outputs, inputs]. */
function fusedValues(source: string, which: TextEncoderName, options: LoraOptions): Promise<Map<string, number[]>> {
  return withFused(source, which, options, async (fused, base) => {
    const changed = new Map<string, number[]>();
    for (const [name, tensor] of fused) {
      if (tensor === base.get(name)) continue;
      const values = [...new Float32Array((await tensor.read()).slice().buffer)];
      const isTurned = name === 'text_projection.weight' && source.endsWith('.safetensors');
      changed.set(name, isTurned ? transposed(values, tensor.shape) : values);
    }
    return changed;
  });
}

function transposed(values: readonly number[], [rows = 0, columns = 0]: readonly number[]): number[] {
  return values.map((_, index) => values[(index % rows) * columns + Math.floor(index / rows)] ?? Number.NaN);
}

/** What is expected of the weights, from the fixture and the terms alone. */
function expectedValues(name: PipelineName, which: TextEncoderName, terms: readonly TextTerm[], scale: number) {
  const base = readSafetensors(fixture(`pipeline/${name}/${which}/model.safetensors`));
  return new Map(
    terms.map((term) => {
      const added = differenceOf(term, scale);
      const { data = [] } = base.get(term.weight) ?? {};
      return [term.weight, Array.from(data, (value, index) => value + (added[index] ?? Number.NaN))] as const;
    }),
  );
}

function checkSame(actual: ReadonlyMap<string, readonly number[]>, expected: ReadonlyMap<string, readonly number[]>) {
  assert.equal([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [weight, values] of expected) {
    const difference = largestDifference(actual.get(weight) ?? [], values);
    assert.ok(difference < 1e-6, `${weight} differs by ${difference}`);
  }
}

const SOURCES: Readonly<Record<string, (name: PipelineName, which: TextEncoderName) => string>> = {
  'a folder': pipelineFolder,
  'a folder without text_model.': bareFolder,
  'a single file': (name) => pipelineFile(name),
};

for (const [name, which] of ENCODERS) {
  for (const [from, sourceOf] of Object.entries(SOURCES)) {
    test(`${name} ${which} of ${from}: base + scale * alpha / rank * up * down, in every spelling`, async () => {
      const source = sourceOf(name, which);
      const terms = textTerms(name, which);
      assert.is(terms.length, { sd15: 24, sdxl: which === 'text_encoder' ? 18 : 25 }[name]);
      const expected = expectedValues(name, which, terms, 0.8);
      for (const [spelling, spell] of Object.entries(TEXT_SPELLINGS)) {
        if (which === 'text_encoder_2' && spelling === 'kohya, of SD 1.5') continue;
        const file = loraFile(textTensors(terms, which, spell));
        checkSame(await fusedValues(source, which, { lora: [{ file, scale: 0.8 }] }), expected);
      }
    });
  }
}

test('rows of what OpenCLIP stacks are those of the whole, and so are those of the turned projection', async () => {
  const file = loraFile(textTensors(textTerms('sdxl', 'text_encoder_2'), 'text_encoder_2', kohyaOfSdxl));
  await withFused(pipelineFile('sdxl'), 'text_encoder_2', { lora: [{ file }] }, async (fused) => {
    for (const name of ['text_model.encoder.layers.2.self_attn.v_proj.weight', 'text_projection.weight']) {
      const source = fused.get(name);
      const whole = (await source?.read())?.slice() ?? new Uint8Array();
      assert.is(whole.length, name.startsWith('text_projection') ? 4 * 16 * 20 : 4 * 16 * 16);
      for (const [begin, end] of [
        [0, 64],
        [320, 1024],
        [5, 1003],
      ] as const) {
        assert.equal((await source?.readRange(begin, end))?.slice(), whole.slice(begin, end), `${name} ${begin}`);
      }
    }
  });
});

test('without an alpha it is the rank; two LoRAs add up, and one taken away leaves nothing', async () => {
  const source = pipelineFolder('sd15');
  const terms = textTerms('sd15', 'text_encoder');
  const unscaled = terms.map((term) => ({ ...term, alpha: term.sizes.rank }));
  const noAlpha = loraFile(
    textTensors(terms, 'text_encoder', (module, part, which) =>
      part === 'alpha' ? undefined : kohya(module, part, which),
    ),
  );
  const values = (lora: LoraOptions['lora']) => fusedValues(source, 'text_encoder', { lora });
  checkSame(await values([{ file: noAlpha }]), expectedValues('sd15', 'text_encoder', unscaled, 1));
  const file = loraFile(textTensors(terms, 'text_encoder', peft));
  const both = await values([{ file: noAlpha, scale: 0.5 }, { file }]);
  checkSame(both, await values([{ file }, { file: noAlpha, scale: 0.5 }]));
  checkSame(
    await values([
      { file, scale: 2 },
      { file, scale: -2 },
    ]),
    expectedValues('sd15', 'text_encoder', terms, 0),
  );
});

test('some modules are enough: the other weights are the same tensors', async () => {
  const terms = textTerms('sd15', 'text_encoder').filter(({ weight }) => /layers\.1\.mlp/.test(weight));
  const file = loraFile(textTensors(terms, 'text_encoder', kohya));
  const values = await fusedValues(pipelineFolder('sd15'), 'text_encoder', { lora: [{ file }] });
  assert.equal(
    [...values.keys()],
    ['fc1', 'fc2'].map((fc) => `text_model.encoder.layers.1.mlp.${fc}.weight`),
  );
});

test("alphas that PEFT keeps in the settings are the encoder's own, not the UNet's", async () => {
  const terms = textTerms('sdxl', 'text_encoder_2').map((term) => ({ ...term, alpha: term.sizes.rank }));
  const withoutAlpha = textTensors(terms, 'text_encoder_2', (module, part, which) =>
    part === 'alpha' ? undefined : peft(module, part, which),
  );
  const fused = (settings: object) => {
    const file = loraFile(withoutAlpha, { lora_adapter_metadata: JSON.stringify(settings) });
    return fusedValues(pipelineFile('sdxl'), 'text_encoder_2', { lora: [{ file }] });
  };
  const expected = (alphaOf: (term: TextTerm) => number) =>
    expectedValues(
      'sdxl',
      'text_encoder_2',
      terms.map((term) => ({ ...term, alpha: alphaOf(term) })),
      1,
    );
  const others = { 'unet.lora_alpha': 64, 'unet.use_dora': true, 'text_encoder.lora_alpha': 32 };
  checkSame(
    await fused(others),
    expected(({ alpha }) => alpha),
  );
  const own = { 'text_encoder_2.lora_alpha': 6, 'text_encoder_2.alpha_pattern': { q_proj: 12, 'layers.3.mlp.fc1': 1 } };
  const alphas = ({ weight }: TextTerm) => (/q_proj/.test(weight) ? 12 : /3\.mlp\.fc1/.test(weight) ? 1 : 6);
  checkSame(await fused({ ...others, ...own }), expected(alphas));
  await failsWith('bad-checkpoint', /has no lora_magnitude_vector, and its settings say use_dora/, () =>
    fused({ 'text_encoder_2.use_dora': true }),
  );
});

/** A float tensor whose values bfloat16 holds. */
function toBfloat16({ shape, bytes }: RawTensor): RawTensor {
  return { dtype: 'BF16', shape, bytes: bytes.filter((_, index) => index % 4 >= 2) };
}

test('matrices of two bytes a value are turned and read as those of four', async () => {
  const coarse = (values: Float32Array) => values.map((value) => Math.round(value * 64) / 64);
  const terms = textTerms('sdxl', 'text_encoder_2').map((term) => ({
    ...term,
    up: coarse(term.up),
    down: coarse(term.down),
  }));
  const tensors = textTensors(terms, 'text_encoder_2', kohyaOfSdxl);
  const halves = new Map(
    [...tensors].map(([name, tensor]) => [name, name.endsWith('alpha') ? tensor : toBfloat16(tensor)]),
  );
  const fused = (file: string) => fusedValues(pipelineFile('sdxl'), 'text_encoder_2', { lora: [{ file }] });
  checkSame(await fused(loraFile(halves)), await fused(loraFile(tensors)));
});

test.run();
