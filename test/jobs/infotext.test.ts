import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatInfotext, type Infotext, parseInfotext } from '../../src/jobs/infotext.ts';
import { readSamplerTitle, samplerTitle } from '../../src/jobs/sampler-titles.ts';
import { SAMPLERS, SOLVERS } from '../../src/sampling/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite("A1111's infotext");

function infotext(
  prompt: string,
  negativePrompt: string | undefined,
  fields: Readonly<Record<string, string>>,
): Infotext {
  return { prompt, negativePrompt, fields: new Map(Object.entries(fields)) };
}

const parse = (text: string) => parseInfotext(text, 'a.png');

const BASE = { Steps: '20', Sampler: 'Euler', 'CFG scale': '7', Seed: '1', Size: '512x768' };
const BASE_LINE = 'Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x768';

/** As A1111 1.9 writes them: the same text again when formatted. */
const WRITTEN: readonly (readonly [what: string, text: string, told: Infotext])[] = [
  [
    'a prompt',
    'a sloth\nSteps: 20, Sampler: Euler, Schedule type: Automatic, CFG scale: 7, Seed: 1, Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Version: v1.9.4',
    infotext('a sloth', undefined, {
      Steps: '20',
      Sampler: 'Euler',
      'Schedule type': 'Automatic',
      'CFG scale': '7',
      Seed: '1',
      Size: '512x768',
      'Model hash': '6ce0161689',
      Model: 'v1-5-pruned-emaonly',
      Version: 'v1.9.4',
    }),
  ],
  [
    'a negative prompt of two lines',
    `masterpiece, (sloth:1.2)\nin a tree <lora:detail:0.6>\nNegative prompt: lowres, [blurry]\n\nwatermark\n${BASE_LINE}`,
    infotext('masterpiece, (sloth:1.2)\nin a tree <lora:detail:0.6>', 'lowres, [blurry]\n\nwatermark', BASE),
  ],
  ['no prompt', BASE_LINE, infotext('', undefined, BASE)],
  ['a negative prompt alone', `Negative prompt: cat\n${BASE_LINE}`, infotext('', 'cat', BASE)],
  [
    'hashes of LoRAs and embeddings, and prompts of the second pass',
    'a sloth\nSteps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 1234567, Size: 512x768, Denoising strength: 0.4, Clip skip: 2, RNG: CPU, Hires prompt: "a \\"sharp\\" sloth\\nin C:\\\\trees", Lora hashes: "detail_tweaker: 7c6bad76eb54, more: 1f0c", TI hashes: "EasyNegative: c74b4e810b03", Version: v1.6.0-2-g4afaaf8a',
    infotext('a sloth', undefined, {
      Steps: '28',
      Sampler: 'DPM++ 2M',
      'Schedule type': 'Karras',
      'CFG scale': '6.5',
      Seed: '1234567',
      Size: '512x768',
      'Denoising strength': '0.4',
      'Clip skip': '2',
      RNG: 'CPU',
      'Hires prompt': 'a "sharp" sloth\nin C:\\trees',
      'Lora hashes': 'detail_tweaker: 7c6bad76eb54, more: 1f0c',
      'TI hashes': 'EasyNegative: c74b4e810b03',
      Version: 'v1.6.0-2-g4afaaf8a',
    }),
  ],
  [
    'values that look quoted in part, and names with signs',
    'a\nTV size: 5" disc, Img2img/mode: "a" or "b", Über-Maß 2: ja, Model: sloth (v2) [x]',
    infotext('a', undefined, {
      'TV size': '5" disc',
      'Img2img/mode': '"a" or "b"',
      'Über-Maß 2': 'ja',
      Model: 'sloth (v2) [x]',
    }),
  ],
];
for (const [what, text, told] of WRITTEN) {
  test(`reads: ${what}`, () => assert.equal(parse(text), told));
}
for (const [what, text, told] of WRITTEN.slice(0, -1)) {
  test(`writes: ${what}`, () => assert.is(formatInfotext(told), text));
}

const HASHES = '{"model": "6ce0161689", "lora:detail": "7c6b", "vae": "735e4c3a44"}';
const RESOURCES = '[{"type":"checkpoint","modelName":"Sloths: all"},{"type":"lora","weight":0.6}]';

/** As others write them, or people change them. */
const READ: readonly (readonly [what: string, text: string, told: Infotext])[] = [
  [
    "Civitai's bare JSON",
    `a\n${BASE_LINE}, Hashes: ${HASHES}, Civitai resources: ${RESOURCES}, Version: ComfyUI`,
    infotext('a', undefined, { ...BASE, Hashes: HASHES, 'Civitai resources': RESOURCES, Version: 'ComfyUI' }),
  ],
  [
    'JSON in JSON, torn at its commas as A1111 does',
    `a\n${BASE_LINE}, Hashes: {"a": {"b": 1}, "c": 2}, Version: v1`,
    infotext('a', undefined, { ...BASE, Hashes: '{"a": {"b": 1}', Version: 'v1' }),
  ],
  ['lines of Windows', `a\r\nb\r\nNegative prompt: c\r\nd\r\n${BASE_LINE}\r\n`, infotext('a\nb', 'c\nd', BASE)],
  ['an empty negative prompt', `a\nNegative prompt:\n${BASE_LINE}`, infotext('a', '', BASE)],
  ['an indented negative prompt', `a\n  Negative prompt: b\n${BASE_LINE}`, infotext('a', 'b', BASE)],
  ['an end of spaces and lines', `a\n${BASE_LINE} \n\n`, infotext('a', undefined, BASE)],
  ['an empty field', 'a\nSteps: 1, Model: , Seed: 2', infotext('a', undefined, { Steps: '1', Model: '', Seed: '2' })],
  [
    'an empty last field',
    'a\nSteps: 1, Seed: 2, Model:',
    infotext('a', undefined, { Steps: '1', Seed: '2', Model: '' }),
  ],
  [
    'an empty JSON string',
    'a\nSteps: 1, Model: "", Seed: 2',
    infotext('a', undefined, { Steps: '1', Model: '', Seed: '2' }),
  ],
  [
    'no JSON in quotes',
    'a\nSteps: 1, Name: "\\x", Seed: 2',
    infotext('a', undefined, { Steps: '1', Name: '"\\x"', Seed: '2' }),
  ],
  [
    'a quote that is not closed',
    'a\nSteps: 1, Name: "b, Seed: 2',
    infotext('a', undefined, { Steps: '1', Name: '"b', Seed: '2' }),
  ],
  ['a field twice: the last', 'a\nSteps: 1, Seed: 2, Seed: 3', infotext('a', undefined, { Steps: '1', Seed: '3' })],
  [
    'text between the fields',
    'a\n(Steps: 1, and so on, Seed: 2, Size: 3x4',
    infotext('a', undefined, { Steps: '1', Seed: '2', Size: '3x4' }),
  ],
  [
    'a field of the prototype',
    'a\nSteps: 1, __proto__: 2, Size: 3x4',
    {
      ...infotext('a', undefined, {}),
      fields: new Map([
        ['Steps', '1'],
        ['__proto__', '2'],
        ['Size', '3x4'],
      ]),
    },
  ],
  ['two fields: prompt', 'a\nSteps: 1, Seed: 2', infotext('a\nSteps: 1, Seed: 2', undefined, {})],
  ['names of one letter: prompt', 'a: 1, b: 2, c: 3', infotext('a: 1, b: 2, c: 3', undefined, {})],
  [
    'weights in a prompt',
    '(cat:1.2), (dog:1.3), [a:b:0.5]',
    infotext('(cat:1.2), (dog:1.3), [a:b:0.5]', undefined, {}),
  ],
  ['fields that are not in the last line', `${BASE_LINE}\na sloth`, infotext(`${BASE_LINE}\na sloth`, undefined, {})],
  [
    '"negative prompt" in small letters, or within a line',
    `a\nnegative prompt: b\nno Negative prompt: c\n${BASE_LINE}`,
    infotext('a\nnegative prompt: b\nno Negative prompt: c', undefined, BASE),
  ],
  ['a prompt alone', 'a sloth', infotext('a sloth', undefined, {})],
  ['nothing', '', infotext('', undefined, {})],
];
for (const [what, text, told] of READ) {
  test(`understands: ${what}`, () => {
    const found = parse(text);
    assert.equal([...found.fields], [...told.fields]);
    assert.equal([found.prompt, found.negativePrompt], [told.prompt, told.negativePrompt]);
  });
}

const TEXTS = [
  'a sloth',
  'a 🦥 in a 树, l’été',
  '  spaces  ',
  '\n\nlines\n\n',
  'lines of\r\nWindows',
  'Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 2, Size: 1x1',
  'a "quoted", \\back\\slashed\\" \\n: thing',
  '"all of it"',
  '{"json": [1, 2]}',
  'the Negative prompt: is not this',
  'BREAK\tAND\u2028more\u2029',
];
for (const text of TEXTS) {
  test(`the same again: ${JSON.stringify(text)}`, () => {
    const fields = { ...BASE, Name: text, 'Name 2': `${text} ` };
    const told = infotext(text, text, fields);
    assert.equal(parse(formatInfotext(told)), told);
    assert.equal(parse(formatInfotext({ ...told, negativePrompt: undefined })), { ...told, negativePrompt: undefined });
    assert.is(formatInfotext(told).split('\n').at(-1)?.startsWith(BASE_LINE), true);
  });
}

test('what A1111 quotes is quoted, and what it would read as something else', () => {
  const quoted = { 'is a': 'a,b', 'is b': 'a:b', 'is c': 'a\nb', 'is d': ' a', 'is e': '"a"', 'is f': '{a}' };
  const last = 'is a: "a,b", is b: "a:b", is c: "a\\nb", is d: " a", is e: "\\"a\\"", is f: "{a}"';
  assert.is(formatInfotext(infotext('', undefined, quoted)), last);
  assert.is(formatInfotext(infotext('a', '', {})), 'a');
});

for (const key of ['', 'a', 'a:b', 'a, b', ' ab', 'a\nb', '🦥🦥']) {
  test(`${JSON.stringify(key)} is no name of a field`, () =>
    failsWith('bug', /is no name of a field/, () => formatInfotext(infotext('a', undefined, { ...BASE, [key]: '1' }))));
}

test('too few fields to be found are not written', () =>
  failsWith('bug', /has 2 fields; readers find 3 or more/, () =>
    formatInfotext(infotext('a', undefined, { Steps: '1', Seed: '2' })),
  ));

const LONGEST = 2 ** 18;

/** None takes more than a moment; with A1111's own pattern some of these take minutes. */
const HOSTILE = [
  'a',
  'a ',
  ' ',
  'ab:',
  'ab:"',
  'ab:"\\',
  'ab:"\\",',
  'ab: {',
  'ab:[',
  '"',
  '\\"',
  ',',
  '\n',
  '\r\n',
  '🦥',
  'ab:"a"b',
];
for (const part of HOSTILE) {
  test(`as long as can be: ${JSON.stringify(part)}`, () => {
    const text = part.repeat(Math.floor(LONGEST / part.length) - 4);
    for (const each of [text, `ab:"${text}`, `${text}:`]) assert.type(parse(each).prompt, 'string');
  });
}

test('what is longer is refused', () =>
  failsWith('bad-input', /^a\.png: has a text of 262145 letters; an infotext has at most 262144;/, () =>
    parse('a'.repeat(LONGEST + 1)),
  ));

test('every sampler has a title that is read back', () => {
  assert.equal(SAMPLERS.map(samplerTitle), ['DDIM', 'Euler', 'Euler a', 'DPM++ 2M', 'LCM']);
  for (const sampler of [...SAMPLERS, ...SOLVERS]) assert.equal(readSamplerTitle(samplerTitle(sampler)), { sampler });
});

const TITLES: readonly (readonly [title: string, read: ReturnType<typeof readSamplerTitle>])[] = [
  ['DPM++ 2M Karras', { sampler: 'dpmpp_2m', sigmas: 'karras' }],
  ['Euler Karras', { sampler: 'euler', sigmas: 'karras' }],
  ['Euler a Karras', { sampler: 'euler_ancestral', sigmas: 'karras' }],
  ['euler A', { sampler: 'euler_ancestral' }],
  ['dpm++ 2m karras', { sampler: 'dpmpp_2m', sigmas: 'karras' }],
  ['DDIM Karras', undefined],
  ['LCM Karras', undefined],
  ['DPM++ 2M SDE', { sampler: 'dpmpp_2m_sde' }],
  ['DPM++ 2M SDE Karras', { sampler: 'dpmpp_2m_sde', sigmas: 'karras' }],
  ['DPM++ 2M Exponential', { sampler: 'dpmpp_2m', sigmas: 'exponential' }],
  ['DPM++ 3M SDE SGM Uniform', { sampler: 'dpmpp_3m_sde', sigmas: 'sgm_uniform' }],
  ['DPM fast', undefined],
  ['DPM++ 2M KarrasKarras', undefined],
  ['DPM++ 2M Karras Karras', undefined],
  ['DPM++2M', { sampler: 'dpmpp_2m' }],
  ['EulerKarras', { sampler: 'euler', sigmas: 'karras' }],
  ['Euler a2', undefined],
  ['euler_ancestral', { sampler: 'euler_ancestral' }],
  ['Karras', undefined],
  [' Karras', undefined],
  ['', undefined],
];
for (const [title, read] of TITLES) {
  test(`the sampler "${title}"`, () => assert.equal(readSamplerTitle(title), read));
}

test.run();
