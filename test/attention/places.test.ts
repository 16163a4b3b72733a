import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { weightSpec } from '../../converters/nn/index.ts';
import { buildUNet, parseUNetConfig } from '../../converters/unet/index.ts';
import { type AttentionSite, type Location, locate } from '../../src/attention/index.ts';
import { type Graph, isObject } from '../../src/graph/index.ts';
import { smallUNet, type UNetVariant } from './small-unet.ts';
import { withoutValues } from './without-values.ts';

const test = suite('places of attentions');

/** The graph of a real model's size, without its weights. */
function familyGraph(name: string): Graph {
  const json: unknown = JSON.parse(
    readFileSync(new URL(`../../fixtures/families/${name}.json`, import.meta.url), 'utf8'),
  );
  assert.ok(isObject(json));
  const { graph, weights } = buildUNet(parseUNetConfig(isObject(json) ? json.config : undefined), 'test');
  graph.setWeightGroups([{ paths: ['weights.bin'], weights: weights.map((plan) => weightSpec(plan, 'float16')) }]);
  return graph;
}

/** `block level heads x dim` and how many, for the sites of a kind in the order in which they run. */
function census({ sites }: Location, kind: AttentionSite['kind']): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const site of sites.filter((item) => item.kind === kind)) {
    const key = `${site.block} ${site.downscale} ${site.heads}x${site.headDim}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

const FAMILIES: ReadonlyArray<{
  name: string;
  top: number;
  deep: number;
  context: number;
  sites: Record<string, number>;
}> = [
  {
    name: 'sd15',
    top: 1,
    deep: 8,
    context: 768,
    sites: {
      'input 1 8x40': 2,
      'input 2 8x80': 2,
      'input 4 8x160': 2,
      'middle 8 8x160': 1,
      'output 4 8x160': 3,
      'output 2 8x80': 3,
      'output 1 8x40': 3,
    },
  },
  {
    name: 'sdxl',
    top: 2,
    deep: 4,
    context: 2048,
    sites: { 'input 2 10x64': 4, 'input 4 20x64': 20, 'middle 4 20x64': 10, 'output 4 20x64': 30, 'output 2 10x64': 6 },
  },
  {
    name: 'ssd1b',
    top: 2,
    deep: 4,
    context: 2048,
    sites: { 'input 2 10x64': 4, 'input 4 20x64': 8, 'output 4 20x64': 18, 'output 2 10x64': 4 },
  },
];

for (const { name, top, deep, context, sites } of FAMILIES) {
  const graph = familyGraph(name);
  const location = locate(graph);

  test(`${name}: every self-attention and cross-attention, in its block and level`, () => {
    assert.equal(location.rejections, []);
    assert.equal(census(location, 'self'), sites);
    assert.equal(census(location, 'cross'), sites);
    assert.is(location.top, top);
    assert.is(location.deep, deep);
  });

  test(`${name}: scale, widths, forms and grids`, () => {
    for (const site of location.sites) {
      assert.ok(Math.abs((site.scale ?? NaN) - (site.headDim ?? NaN) ** -0.5) < 1e-7, site.id);
      assert.is(site.channels, (site.heads ?? NaN) * (site.headDim ?? NaN));
      assert.is(site.contextChannels, site.kind === 'self' ? site.channels : context);
      assert.equal([site.hiddenForm, site.contextForm, site.outputForm], ['flat', 'flat', 'flat']);
      assert.ok(
        site.grid && site.scope.startsWith(site.grid.node.replace(/\/norm\/out$/, '/transformer_blocks/')),
        site.id,
      );
      assert.is(site.query.bias, undefined);
    }
  });

  test(`${name}: ids are unique, and follow diffusers' numbers`, () => {
    assert.is(new Set(location.sites.map(({ id }) => id)).size, location.sites.length);
    for (const { id, scope, kind, block } of location.sites) {
      const [, , attention, transformer] = id.split('.');
      const suffix = kind === 'cross' ? '2' : '1';
      assert.ok(
        scope.endsWith(`attentions/${attention}/transformer_blocks/${transformer}/attn${suffix}`),
        `${id} ${scope}`,
      );
      assert.ok(scope.startsWith({ input: 'down_', middle: 'mid_', output: 'up_' }[block]), `${id} ${scope}`);
    }
  });

  test(`${name}: a lone model.json tells the same places, and why heads are not known`, () => {
    const bare = locate(withoutValues(graph));
    assert.equal(bare.rejections, []);
    const place = ({ id, kind, block, level, output, channels }: AttentionSite) => ({
      id,
      kind,
      block,
      level,
      output,
      channels,
    });
    assert.equal(bare.sites.map(place), location.sites.map(place));
    assert.ok(bare.sites.every(({ heads, scale, grid }) => heads === undefined && scale === undefined && !grid));
    assert.match(bare.sites[0]?.unknown ?? '', /^the values of the constant ".*" are not in the document$/);
  });
}

const SMALL = [
  'input.0.0.0',
  'input.1.0.0',
  'middle.1.0.0',
  'output.1.0.0',
  'output.1.1.0',
  'output.0.0.0',
  'output.0.1.0',
];

const VARIANTS: ReadonlyArray<{ name: string; variant: UNetVariant; ids?: readonly string[] }> = [
  { name: 'plain', variant: {} },
  {
    name: 'without a middle attention',
    variant: { middle: false },
    ids: SMALL.filter((id) => !id.startsWith('middle')),
  },
  { name: 'with a mask joined to the sample', variant: { inpainting: true } },
  { name: 'with the residuals of a ControlNet', variant: { residuals: true } },
  { name: 'with parallel branches', variant: { branches: true } },
  { name: 'with gates over all pixels', variant: { gates: true } },
  { name: 'with a hint of twice the size', variant: { hint: true } },
  {
    name: 'two transformer blocks deep',
    variant: { depth: 2 },
    ids: SMALL.flatMap((id) => [id, id.replace(/0$/, '1')]),
  },
];

for (const { name, variant, ids = SMALL } of VARIANTS) {
  test(`a small UNet ${name}`, () => {
    const { graph } = smallUNet(variant);
    const location = locate(graph);
    assert.equal(location.rejections, []);
    assert.equal(
      location.sites.map(({ id }) => id),
      ids.flatMap((id) => [id, `${id}.cross`]),
    );
    for (const { grid, scope, id } of location.sites) {
      const expected = `${scope.split('/attn/')[0]}/res/add`.replace('mid/res', 'mid/res0');
      assert.is(grid?.node, expected, id);
    }
    assert.equal([location.top, location.deep], [1, 2]);
  });

  test(`a small UNet ${name}, without the values of constants`, () => {
    const { sites, rejections } = locate(withoutValues(smallUNet(variant).graph));
    assert.equal(rejections, []);
    assert.equal(
      sites.map(({ id }) => id),
      ids.flatMap((id) => [id, `${id}.cross`]),
    );
  });
}

test.run();
