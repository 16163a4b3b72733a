import { isObject, type JsonObject } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import type { Graph } from '../../graph/index.ts';
import type { Block } from '../site.ts';
import { ATTENTION_OP, readAttributes } from './contract.ts';
import { innerWidth } from './shape-rule.ts';

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

const BLOCKS: readonly Block[] = ['input', 'middle', 'output'];
const CURE = 'patch the converted model again';
/** What real models stay far below; numbers from outside are not believed further. */
const LIMITS = { level: 16, downscale: 65_536, heads: 4096, width: 1_048_576 };

/**
 * Reads what a graph says of its attention nodes; undefined where it has none. Models of version 0.1, which recorded
 * self-attentions only, as part of Slothful Attention, are read the same.
 *
 * @throws SlothfulError `bad-model` where the record is there and cannot be read, or is not of this graph; `bad-graph` for a
 *   node that cannot be read
 */
export function readAttentionRecord(graph: Graph, place = 'model.json'): AttentionRecord | undefined {
  const record = attentionOfMetadata(graph.metadata, place);
  if (!record) return undefined;
  const names = new Set([...graph.nodes].filter(({ op }) => op === ATTENTION_OP).map(({ name }) => name));
  const missing = record.sites.find(({ node }) => !names.has(node));
  if (missing) throw bad(`${place} site "${missing.id}"`, `its node "${missing.node}" is not in the graph`);
  const recorded = new Set(record.sites.map(({ node }) => node));
  const isFirstVersion = graph.metadata.attention === undefined;
  const others = isFirstVersion ? [...names].filter((name) => !recorded.has(name)) : [];
  return { ...record, sites: [...record.sites, ...others.map((name) => siteOfNode(graph, name))] };
}

/** The record as the metadata alone have it: of version 0.1 without the cross-attentions. @throws SlothfulError `bad-model` */
export function attentionOfMetadata(metadata: JsonObject, place: string): AttentionRecord | undefined {
  const { attention, slothful } = metadata;
  return attention === undefined
    ? readFirstVersion(slothful, `${place} userDefinedMetadata.slothful`)
    : readRecord(attention, `${place} userDefinedMetadata.attention`);
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
  if (!isObject(value) || !Array.isArray(value.sites)) throw bad(place, 'is not an object with a list of sites');
  const { control, columns = [], top, deep, sites } = value;
  if (!Array.isArray(columns)) throw bad(`${place}.columns`, 'must be a list of names');
  return {
    control: control === undefined ? undefined : text(control, `${place}.control`),
    columns: columns.map((column, index) => text(column, `${place}.columns[${index}]`)),
    ...depthOf(top, deep, place),
    sites: sites.map((site, index) => readSite(site, `${place}.sites[${index}]`)),
  };
}

/** In version 0.1 the record was Slothful Attention's own: its seven columns, its sites, its parameters. */
function readFirstVersion(value: unknown, place: string): AttentionRecord | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value) || !Array.isArray(value.sites)) throw bad(place, 'is not an object with a list of sites');
  return {
    control: text(value.control, `${place}.control`),
    columns: FIRST_COLUMNS.map((name) => `slothful.${name}`),
    ...depthOf(value.top, value.deep, place),
    sites: value.sites.map((site, index) => readSite(site, `${place}.sites[${index}]`)),
  };
}

const FIRST_COLUMNS = ['stride_rows', 'stride_columns', 'window_rows', 'window_columns', 'mode', 'k_blend', 'v_blend'];

function depthOf(top: unknown, deep: unknown, place: string): Pick<AttentionRecord, 'top' | 'deep'> {
  if (top === undefined && deep === undefined) return { top: undefined, deep: undefined };
  const { downscale } = LIMITS;
  return { top: number(top, `${place}.top`, downscale), deep: number(deep, `${place}.deep`, downscale) };
}

function readSite(value: unknown, place: string): PatchedSite {
  if (!isObject(value)) throw bad(place, 'is not an object');
  const block = BLOCKS.find((name) => name === value.block);
  if (!block) throw bad(`${place}.block`, `must be one of ${BLOCKS.join(', ')}`);
  const { kind = 'self', head_dim = value.headDim } = value;
  if (kind !== 'self' && kind !== 'cross') throw bad(`${place}.kind`, 'must be self or cross');
  return {
    kind,
    id: text(value.id, `${place}.id`),
    block,
    level: number(value.level, `${place}.level`, LIMITS.level, 0),
    downscale: number(value.downscale, `${place}.downscale`, LIMITS.downscale),
    heads: number(value.heads, `${place}.heads`, LIMITS.heads),
    headDim: number(head_dim, `${place}.head_dim`, LIMITS.width),
    channels: number(value.channels, `${place}.channels`, LIMITS.width),
    node: text(value.node, `${place}.node`),
    scope: text(value.scope, `${place}.scope`),
  };
}

/** What a node says of itself: a site that no record names. */
function siteOfNode(graph: Graph, name: string): PatchedSite {
  const node = graph.expectNode(name, 'its record');
  const { id, cross, heads, transposeWeights } = readAttributes(node);
  const weight = graph.weight(node.inputs[cross ? 2 : 1]?.node ?? '')?.shape ?? [];
  const channels = innerWidth(weight, transposeWeights) ?? Number.NaN;
  const kind = cross ? 'cross' : 'self';
  return {
    kind,
    id: id || name,
    ...placeOfId(id),
    heads,
    headDim: channels / heads,
    channels,
    node: name,
    scope: name,
  };
}

/** Block and level as an id says them. */
export function placeOfId(id: string): Pick<PatchedSite, 'block' | 'level' | 'downscale'> {
  const [name, level = '0'] = id.split('.');
  const depth = /^\d{1,2}$/.test(level) ? Math.min(Number(level), LIMITS.level) : 0;
  const block = name === 'input' || name === 'output' ? name : 'middle';
  return { block, level: depth, downscale: 2 ** depth };
}

function text(value: unknown, place: string): string {
  if (typeof value === 'string') return value;
  throw bad(place, `must be a text, got ${shown(value)}`);
}

function number(value: unknown, place: string, most: number, least = Number.MIN_VALUE): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw bad(place, `must be a number up to ${most}, got ${shown(value)}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 40);
}

function bad(place: string, problem: string): SlothfulError {
  return new SlothfulError('bad-model', place, problem, CURE);
}
