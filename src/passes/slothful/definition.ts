import {
  type AttentionSize,
  type AttentionStage,
  attentionOfMetadata,
  type Grid,
  type PatchedSite,
  type StageRow,
} from '../../attention/index.ts';
import { isObject, type JsonObject } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import type { Pass } from '../../graph/index.ts';
import type { PassStep, SiteFacts } from '../definition.ts';
import { makePass } from '../make-pass.ts';
import { builtInPass } from '../registry.ts';
import {
  type ControlRow,
  controlRow,
  decodeControl,
  encodeControl,
  isUntouched,
  kvTokens,
  pooledGrid,
  SLOTHFUL_COLUMNS,
} from './control.ts';
import { poolKeysValues } from './kv-pooling.ts';
import {
  ALL_PARAMETERS,
  parseParameters,
  SIMPLE_PARAMETERS,
  type SlothfulOptions,
  type SlothfulParameters,
  simpleParameters,
} from './parameters.ts';
import { type DepthRange, siteStride } from './stride.ts';

const NAME = 'slothful';
const SECOND = 'slothful-second';

/** What a hook is told of the step that is about to run. */
export type HookStep = PassStep<SlothfulParameters>;

/**
 * Decides before every step what each site does: one row a site, in the order of `step.sites`. Called on the CPU, once
 * a step; users may replace it by any function of their own.
 */
export type SlothfulHook = (step: HookStep) => readonly ControlRow[];

/**
 * The hook that a model has at first: the strides that the parameters ask for at this sigma. Sites of one block and
 * level have the same row, which is worked out once: SDXL's 70 sites have five.
 */
export const defaultHook: SlothfulHook = ({ sites, sigma, parameters, top, deep, latent }) => {
  const rows = new Map<string, ControlRow>();
  return sites.map((site) => {
    const key = `${site.block} ${site.downscale}`;
    const known = rows.get(key);
    if (known) return known;
    const { stride } = siteStride(parameters, site, { top, deep }, sigma, latent);
    const row = controlRow(parameters, site.block, stride);
    rows.set(key, row);
    return row;
  });
};

/** The stage: what keys and values are made of is sampled and pooled before the projections. */
const STAGE: AttentionStage = {
  name: NAME,
  order: 100,
  columns: SLOTHFUL_COLUMNS,
  effects: { changes: ['key', 'value'], needs: ['tokens', 'grid'] },
  isOff: (row) => isUntouched(decodeControl(row, 0)),
  size: (size, values) => ({ ...size, keys: keysLeft(size, values) }),
  keysValues(context, [hiddenStates], values) {
    const row = decodeControl(values, 0);
    return poolKeysValues(context, hiddenStates, row, gridOf(context.grid, hiddenStates.shape[1], row));
  },
};

function keysLeft({ keys, grid }: AttentionSize, values: StageRow): number {
  const row = decodeControl(values, 0);
  return isUntouched(row) ? keys : kvTokens(row, gridOf(grid ?? [keys, 1], keys, row));
}

/**
 * The grid that tokens are pooled on. Over the flattened tokens any number of them can be.
 *
 * @throws SlothfulError `bad-input` where they are no grid: none is known, or another pass has pooled them before
 */
function gridOf(grid: Grid | undefined, tokens: number, { mode }: ControlRow): Grid {
  if (grid && grid[0] * grid[1] === tokens) return grid;
  if (grid && mode.startsWith('1D')) return [tokens, 1];
  const problem = `${tokens} tokens are not those of the grid ${grid ? grid.join(' x ') : '(none given)'}`;
  const cure = grid ? 'take a 1D mode after a pass that pools' : 'give the rows and columns of the hidden states';
  throw new SlothfulError('bad-input', NAME, problem, cure);
}

/** Slothful Attention as a pass among its peers. */
export const SLOTHFUL = builtInPass({
  name: NAME,
  version: 2,
  summary: 'keys and values of self-attentions are sampled, pooled and blended',
  parameters: ALL_PARAMETERS,
  presets: {
    simple: {
      help: "the Simple node's parameters",
      parameters: SIMPLE_PARAMETERS,
      expand: (values) => simpleParameters(values, 'preset simple'),
    },
  },
  stage: STAGE,
  rows: (step) => rowsOfHook(defaultHook(step)),
  explain: explainSite,
});

/**
 * A second node behind the first, as ComfyUI chains them: where it acts, keys and values both are what it makes of the
 * first's keys' input, and the first's values are lost. The model runs without the first as well.
 * Source: `attn1_patch` of ComfyUI, which hands each patch what the one before it left.
 */
export const SLOTHFUL_SECOND = builtInPass({
  ...SLOTHFUL,
  name: SECOND,
  version: 1,
  summary: 'a second Slothful Attention, which pools what the first left',
  stage: { ...STAGE, name: SECOND, order: 101, effects: { ...STAGE.effects, joins: [NAME] } },
});

/** The rows of a hook as the values of the control table. @throws SlothfulError `bad-input` for rows that no layer could run */
export function rowsOfHook(rows: readonly ControlRow[]): Float32Array[] {
  return rows.map((row) => encodeControl([row]));
}

function explainSite(step: HookStep, site: PatchedSite, grid: readonly [number, number]): SiteFacts {
  const stride = siteStride(step.parameters, site, step, step.sigma, step.latent);
  const row = controlRow(step.parameters, site.block, stride.stride);
  const [rows, columns] = pooledGrid(row, grid);
  const clipped = !isUntouched(row) && (row.strideRows > rows || row.strideColumns > columns);
  return {
    facts: { asked: stride.stride, stride_rows: row.strideRows, stride_columns: row.strideColumns, clipped },
    reason: stride.pooled ? null : stride.reason,
  };
}

/** What else the pass can be told. */
export interface RewriteOptions {
  /** Also put one node in the place of each cross-attention (same result; 8 times faster on wasm). Default true. */
  readonly crossAttention?: boolean;
}

/**
 * The pass that puts Slothful Attention into a UNet: each self-attention becomes one node that pools and blends its keys'
 * and values' input as the control input says.
 *
 * `await graph.transform(slothful({ in_strength: 8, out_k_blend: 0.5 }))`
 *
 * The parameters are recorded as the model's defaults: nothing of the graph depends on them, so a model that is
 * patched already is only given the new ones.
 *
 * @throws SlothfulError `bad-parameter`; on apply `unsupported` where there is no self-attention that can be rewritten
 */
export function slothful(options: SlothfulOptions = {}, rewrite: RewriteOptions = {}): Pass {
  return makePass(SLOTHFUL, options, rewrite);
}

/** What a model that has Slothful Attention says of it. */
export interface SlothfulMetadata extends DepthRange {
  /** Name of the control input. */
  readonly control: string;
  readonly parameters: SlothfulParameters;
  readonly sites: readonly PatchedSite[];
}

/**
 * Reads what a model's `userDefinedMetadata` say of Slothful Attention; undefined where it is not patched.
 *
 * @throws SlothfulError `bad-model` where it is there and cannot be read
 */
export function readSlothfulMetadata(metadata: unknown, place = 'model.json'): SlothfulMetadata | undefined {
  if (!isObject(metadata)) return undefined;
  const options = recordedOptions(metadata);
  const record = options === undefined ? undefined : attentionOfMetadata(metadata, place);
  if (!record) return undefined;
  const { control, top, deep, sites } = record;
  if (control === undefined || top === undefined || deep === undefined) {
    throw new SlothfulError('bad-model', place, 'records Slothful Attention and no control input', 'patch it again');
  }
  const at = `${place} userDefinedMetadata.passes "${NAME}"`;
  return {
    ...{ control, top, deep },
    parameters: parseParameters(options, at),
    sites: sites.filter(({ kind }) => kind === 'self'),
  };
}

/** The parameters as they are recorded: by version 0.1 beside the sites. */
function recordedOptions({ passes, slothful: first }: JsonObject): unknown {
  if (first !== undefined) return isObject(first) ? first.parameters : {};
  const own = (Array.isArray(passes) ? passes : []).find((pass) => isObject(pass) && pass.name === NAME);
  return isObject(own) ? own.options : undefined;
}
