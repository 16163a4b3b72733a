import { ATTENTION_METADATA } from '../../src/attention/index.ts';
import { jsonSchemaOf, type TSchema } from '../../src/documents/index.ts';
import { PIPELINE_DOCUMENT } from '../../src/models/index.ts';
import { RUN_DOCUMENT, RUN_PARAMETERS } from '../../src/pipeline/index.ts';
import { DIFF_REPORT, INSPECT_REPORT, PLAN_REPORT } from '../../src/reports/index.ts';
import { SWEEP_DOCUMENT } from '../../src/sweeps/index.ts';
import { WORKFLOW_DOCUMENT } from '../../src/workflows/index.ts';

/** A schema that is published in docs/schema, from the definition that the code reads and writes by. */
interface Published {
  /** As in `slothful-<name>.schema.json`: the document and its version. */
  readonly name: string;
  readonly schema: TSchema;
  /** Who the document is written by: `'user'` may leave out what has a default. */
  readonly writtenBy: 'us' | 'user';
}

const PUBLISHED: readonly Published[] = [
  { name: 'run-1', schema: RUN_DOCUMENT, writtenBy: 'us' },
  { name: 'sweep-1', schema: SWEEP_DOCUMENT, writtenBy: 'us' },
  { name: 'inspect-3', schema: INSPECT_REPORT, writtenBy: 'us' },
  { name: 'plan-2', schema: PLAN_REPORT, writtenBy: 'us' },
  { name: 'diff-3', schema: DIFF_REPORT, writtenBy: 'us' },
  { name: 'attention-metadata', schema: ATTENTION_METADATA, writtenBy: 'us' },
  { name: 'pipeline-1', schema: PIPELINE_DOCUMENT, writtenBy: 'us' },
  { name: 'workflow-1', schema: WORKFLOW_DOCUMENT, writtenBy: 'us' },
  { name: 'parameters', schema: RUN_PARAMETERS, writtenBy: 'user' },
];

/** The files of docs/schema that are made of definitions, by name, with their text. */
export function schemaFiles(): ReadonlyMap<string, string> {
  const files = PUBLISHED.map(({ name, schema, writtenBy }) => {
    const published = jsonSchemaOf(schema, writtenBy === 'us' ? 'reader' : 'writer');
    return [`slothful-${name}.schema.json`, `${JSON.stringify(published, null, 2)}\n`] as const;
  });
  return new Map(files);
}
