import {
  choice,
  foreignObject,
  integer,
  type JsonObject,
  list,
  number,
  object,
  optional,
  readDocument,
  text,
} from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import type { Graph } from '../../graph/index.ts';
import type { Block } from '../site.ts';

/** One attention that is a node, as the model's metadata records it. Its place in the list is its row of the control table. */
export interface PatchedSite {
  readonly kind: 'self' | 'cross';
  /** Stable name: block, level, attention of that block and level, transformer block in it (`input.1.0.0`). */
  readonly id: string;
  readonly block: Block;
  readonly level: number;
  /** Linear, against the sample: 1, 2, 4, 8. */
  readonly downscale: number;
  readonly heads: number;
  readonly headDim: number;
  readonly channels: number;
  /** Name of the node. */
  readonly node: string;
  /** The exporter's name scope of the attention that the node replaced. */
  readonly scope: string;
}

/** What a model says of its attention nodes: `userDefinedMetadata.attention`. */
export interface AttentionRecord {
  /** Name of the control input; undefined while no pass has attached a stage that has columns. */
  readonly control: string | undefined;
  /** What the columns of the control table are: `<pass>.<name>`. */
  readonly columns: readonly string[];
  /** Downscale of the shallowest and of the deepest self-attention; undefined where there is none. */
  readonly top: number | undefined;
  readonly deep: number | undefined;
  /** Self-attentions in the order of execution, then cross-attentions. */
  readonly sites: readonly PatchedSite[];
}

/** What real models stay far below; numbers from outside are not believed further. */
const LIMITS = { level: 16, downscale: 65_536, heads: 4096, width: 1_048_576 };
const above0 = (maximum: number, description?: string) => {
  return number({ exclusiveMinimum: 0, maximum, ...(description ? { description } : {}) });
};

const SITE_FIELDS = {
  id: text({ description: 'block.level.attention.transformer, with .cross for a cross-attention' }),
  block: choice(['input', 'middle', 'output']),
  level: integer({ minimum: 0, maximum: LIMITS.level }),
  downscale: above0(LIMITS.downscale, 'by side, against the sample'),
  heads: above0(LIMITS.heads),
  channels: above0(LIMITS.width),
  node: text({ description: 'name of the attention node' }),
  scope: text({ description: "the exporter's name scope of the attention that it replaced" }),
};
const DEPTH_FIELDS = {
  top: optional(above0(LIMITS.downscale, 'downscale of the shallowest self-attention')),
  deep: optional(above0(LIMITS.downscale, 'downscale of the deepest self-attention')),
};

/** `userDefinedMetadata.attention` of a model: its attention nodes, and what the columns of its control input are. */
export const ATTENTION_METADATA = object(
  {
    control: optional(text({ description: 'name of the control input; absent while no stage is attached' })),
    columns: list(text(), { description: 'of the control input: <pass>.<name>' }),
    ...DEPTH_FIELDS,
    sites: list(object({ kind: choice(['self', 'cross']), ...SITE_FIELDS, head_dim: above0(LIMITS.width) }), {
      description: 'in the order of the rows of the control input',
    }),
  },
  { title: 'userDefinedMetadata.attention of a patched model' },
);

/** In version 0.1 it was Slothful Attention's own record, beside its parameters: its seven columns, its sites. */
const FIRST_VERSION = foreignObject({
  control: text(),
  ...DEPTH_FIELDS,
  sites: list(foreignObject({ ...SITE_FIELDS, headDim: above0(LIMITS.width) })),
});
const FIRST_COLUMNS = ['stride_rows', 'stride_columns', 'window_rows', 'window_columns', 'mode', 'k_blend', 'v_blend'];

/** What can be done about a record that is wrong. */
export const CURE = 'patch the converted model again';

/**
 * The record as the metadata alone have it: of version 0.1 without the cross-attentions. What it says is held against itself;
 * `readAttentionRecord` holds it against the graph.
 *
 * @throws SlothfulError `bad-model` where it cannot be read, or contradicts itself
 */
export function attentionOfMetadata(metadata: JsonObject, place: string): AttentionRecord | undefined {
  const { attention, slothful } = metadata;
  const at = `${place} userDefinedMetadata.${attention === undefined ? 'slothful' : 'attention'}`;
  const record = attention === undefined ? readFirstVersion(slothful, at) : readRecord(attention, at);
  if (record) checkDepths(record, at);
  return record;
}

/** The levels decide how much is pooled: those of the sites must be the ones that their ids and the range say. */
function checkDepths({ sites, top, deep }: AttentionRecord, at: string): void {
  for (const { id, block, level, downscale } of sites) {
    const known = placeOfId(id);
    if (level === known.level && block === known.block && downscale === known.downscale) continue;
    const problem = `is recorded as ${block} ${level}, downscale ${downscale}, which its id does not say`;
    throw new SlothfulError('bad-model', `${at} site "${id}"`, problem, CURE);
  }
  const scales = sites.filter(({ kind }) => kind === 'self').map(({ downscale }) => downscale);
  const [least, most] = scales.length ? [Math.min(...scales), Math.max(...scales)] : [];
  if (top === least && deep === most) return;
  const problem = `says that downscales go from ${top} to ${deep}, and those of its sites go from ${least} to ${most}`;
  throw new SlothfulError('bad-model', at, problem, CURE);
}

/** Writes the record into the graph's metadata; that of version 0.1 goes. */
export function writeAttentionRecord(graph: Graph, record: AttentionRecord): void {
  const { slothful: _, ...metadata } = graph.metadata;
  const { control, columns, top, deep, sites } = record;
  const attention = {
    ...(control === undefined ? {} : { control }),
    columns,
    ...(top === undefined || deep === undefined ? {} : { top, deep }),
    sites: sites.map(({ headDim, ...site }) => ({ ...site, head_dim: headDim })),
  };
  graph.setMetadata({ ...metadata, attention });
}

function readRecord(value: unknown, place: string): AttentionRecord {
  const { control, columns, top, deep, sites } = readDocument(ATTENTION_METADATA, value, readOptions(place));
  return {
    ...{ control, columns, top, deep },
    sites: sites.map(({ head_dim, ...site }) => ({ ...site, headDim: head_dim })),
  };
}

function readFirstVersion(value: unknown, place: string): AttentionRecord | undefined {
  if (value === undefined) return undefined;
  const { control, top, deep, sites } = readDocument(FIRST_VERSION, value, readOptions(place));
  const columns = FIRST_COLUMNS.map((name) => `slothful.${name}`);
  return { control, columns, top, deep, sites: sites.map((site) => ({ kind: 'self', ...site })) };
}

function readOptions(place: string) {
  return { place, code: 'bad-model', cure: CURE } as const;
}

/** Block and level as an id says them. */
export function placeOfId(id: string): Pick<PatchedSite, 'block' | 'level' | 'downscale'> {
  const [name, level = '0'] = id.split('.');
  const depth = /^\d{1,2}$/.test(level) ? Math.min(Number(level), LIMITS.level) : 0;
  const block = name === 'input' || name === 'output' ? name : 'middle';
  return { block, level: depth, downscale: 2 ** depth };
}
