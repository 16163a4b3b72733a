import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  controlRow,
  isUntouched,
  kvTokens,
  type SiteBlock,
  type SlothfulParameters,
  sigmaOfTimestep,
  siteStride,
} from '../../../src/passes/slothful/index.ts';
import { readJson } from '../../support/fixtures.ts';
import { DEPTHS, ownRow, poolingCases, SHORTCUT_CASES } from '../../support/pooling-cases.ts';

interface StrideCase {
  readonly family: 'sd15' | 'sdxl';
  readonly latent: [number, number];
  readonly params: SlothfulParameters;
  readonly timestep: number;
  readonly sigma: number;
  readonly kv_tokens: Record<string, number>;
}

const test = suite('slothful arithmetic against the original');
const BLOCKS: readonly SiteBlock[] = ['input', 'middle', 'output'];

function ownTokens(each: StrideCase): Record<string, number> {
  const entries = Object.keys(each.kv_tokens).map((key) => {
    const [name, level] = key.split('/');
    const block = BLOCKS.find((known) => known === name) ?? 'input';
    const downscale = 2 ** Number(level);
    const { stride } = siteStride(each.params, { block, downscale }, DEPTHS[each.family], each.sigma);
    const row = controlRow(each.params, block, stride);
    return [key, kvTokens(row, [each.latent[0] / downscale, each.latent[1] / downscale])];
  });
  return Object.fromEntries(entries);
}

const strides = readJson<StrideCase[]>('pooling/strides.json');

test('K/V tokens of every site over the schedule, 225 cases', () => {
  assert.is(strides.length, 225);
  for (const each of strides) {
    const label = `${each.family} ${each.latent} t=${each.timestep} ${JSON.stringify(each.params)}`;
    assert.equal(ownTokens(each), each.kv_tokens, label);
  }
});

test('sigma of the timesteps', () => {
  for (const { timestep, sigma } of strides) {
    assert.ok(Math.abs(sigmaOfTimestep(timestep) / sigma - 1) < 1e-9, `t=${timestep}`);
  }
});

const ours = poolingCases().filter(({ name, reference_error }) => !reference_error && !SHORTCUT_CASES.includes(name));

test('K/V tokens and untouched sites, 380 cases', () => {
  assert.is(ours.length, 380);
  for (const each of ours) {
    const { row, tokens } = ownRow(each);
    assert.is(tokens, each.kv_tokens, each.name);
    assert.is(isUntouched(row), each.unchanged, each.name);
  }
});

test('blends of 1 and 1: ours pools and crops, compat samples and does not crop', () => {
  const tokensOf = (compat?: 'comfyui') =>
    poolingCases()
      .filter(({ name }) => SHORTCUT_CASES.includes(name))
      .map((each) => [ownRow(each, compat).tokens, each.kv_tokens]);
  assert.equal(tokensOf('comfyui'), [
    [48, 48],
    [9, 9],
  ]);
  assert.equal(tokensOf(), [
    [40, 48],
    [4, 9],
  ]);
});

test('where the original throws, the window is clipped to the grid', () => {
  const failing = poolingCases().filter(({ reference_error }) => reference_error);
  assert.equal(
    failing.map((each) => [each.name, ownRow(each).tokens]),
    [['c382', 1]],
  );
});

test.run();
