import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  choice,
  constant,
  describe,
  either,
  flag,
  foreignObject,
  integer,
  isDocument,
  jsonSchemaOf,
  list,
  named,
  nullable,
  number,
  object,
  optional,
  ownDocument,
  parameterSchema,
  type ReadOptions,
  readDocument,
  readParameters,
  type TSchema,
  table,
  text,
} from '../../src/documents/index.ts';

const AT: ReadOptions = { place: 'p.json', code: 'bad-parameter', cure: 'write it right' };

const SITE = named('site', object({ id: text(), level: integer({ minimum: 0 }) }));
const PICTURE = ownDocument('picture', 2, {
  strength: number({ minimum: 0, maximum: 50, default: 6 }),
  above: optional(number({ exclusiveMinimum: 0, maximum: 9 })),
  mode: choice(['AVG', 'MAX'], { default: 'AVG' }),
  middle: flag(),
  note: nullable(text({ minLength: 1 })),
  sites: list(SITE, { maxItems: 2 }),
  first: optional(nullable(SITE)),
  words: optional(table(integer({ minimum: 1 }), { minProperties: 1 })),
  end: optional(
    either([
      object({ kind: constant('stop'), at: number() }),
      object({ kind: constant('fade'), over: integer() }),
      text(),
    ]),
  ),
});
const WHOLE = { schema: 'slothful-picture/2', middle: true, note: null, sites: [{ id: 'a', level: 0 }] };

const reading = suite('readDocument');

reading('fills in defaults, leaves out what is left out, and keeps the order of the schema', () => {
  const read = readDocument(PICTURE, WHOLE, AT);
  assert.equal(read, { ...WHOLE, strength: 6, mode: 'AVG' });
  assert.is(Object.keys(read).join(), 'schema,strength,mode,middle,note,sites');
  const {
    strength,
    sites,
    mode,
  }: { strength: number; sites: readonly { readonly id: string }[]; mode: 'AVG' | 'MAX' } = read;
  assert.equal([strength, sites[0]?.id, mode], [6, 'a', 'AVG']);
});

/** What is changed in the whole document; what the message is, whole, without the cure of `AT`. */
const REFUSED: readonly [change: unknown, message: string][] = [
  [{ strength: 99 }, 'strength must be a number from 0 to 50, got 99'],
  [{ strength: Number.NaN }, 'strength must be a number from 0 to 50, got NaN'],
  [{ strength: '6' }, 'strength must be a number from 0 to 50, got "6"'],
  [{ strength: null }, 'strength must be a number from 0 to 50, got null'],
  [{ above: 0 }, 'above must be a number above 0, at most 9, got 0'],
  [{ mode: 'avg' }, 'mode must be one of AVG, MAX, got "avg"'],
  [{ middle: undefined }, 'middle must be true or false, got nothing'],
  [{ note: 3 }, 'note must be a text that is not empty or null, got 3'],
  [{ note: '' }, 'note must be a text that is not empty, got ""'],
  [{ sites: {} }, 'sites must be a list of at most 2, got an object'],
  [{ sites: [{ id: 'a', level: 0 }, 7] }, 'sites[1] must be an object, got 7'],
  [{ sites: [{ id: 'a', level: 0.5 }] }, 'sites[0].level must be an integer from 0, got 0.5'],
  [{ first: { id: 'a' } }, 'first.level must be an integer from 0, got nothing'],
  [{ words: {} }, 'words must be an object that is not empty, got an object'],
  [{ words: { 'red car': 0 } }, 'words["red car"] must be an integer from 1, got 0'],
  [{ end: { kind: 'fade', over: 0.5 } }, 'end.over must be an integer, got 0.5'],
  [{ end: 5 }, 'end must be an object or an object or a text, got 5'],
  [{ schema: 'slothful-picture/1' }, 'schema must be "slothful-picture/2", got "slothful-picture/1"'],
];
for (const [change, message] of REFUSED) {
  reading(`refuses ${JSON.stringify(change)}`, () => {
    const read = () => readDocument(PICTURE, { ...WHOLE, ...Object(change) }, AT);
    assert.throws(read, (error: Error) => error.message === `p.json: ${message}; write it right`);
  });
}

reading('unknown names are refused with the one that was meant, or all that there are', () => {
  const read = (value: unknown) => () => readDocument(PICTURE, { ...WHOLE, ...Object(value) }, AT);
  assert.throws(read({ strenght: 1 }), /^p\.json: unknown field "strenght"; did you mean "strength"\?$/);
  assert.throws(read({ constructor: 1 }), /unknown field "constructor"; known are schema, strength, /);
  assert.throws(read({ sites: [{ idd: 1 }] }), /unknown field "idd" in sites\[0\]; did you mean "id"\?/);
});

reading('names of Object.prototype are not fields', () => {
  const schema = foreignObject({ constructor: optional(text()), toString: text({ default: 'none' }) });
  const read: object = readDocument(schema, {}, AT);
  assert.equal(Object.entries(read), [['toString', 'none']]);
  const kept: object = readDocument(table(number()), JSON.parse('{"__proto__": 1}'), AT);
  assert.equal(Object.entries(kept), [['__proto__', 1]]);
});

reading("others' objects: strangers are passed over, null counts as left out where it is asked for", () => {
  const schema = foreignObject({ steps: integer({ default: 4 }), kept: nullable(text()), gone: optional(flag()) });
  const value = { steps: null, kept: null, gone: null, _class_name: 'Sloth' };
  assert.equal(readDocument(schema, value, { ...AT, nulls: 'absent' }), { steps: 4, kept: null });
  assert.throws(() => readDocument(schema, value, AT), /steps must be an integer, got null/);
});

reading('a root that is not an object', () => {
  assert.throws(() => readDocument(PICTURE, [], AT), /^p\.json: expected an object, got a list/);
  assert.throws(
    () => readDocument(PICTURE, 'x', { ...AT, noun: 'parameter' }),
    /expected an object of parameters, got "x"/,
  );
});

reading('a keyword that the reader does not know is a mistake, not passed over', () => {
  const schema: TSchema = object({ a: text({ pattern: '^a' }) });
  assert.throws(() => readDocument(schema, { a: 'b' }, AT), /keyword "pattern" is not one that documents use/);
});

reading('describe is short', () => {
  const shown = [undefined, null, 3, 'x', 'y'.repeat(99), [], {}, true].map(describe);
  assert.equal(shown, ['nothing', 'null', '3', '"x"', `"${'y'.repeat(40)}"`, 'a list', 'an object', 'true']);
});
reading.run();

const publishing = suite('jsonSchemaOf');
const ajv = () => new Ajv2020({ strict: true, allowUnionTypes: true });

publishing('says of every document what the reader says', () => {
  const validate = ajv().compile(jsonSchemaOf(PICTURE, 'writer'));
  const documents: unknown[] = [
    WHOLE,
    { ...WHOLE, words: { a: 1 }, first: null, end: { kind: 'stop', at: 1 } },
    { ...WHOLE, end: 'never', above: 9 },
    { ...WHOLE, strange: 1 },
    ...REFUSED.map(([change]) => ({ ...WHOLE, ...Object(change) })).filter(({ strength }) => !Number.isNaN(strength)),
  ].map((document) => JSON.parse(JSON.stringify(document)));
  for (const document of documents) {
    assert.is(validate(document), isDocument(PICTURE, document), JSON.stringify(document));
  }
});

publishing('named types are there once; a name of two types is a mistake', () => {
  const written = jsonSchemaOf(PICTURE);
  assert.equal(Object.keys(Object(written.$defs)), ['site']);
  assert.is(JSON.stringify(written).split('"#/$defs/site"').length, 3);
  assert.is(JSON.stringify(written).includes('~'), false);
  const twice = object({ a: SITE, b: named('site', text()) });
  assert.throws(() => jsonSchemaOf(twice), /two types are named "site"/);
});

publishing('fields with a default: there for readers, not asked of writers', () => {
  assert.ok(!ajv().compile(jsonSchemaOf(PICTURE, 'reader'))(WHOLE));
  assert.ok(ajv().compile(jsonSchemaOf(PICTURE, 'reader'))(readDocument(PICTURE, WHOLE, AT)));
});
publishing.run();

const parameters = suite('declared parameters');

const PARAMETERS = {
  in_strength: { type: 'number', default: 6, min: 0, max: 50, step: 0.5, help: 'how much' },
  window: { type: 'integer', default: 2, min: 1, max: 8, step: 1, help: 'how wide' },
  keep_middle: { type: 'boolean', default: true, help: 'leave the middle alone' },
  mode: { type: 'choice', default: 'AVG', choices: ['AVG', 'MAX'], help: 'how' },
  compat: { type: 'choice', default: undefined, choices: ['comfyui'], help: 'as whom' },
} as const;

parameters('are read with their defaults, in the order of the table', () => {
  const read = readParameters(PARAMETERS, { mode: 'MAX', window: 3 }, 'p');
  const { window, compat }: { window: number; compat?: 'comfyui' } = read;
  assert.equal([window, compat], [3, undefined]);
  assert.equal(Object.entries(read), [
    ['in_strength', 6],
    ['window', 3],
    ['keep_middle', true],
    ['mode', 'MAX'],
  ]);
});

const WRONG: readonly [value: unknown, message: string][] = [
  [{ in_strength: 99 }, 'p: in_strength must be a number from 0 to 50, got 99'],
  [{ in_strenght: 3 }, 'p: unknown parameter "in_strenght"; did you mean "in_strength"?'],
  [{ 'in-strength': 3 }, 'p: unknown parameter "in-strength"; did you mean "in_strength"?'],
  [{ window: 1.5 }, 'p: window must be an integer from 1 to 8, got 1.5'],
  [{ keep_middle: 1 }, 'p: keep_middle must be true or false, got 1'],
  [{ mode: 'avg' }, 'p: mode must be one of AVG, MAX, got "avg"'],
  [{ compat: true }, 'p: compat must be "comfyui" or absent, got true'],
  [[6], 'p: expected an object of parameters, got a list'],
];
for (const [value, message] of WRONG) {
  parameters(`refuse ${JSON.stringify(value)}`, () => {
    assert.throws(
      () => readParameters(PARAMETERS, value, 'p'),
      (error: Error) => error.message === message,
    );
  });
}

parameters('have a schema with their words, ranges and defaults', () => {
  const { properties, required } = jsonSchemaOf(parameterSchema(PARAMETERS));
  const { in_strength } = Object(properties);
  assert.equal(in_strength, { type: 'number', description: 'how much', minimum: 0, maximum: 50, default: 6 });
  assert.equal(required, ['in_strength', 'window', 'keep_middle', 'mode']);
});
parameters.run();
