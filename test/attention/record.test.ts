import { suite } from 'uvu';
import { surveyGraph } from '../../src/attention/index.ts';
import { Graph, isObject, type JsonObject } from '../../src/graph/index.ts';
import { appliedPasses, readSlothfulMetadata, slothful } from '../../src/passes/index.ts';
import { failsWith } from '../support/errors.ts';
import { goldenGraph } from '../support/golden-graph.ts';

const test = suite('what metadata say of attention nodes is held against the graph');

interface Lie {
  readonly record: JsonObject & { sites: JsonObject[]; columns: string[] };
  site(index: number): JsonObject;
}

/** A patched graph whose record says something else. */
async function lying(change: (lie: Lie) => void): Promise<Graph> {
  const graph = goldenGraph('sd15');
  await graph.transform(slothful());
  const json: unknown = JSON.parse(JSON.stringify(graph.toJson()));
  const metadata = isObject(json) && isObject(json.userDefinedMetadata) ? json.userDefinedMetadata : {};
  const record = metadata.attention as Lie['record'];
  change({ record, site: (index) => record.sites[index] ?? {} });
  return Graph.fromJson(json);
}

const swap = ({ record: { sites } }: Lie, a: number, b: number) => {
  [sites[a], sites[b]] = [sites[b] ?? {}, sites[a] ?? {}];
};

/** What is said, and whether it contradicts the metadata themselves. */
const LIES: readonly (readonly [what: string, change: (lie: Lie) => void, message: RegExp, alone?: true])[] = [
  [
    'heads',
    ({ site }) => Object.assign(site(0), { heads: 2 }),
    /site "input\.0\.0\.0": is recorded with the heads 2, .*8/,
  ],
  [
    'heads that do not end',
    ({ site }) => Object.assign(site(0), { heads: 1e8 }),
    /heads must be .* at most 4096/,
    true,
  ],
  ['the width of a head', ({ site }) => Object.assign(site(1), { head_dim: 3 }), /with the head_dim 3, and its node/],
  ['channels', ({ site }) => Object.assign(site(0), { channels: 64 }), /with the channels 64, and its node .* has 16/],
  [
    'the kind',
    ({ site }) => Object.assign(site(15), { kind: 'cross' }),
    /with the kind cross, and its node .* has self/,
  ],
  [
    'a level',
    ({ site }) => Object.assign(site(0), { level: 3 }),
    /is recorded as input 3, downscale 1, which its id/,
    true,
  ],
  ['a level that does not end', ({ site }) => Object.assign(site(0), { level: 1e8 }), /level must be .* to 16/, true],
  ['a downscale', ({ site }) => Object.assign(site(0), { downscale: 8 }), /recorded as input 0, downscale 8/, true],
  [
    'a level with the id',
    ({ site }) => Object.assign(site(0), { id: 'input.1.0.0', level: 1, downscale: 2 }),
    /site "input\.1\.0\.0": is recorded with the id input\.1\.0\.0, and its node .* has input\.0\.0\.0/,
  ],
  [
    'the shallowest',
    ({ record }) => Object.assign(record, { top: 8 }),
    /downscales go from 8 to 8, .* from 1 to 8/,
    true,
  ],
  ['the order', (lie) => swap(lie, 0, 1), /is recorded with the row 0, and its node .* has 1/],
  [
    'a site twice',
    (lie) => lie.record.sites.splice(1, 1, lie.site(0)),
    /is recorded with the row 1|is not in the graph/,
  ],
  ['one too few', ({ record }) => record.sites.pop(), /its record has no site for the node "slothful\/output/],
  ['columns', ({ record }) => record.columns.splice(0, 1, 'other.a'), /stage "slothful" from column 0 on, .* other\.a/],
  ['one column more', ({ record }) => record.columns.push('slothful.b'), /has 7 columns, and 8 are recorded/],
  [
    'the table',
    ({ record }) => Object.assign(record, { control: 'sample' }),
    /reads the control table "slothful_control"/,
  ],
];

for (const [what, change, message, alone] of LIES) {
  test(`refuses ${what}, whoever reads it`, async () => {
    const graph = await lying(change);
    await failsWith('bad-model', message, () => surveyGraph(graph, 'm.json'));
    await failsWith('bad-model', message, () => appliedPasses(graph, 'm.json'));
    if (alone) await failsWith('bad-model', message, () => readSlothfulMetadata(graph.metadata, 'm.json'));
  });
}

test('what is true is read', async () => {
  surveyGraph(await lying(() => undefined));
});

test.run();
