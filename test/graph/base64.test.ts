import { suite } from 'uvu';
import { readAttributes } from '../../src/attention/index.ts';
import { Graph } from '../../src/graph/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('what should be base64');

test('a constant that is not is named', async () => {
  const tensor = { dtype: 'DT_FLOAT', tensorShape: { dim: [{ size: '1' }] }, tensorContent: 'not base64!' };
  const node = [{ name: 'scale', op: 'Const', attr: { value: { tensor } } }];
  await failsWith('bad-graph', /^node "scale": an attribute is not base64: "not base64!"$/, () =>
    Graph.fromJson({ modelTopology: { node } }),
  );
});

test('so is a text of an attention node', async () => {
  const graph = Graph.fromJson({
    modelTopology: { node: [{ name: 'a', op: 'SlothfulAttention', attr: { id: { s: '*' } } }] },
  });
  await failsWith('bad-graph', /an attribute is not base64: "\*"/, () =>
    readAttributes(graph.expectNode('a', 'the test')),
  );
});

test.run();
