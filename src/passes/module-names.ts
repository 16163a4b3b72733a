import type { PatchedSite } from '../attention/index.ts';

/**
 * The names that diffusers gives the modules of self-attentions (`down_blocks.0.attentions.0.transformer_blocks.0.attn1`), by
 * which users of other programs choose among them: those of the exporter's that are such names, or else as the ids say.
 *
 * Up blocks count from the deepest level, which is taken to be the deepest that has a self-attention.
 */
export function moduleNames(sites: readonly PatchedSite[]): ReadonlyMap<PatchedSite, string> {
  const deepest = Math.max(0, ...sites.map(({ level }) => level));
  return new Map(sites.map((site) => [site, exported(site) ?? byId(site, deepest)] as const));
}

const MODULE = /(?:down_blocks|up_blocks)\.\d+\..*|mid_block\..*/;

function exported({ scope }: PatchedSite): string | undefined {
  return MODULE.exec(scope.replaceAll('/', '.'))?.[0];
}

function byId({ id, block, level }: PatchedSite, deepest: number): string {
  const [, , attention = '0', transformer = '0'] = id.split('.');
  const from = { input: `down_blocks.${level}`, middle: 'mid_block', output: `up_blocks.${deepest - level}` }[block];
  return `${from}.attentions.${attention}.transformer_blocks.${transformer}.attn1`;
}
