import type { BlockConfig, UNetConfig } from './config.ts';

/** The resnets and transformer blocks of one down or up block, by their diffusers names. */
function blockModules(block: string, { depths }: BlockConfig): string[] {
  return depths.flatMap((depth, index) => [
    `${block}.resnets.${index}`,
    ...transformerModules(`${block}.attentions.${index}`, depth),
  ]);
}

function transformerModules(attention: string, depth: number): string[] {
  return Array.from({ length: depth }, (_, block) => `${attention}.transformer_blocks.${block}`);
}

/** The modules of the half of a UNet that ControlNets have too: down blocks and the middle. */
export function halfModules({ down, mid }: UNetConfig): string[] {
  const sides = down.flatMap((block, level) => blockModules(`down_blocks.${level}`, block));
  return mid ? [...sides, 'mid_block.resnets.0', ...transformerModules('mid_block.attentions.0', mid.depth)] : sides;
}

/**
 * Every resnet and transformer block that a config claims, by its diffusers name: what a checkpoint must have tensors of.
 *
 * Source: diffusers, the modules of `UNet2DConditionModel`.
 */
export function unetModules(config: UNetConfig): string[] {
  return [...halfModules(config), ...config.up.flatMap((block, level) => blockModules(`up_blocks.${level}`, block))];
}
