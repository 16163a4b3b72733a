/** What parsers were seen to fall over, theirs and ours: as texts of JSON, as names, as digits and as sizes. */

/** Deep enough for any parser that calls itself for what is inside. */
const DEEP = 20_000;

/** Letters that repetitions may make: what is merely large is no finding. */
const MOST_LETTERS = 2 ** 22;

/** How often something may be repeated. */
export function repetitions(times: number, letters: number): number {
  return Math.max(1, Math.min(times, Math.floor(MOST_LETTERS / Math.max(1, letters))));
}

/** As JSON has them: what no JavaScript value can stand for (1e400, -0, numbers beyond 2^53) is among them. */
export const HOSTILE_JSON: readonly string[] = [
  'null',
  'true',
  'false',
  '[]',
  '{}',
  '""',
  '0',
  '-0',
  '1',
  '-1',
  '2',
  '3',
  '7',
  '0.5',
  '64',
  '1e3',
  '1000000',
  '1e8',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '1e300',
  '1e400',
  '-1e400',
  '1e-320',
  '"0"',
  '"NaN"',
  '"Infinity"',
  '"__proto__"',
  '"constructor"',
  '"../../x"',
  '"\\u001b[2J\\u001b[31mred"',
  '"two\\nlines"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202eabc"',
  '[1]',
  '[1,1]',
  '[1000000,1000000]',
  '[[1,2],[3,4]]',
  '[-1]',
  '[null]',
  '["",""]',
  '{"__proto__":{"polluted":true}}',
  '{"length":1e9}',
  `"${'x'.repeat(5000)}"`,
  `[${'0,'.repeat(5000)}0]`,
  `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`,
  `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`,
];

/** Names of tensors, nodes, fields and files. */
export const HOSTILE_NAMES: readonly string[] = [
  '',
  '.',
  '..',
  '../x',
  '/etc/passwd',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '__metadata__',
  'a\u001b]0;title\u0007b',
  'two\nlines',
  'nul\0byte',
  '\ud800',
  '\u202eabc',
  'x'.repeat(5000),
  '.weight',
  'model.diffusion_model.',
  'down_blocks.0.attentions.0.transformer_blocks.999999.attn1.to_q.weight',
  'down_blocks.999999.resnets.0.conv1.weight',
  'input_blocks.99999999.0.in_layers.0.weight',
  'lora_unet_down_blocks_0_attentions_0_transformer_blocks_99999999_attn1_to_q.lora_down.weight',
  'text_model.encoder.layers.99999999.self_attn.q_proj.weight',
  'decoder.layers.99999999.conv.0.weight',
  'decoder.up_blocks.99999999.resnets.0.conv1.weight',
  'ip_adapter.99999999.to_k_ip.weight',
];

/** Numbers in names. */
export const HOSTILE_DIGITS: readonly string[] = [
  '0',
  '1',
  '2',
  '3',
  '9',
  '11',
  '00',
  '-1',
  '999999',
  '99999999999999999999',
  '',
];

/** Sizes of a tensor's dimensions: those that real ones have beside one another, and those that none has. */
export const HOSTILE_SIZES: readonly number[] = [0, 1, 2, 3, 4, 5, 8, 9, 16, 64, 77, 320, 768, 1280, 65_536, 1_000_000];

/** What goes into prompts, merges and what else is text. */
export const HOSTILE_TEXTS: readonly string[] = [
  '\n',
  '\r\n',
  '\0',
  '\ufeff',
  ' ',
  ':',
  ',',
  '(',
  '((((((((((',
  '))',
  '[',
  ':1e999)',
  ':-1)',
  '"',
  '\\',
  '\\"',
  '<|endoftext|>',
  '\u001b[2J',
  'Negative prompt: ',
  'Steps: 1e9, ',
  'Size: 99999999x99999999, ',
  'Seed: -1, ',
  '{"a": ',
  'NaN',
  '-Infinity',
  '\ud800',
  'İ',
  'ß',
  'e\u0301\u0301\u0301\u0301',
  '👩‍👩‍👧‍👦',
  'a'.repeat(3000),
  '('.repeat(3000),
  'word '.repeat(1000),
];
