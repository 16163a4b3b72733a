import { SlothfulError } from '../../errors.ts';
import type { SlothfulParameters } from './parameters.ts';
import { parseParameters } from './parse-parameters.ts';
import type { DepthRange, SiteBlock } from './stride.ts';

/** One patched self-attention, as the model's metadata records it. Its place in the list is its row of the control table. */
export interface PatchedSite {
  readonly id: string;
  readonly block: SiteBlock;
  readonly level: number;
  readonly downscale: number;
  readonly heads: number;
  readonly headDim: number;
  readonly channels: number;
  /** Name of the `SlothfulAttention` node. */
  readonly node: string;
  /** The exporter's name scope of the attention that the node replaced. */
  readonly scope: string;
}

/** What a patched model says of itself in `userDefinedMetadata.slothful`. */
export interface SlothfulMetadata extends DepthRange {
  /** Name of the control input. */
  readonly control: string;
  readonly parameters: SlothfulParameters;
  readonly sites: readonly PatchedSite[];
}

const BLOCKS: readonly SiteBlock[] = ['input', 'middle', 'output'];

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads `userDefinedMetadata.slothful` of a model; undefined where the model is not patched.
 *
 * @throws SlothfulError `bad-model` where it is there and cannot be read
 */
export function readSlothfulMetadata(metadata: unknown, place = 'model.json'): SlothfulMetadata | undefined {
  if (!isObject(metadata) || metadata.slothful === undefined) return undefined;
  const at = `${place} userDefinedMetadata.slothful`;
  const record = metadata.slothful;
  if (!isObject(record) || !Array.isArray(record.sites)) throw bad(at, 'is not an object with a list of sites');
  return {
    control: text(record.control, `${at}.control`),
    top: positive(record.top, `${at}.top`),
    deep: positive(record.deep, `${at}.deep`),
    parameters: parseParameters(record.parameters, `${at}.parameters`),
    sites: record.sites.map((site, index) => readSite(site, `${at}.sites[${index}]`)),
  };
}

function readSite(value: unknown, place: string): PatchedSite {
  if (!isObject(value)) throw bad(place, 'is not an object');
  const block = BLOCKS.find((name) => name === value.block);
  if (!block) throw bad(`${place}.block`, `must be one of ${BLOCKS.join(', ')}`);
  return {
    id: text(value.id, `${place}.id`),
    block,
    level: positive(value.level, `${place}.level`, 0),
    downscale: positive(value.downscale, `${place}.downscale`),
    heads: positive(value.heads, `${place}.heads`),
    headDim: positive(value.headDim, `${place}.headDim`),
    channels: positive(value.channels, `${place}.channels`),
    node: text(value.node, `${place}.node`),
    scope: text(value.scope, `${place}.scope`),
  };
}

function text(value: unknown, place: string): string {
  if (typeof value === 'string') return value;
  throw bad(place, `must be a text, got ${JSON.stringify(value)}`);
}

function positive(value: unknown, place: string, least = Number.MIN_VALUE): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value;
  throw bad(place, `must be a number, got ${JSON.stringify(value)}`);
}

function bad(place: string, problem: string): SlothfulError {
  return new SlothfulError('bad-model', place, problem, 'patch the converted model again');
}
