import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Effects, Graph, type Pass, recordedPasses } from '../../src/graph/index.ts';
import { controlNetInputs, slothful } from '../../src/passes/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('effects of passes');

const NONE: Effects = { changes: [], needs: [] };

/** A pass that does nothing but say that it was applied. */
function pass(name: string, effects: Effects | undefined, applied: string[] = []): Pass {
  return {
    name,
    version: 1,
    options: {},
    ...(effects ? { effects } : {}),
    apply: () => {
      applied.push(name);
    },
  };
}

function effects(changes: readonly string[], needs: readonly string[] = []): Effects {
  return { changes, needs };
}

const PAIRS: ReadonlyArray<readonly [first: Effects | undefined, second: Effects | undefined, message: RegExp | null]> =
  [
    [effects(['query']), effects(['key', 'value']), null],
    [effects(['key']), effects(['key']), /pass "b" after "a": both change "key"; take a model/],
    [effects(['grid']), effects([], ['grid']), /"a" changed "grid", which "b" needs as it was/],
    [effects([], ['tokens']), effects(['tokens']), /"b" changes "tokens", which "a" needs as it was/],
    [effects(['key'], ['grid']), effects(['query'], ['grid']), null],
    [NONE, effects(['query', 'key', 'value', 'tokens', 'grid']), null],
    [undefined, effects(['key'], ['key']), null],
    [effects(['key'], ['key']), undefined, null],
  ];

for (const [first, second, message] of PAIRS) {
  const title = `${JSON.stringify(first)} then ${JSON.stringify(second)} ${message ? 'is refused' : 'goes'}`;
  test(`${title}, in one run and in two`, async () => {
    const applied: string[] = [];
    const passes = [pass('a', first, applied), pass('b', second, applied)] as const;
    const recorded = await Graph.create().transform(passes[0]);
    const again = Graph.fromJson(JSON.parse(JSON.stringify(recorded.toJson())));
    applied.length = 0;
    if (!message) {
      await Graph.create().transform(...passes);
      await again.transform(passes[1]);
      assert.equal(applied, ['a', 'b', 'b']);
      return;
    }
    await failsWith('unsupported', message, () => Graph.create().transform(...passes));
    await failsWith('unsupported', message, () => again.transform(passes[1]));
    assert.equal(applied, [], 'nothing was changed');
    assert.is(recordedPasses(again).length, 1);
  });
}

test('a pass may follow itself: a second application is its own affair', async () => {
  const twice = pass('a', effects(['key'], ['key']));
  const graph = await Graph.create().transform(twice, twice);
  assert.is(recordedPasses(graph).length, 1);
});

test('a merging of tokens is refused before and after Slothful Attention, a ControlNet is not', async () => {
  const merging = pass('token-merging', effects(['query', 'key', 'value', 'tokens', 'grid']));
  await failsWith('unsupported', /pass "slothful" after "token-merging": both change "key"/, () =>
    Graph.create().transform(merging, slothful()),
  );
  await failsWith('unsupported', /pass "token-merging" after "slothful"/, () =>
    Graph.create().transform(slothful(), merging),
  );
  await failsWith('unsupported', /no self-attention to patch/, () =>
    Graph.create().transform(slothful(), controlNetInputs()),
  );
});

test('effects of a later version of the toolkit are read as far as they are known', async () => {
  const graph = Graph.create();
  const record = { name: 'later', version: 9, options: {}, effects: { changes: ['key', 'masks'], needs: 'all' } };
  graph.setMetadata({ passes: [record] });
  await failsWith('unsupported', /both change "key"/, () => graph.transform(pass('now', effects(['key']))));
  await graph.transform(pass('now', effects(['value'])));
  assert.is(recordedPasses(graph).length, 2);
});

test.run();
