import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, Graph, type JsonObject } from '../../src/graph/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('edits of weights');

const FLOAT = { dtype: attr.type('float32') };

/** A stored weight [2, 3, 4], of which the values 0 to 23 are known, and an added one [2, 3]. */
function graphOfTwo(): Graph {
  const graph = Graph.create();
  graph.add({ name: 'stored', op: 'Const', attributes: FLOAT });
  graph.setWeightGroups([{ paths: ['a.bin'], weights: [{ name: 'stored', shape: [2, 3, 4], dtype: 'float32' }] }]);
  graph.addConstant('added', { dtype: 'int32', shape: [2, 3], values: [1, 2, 3, 4, 5, 6] });
  return graph;
}

const VALUES = Array.from({ length: 24 }, (_, index) => index);
const stored = { dtype: 'float32', shape: [2, 3, 4], values: VALUES } as const;

/** The values of [2, 3, 4] with its axes in the order 2, 0, 1, in plain words. */
const TURNED = [0, 1, 2, 3].flatMap((c) => [0, 1].flatMap((a) => [0, 1, 2].map((b) => 12 * a + 4 * b + c)));

for (const when of ['before', 'after']) {
  test(`a stored weight whose values are told ${when} the edit`, () => {
    const graph = graphOfTwo();
    if (when === 'before') graph.knowConstant('stored', stored);
    graph.editWeight('stored', { transpose: [2, 0, 1] });
    if (when === 'after') graph.knowConstant('stored', stored);
    assert.equal(graph.weight('stored'), { name: 'stored', shape: [4, 2, 3], dtype: 'float32' });
    assert.equal(graph.constant('stored'), { dtype: 'float32', shape: [4, 2, 3], values: TURNED });
    assert.equal([...graph.weightEdits], [['stored', { transpose: [2, 0, 1] }]]);
    assert.equal(graph.weightGroups[0]?.weights[0]?.shape, [2, 3, 4], 'the manifest tells what is stored');
  });
}

test('edits follow one another, and one that undoes another leaves none', () => {
  const graph = graphOfTwo();
  graph.editWeight('stored', { transpose: [2, 0, 1] });
  graph.editWeight('stored', { transpose: [0, 2, 1] });
  assert.equal([...graph.weightEdits.values()], [{ transpose: [2, 1, 0] }]);
  assert.equal(graph.weight('stored')?.shape, [4, 3, 2]);
  graph.editWeight('stored', { transpose: [2, 1, 0] });
  assert.is(graph.weightEdits.size, 0);
  assert.is(graph.toJson().format, 'graph-model');
});

test('an added constant is changed itself', () => {
  const graph = graphOfTwo();
  graph.editWeight('added', { transpose: [1, 0] });
  const turned = { dtype: 'int32', shape: [3, 2], values: [1, 4, 2, 5, 3, 6] } as const;
  assert.equal(graph.addedConstants.get('added'), turned);
  assert.equal(graph.constant('added'), turned);
  assert.is(graph.weightEdits.size, 0);
  graph.setWeightGroups([{ paths: ['b.bin'], weights: [{ name: 'added', shape: [3, 2], dtype: 'int32' }] }]);
  assert.equal(Graph.fromJson(graph.toJson()).constant('added'), turned, 'its node has the new values too');
});

test('copies have the edits, and a pass that fails leaves none', async () => {
  const graph = graphOfTwo();
  graph.editWeight('stored', { transpose: [1, 0, 2] });
  const copy = graph.clone();
  copy.editWeight('stored', { transpose: [1, 0, 2] });
  assert.is(copy.weightEdits.size, 0);
  assert.is(graph.weightEdits.size, 1);
  const fails = (edited: Graph) => {
    edited.editWeight('stored', { transpose: [2, 1, 0] });
    throw new Error('no');
  };
  try {
    await graph.transform({ name: 'fails', version: 1, options: {}, apply: fails });
    assert.unreachable();
  } catch {
    assert.equal(graph.weight('stored')?.shape, [3, 2, 4]);
  }
});

test('a weight that is gone asks for nothing', () => {
  const graph = graphOfTwo();
  graph.editWeight('stored', { transpose: [1, 0, 2] });
  graph.remove('stored');
  const json: JsonObject = graph.toJson();
  assert.ok(json.weightsManifest);
});

test('what cannot be done is refused', async () => {
  const graph = graphOfTwo();
  await failsWith('bad-graph', /weight "gone": is not there/, () => graph.editWeight('gone', { transpose: [0] }));
  for (const transpose of [
    [1, 0],
    [0, 1, 1],
    [0, 1, 3],
    [0, 1, 2, 3],
    [0.5, 1, 2],
  ]) {
    await failsWith('bad-graph', /weight "stored": has the shape \[2,3,4\]/, () =>
      graph.editWeight('stored', { transpose }),
    );
  }
  graph.editWeight('stored', { transpose: [1, 0, 2] });
  await failsWith('unsupported', /weight "stored": was changed by a pass that edits weights.*without it/, () =>
    graph.toJson(),
  );
});

test.run();
