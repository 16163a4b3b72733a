import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slothful } from '../../src/passes/index.ts';
import { scheduleOf } from '../../src/pipeline/index.ts';
import { diffGraphs, inspectGraph, planGraph } from '../../src/reports/index.ts';
import { goldenGraph } from '../support/golden-graph.ts';
import { tinyGraph } from '../support/tiny-model.ts';
import { FAMILIES } from '../support/unet-goldens.ts';

const test = suite('report schemas');

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });

function schema(name: 'inspect' | 'plan' | 'diff'): ValidateFunction {
  const file = new URL(`../../docs/schema/slothful-${name}-1.schema.json`, import.meta.url);
  return ajv.compile(JSON.parse(readFileSync(file, 'utf8')));
}

const validate = { inspect: schema('inspect'), plan: schema('plan'), diff: schema('diff') };

/** Validates what a reader of the JSON sees. */
function holds(name: keyof typeof validate, report: object): void {
  const valid = validate[name](JSON.parse(JSON.stringify(report)));
  assert.ok(valid, JSON.stringify(validate[name].errors?.slice(0, 3)));
}

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

test('the schemas refuse what is no report', () => {
  const report = inspectGraph(goldenGraph('ssd1b'));
  assert.not(validate.inspect({ ...report, schema: 'slothful-inspect/2' }));
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
    'kvTokens',
    'flops',
    'logitsBytes',
    'peakLogitsBytes',
    'asked',
    'reduction',
    'reason',
    'idle',
  ]) {
    assert.ok(text.includes(`**${word}**`), word);
  }
});

test.run();
