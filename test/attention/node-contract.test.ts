import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ATTRIBUTE_TYPES,
  inputFlags,
  type NodeAttributes,
  type NodeInputs,
  nameInputs,
  orderInputs,
  parseAttributes,
} from '../../src/attention/index.ts';

const test = suite('node contract');
const ATTRIBUTES: NodeAttributes = {
  heads: 8,
  scale: 0.125,
  site: 3,
  id: 'input.1.0.0',
  cross: false,
  queryBias: false,
  keyBias: false,
  valueBias: false,
  transposeWeights: false,
  hiddenForm: 'flat',
  contextForm: 'tokens',
  outputForm: 'heads',
  stages: [],
  columns: [],
  parts: [],
};
const NEEDED = { hiddenStates: 'h', queryWeight: 'q', keyWeight: 'k', valueWeight: 'v' };
const TABLE = { control: 'c', grid: 'g' };

const inputs: [NodeInputs<string>, string[]][] = [
  [{ ...NEEDED, ...TABLE }, ['h', 'q', 'k', 'v', 'c', 'g']],
  [NEEDED, ['h', 'q', 'k', 'v']],
  [{ ...NEEDED, ...TABLE, keyBias: 'kb' }, ['h', 'q', 'k', 'v', 'kb', 'c', 'g']],
  [{ ...NEEDED, ...TABLE, queryBias: 'qb', valueBias: 'vb' }, ['h', 'q', 'k', 'v', 'qb', 'vb', 'c', 'g']],
  [{ ...NEEDED, context: 'x' }, ['h', 'x', 'q', 'k', 'v']],
  [{ ...NEEDED, context: 'x', grid: 'g' }, ['h', 'x', 'q', 'k', 'v', 'g']],
  [
    { ...NEEDED, context: 'x', queryBias: 'qb', keyBias: 'kb', valueBias: 'vb' },
    ['h', 'x', 'q', 'k', 'v', 'qb', 'kb', 'vb'],
  ],
];

for (const [named, list] of inputs) {
  test(`inputs ${list.join(' ')}, there and back`, () => {
    assert.equal(orderInputs(named), list);
    const back = nameInputs(list, { ...ATTRIBUTES, ...inputFlags(named) }, 'node');
    assert.equal(Object.fromEntries(Object.entries(back).filter(([, value]) => value !== undefined)), named);
  });
}

test('refuses inputs that the attributes do not tell of', () => {
  const name = (list: string[], given: Partial<NodeAttributes> = {}) =>
    nameInputs(list, { ...ATTRIBUTES, ...given }, 'n');
  const staged = { stages: ['slothful'], columns: [0] };
  assert.throws(() => name(['h', 'q', 'k', 'v', 'c'], staged), /n: expected 6 inputs, got 5/);
  assert.throws(() => name(['h', 'q', 'k']), /n: expected 4 to 6 inputs, got 3/);
  assert.throws(() => name(['h', 'q', 'k', 'v', 'c', 'g', 'x']), /n: expected 4 to 6 inputs, got 7/);
  assert.throws(
    () => name(['h', 'q', 'k', 'v', 'c'], { cross: true, keyBias: true }),
    /n: expected 6 to 8 inputs, got 5/,
  );
  assert.throws(
    () => name(['h', 'x', 'q', 'k', 'v', 'c', 'g', 'y'], { cross: true }),
    /n: expected 5 to 7 inputs, got 8/,
  );
});

test('attributes: every one is typed, read back, and has its near miss', () => {
  assert.equal(Object.keys(ATTRIBUTE_TYPES).sort(), Object.keys(ATTRIBUTES).sort());
  assert.equal(parseAttributes({ ...ATTRIBUTES, T: 'float32' }, 'n'), ATTRIBUTES);
  const { heads, scale, site } = ATTRIBUTES;
  assert.equal(parseAttributes({ heads, scale, site }, 'n').hiddenForm, 'tokens');
  const wrong: [string, unknown][] = [
    ['heads', 0],
    ['heads', '8'],
    ['scale', Number.NaN],
    ['scale', undefined],
    ['site', -1],
    ['cross', 1],
    ['transposeWeights', 'true'],
    ['hiddenForm', 'heads'],
    ['outputForm', 'Flat'],
  ];
  for (const [name, value] of wrong) {
    assert.throws(() => parseAttributes({ ...ATTRIBUTES, [name]: value }, 'n'), `n: attribute "${name}" must be`);
  }
});

test.run();
