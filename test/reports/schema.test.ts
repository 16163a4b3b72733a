import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isDocument } from '../../src/documents/index.ts';
import { slothful } from '../../src/passes/index.ts';
import { scheduleOf } from '../../src/pipeline/index.ts';
import {
  DIFF_REPORT,
  diffGraphs,
  INSPECT_REPORT,
  inspectGraph,
  PLAN_REPORT,
  planGraph,
} from '../../src/reports/index.ts';
import { goldenGraph } from '../support/golden-graph.ts';
import { publishedSchema } from '../support/published.ts';
import { tinyGraph } from '../support/tiny-model.ts';
import { FAMILIES } from '../support/unet-goldens.ts';

const test = suite('report schemas');

const validate = {
  inspect: publishedSchema('inspect-3'),
  plan: publishedSchema('plan-2'),
  diff: publishedSchema('diff-3'),
};
const declared = { inspect: INSPECT_REPORT, plan: PLAN_REPORT, diff: DIFF_REPORT };

/** Validates what a reader of the JSON sees. */
function holds(name: keyof typeof validate, report: object): void {
  const read: unknown = JSON.parse(JSON.stringify(report));
  assert.ok(validate[name](read), JSON.stringify(validate[name].errors?.slice(0, 3)));
  assert.ok(isDocument(declared[name], read), 'by the declaration too');
}

test('every name of a field is in snake_case', () => {
  const names = (value: unknown): string[] => {
    if (Array.isArray(value)) return value.flatMap(names);
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]) => [name, ...(name === 'ops' ? [] : names(inner))]);
  };
  const graph = goldenGraph('sd15');
  const plan = planGraph(graph, { schedule: scheduleOf(graph, { steps: 4 }) });
  const inspected = inspectGraph(graph);
  const compared = diffGraphs({ graph, model: 'a' }, { graph, model: 'b' });
  // The one reason that has two words is a value of the plan, and a name in its table of reasons.
  const all = new Set([inspected, plan, compared].flatMap(names).filter((name) => name !== 'late step'));
  assert.ok(all.size > 100);
  assert.equal(
    [...all].filter((name) => !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)),
    [],
  );
});

for (const family of FAMILIES) {
  test(`${family}: reports of the plain and the patched model`, async () => {
    const plain = goldenGraph(family);
    const patched = await plain.clone().transform(slothful({ compat: 'comfyui' }));
    for (const graph of [plain, patched]) {
      holds('inspect', inspectGraph(graph));
      holds('plan', planGraph(graph, { schedule: scheduleOf(graph, { steps: 4 }) }));
    }
    holds('diff', diffGraphs({ graph: plain, model: 'a' }, { graph: patched, model: 'b' }));
  });
}

test('reports of a graph without attention, and of one whose constants are not known', () => {
  const { graph } = tinyGraph();
  graph.add({ name: 'soft', op: 'Softmax', inputs: [{ node: 'with_time', output: 0 }] });
  holds('inspect', inspectGraph(graph));
  holds('diff', diffGraphs({ graph, model: 'a' }, { graph: goldenGraph('sd15'), model: 'b' }));
});

test('the schemas refuse what is not a report', () => {
  const report = inspectGraph(goldenGraph('ssd1b'));
  assert.not(validate.inspect({ ...report, schema: 'slothful-inspect/1' }));
  assert.not(validate.inspect({ ...report, sites: [{ ...report.sites[0], tokens: 'many' }] }));
  assert.not(validate.inspect({ ...report, surprise: 1 }));
  const { weights: _, ...lacking } = report;
  assert.not(validate.inspect(lacking));
  assert.not(validate.plan(report));
});

test('the document names every field of the schemas that needs a word', () => {
  const text = readFileSync(new URL('../../docs/report-schema.md', import.meta.url), 'utf8');
  for (const word of [
    'tokens',
    'kv_tokens',
    'flops',
    'logits_bytes',
    'peak_logits_bytes',
    'asked',
    'reduction',
    'reason',
    'reasons',
    'idle',
  ]) {
    assert.ok(text.includes(`**${word}**`), word);
  }
});

test.run();
