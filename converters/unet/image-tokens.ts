import { attr, type Endpoint, type JsonObject } from '../../src/graph/index.ts';
import { type GraphBuilder, signatureTensor } from '../nn/index.ts';
import type { UNetConfig } from './config.ts';
import { type ImageProjection, projectImage } from './image-projection.ts';

/** An IP-Adapter, as far as a graph depends on it. */
export interface ImageAdapter {
  readonly projection: ImageProjection;
  /** Width of the image tokens, which is that of the text's. */
  readonly contextDim: number;
}

/** What cross-attentions need to attend to image tokens. */
export interface ImageContext {
  /** [B * tokens, contextDim] */
  readonly tokens: Endpoint;
  readonly contextDim: number;
  /** The weight of what they see, []. */
  readonly scale: Endpoint;
  /** The adapter's number of a cross-attention, by its diffusers name. */
  idOf(module: string): number;
}

/**
 * Adds an adapter's inputs and makes image tokens of them: `image_embeds`, [B, embedDim] for a base adapter, [B, patches,
 * embedDim] for a plus or a full one, and `ip_adapter_scale` [], which is 1 where it is not fed.
 */
export function imageContext(builder: GraphBuilder, config: UNetConfig, adapter: ImageAdapter): ImageContext {
  const { projection, contextDim } = adapter;
  const embeds = builder.placeholder('image_embeds', embedsShape(adapter));
  const scale = builder.graph.add({
    name: 'ip_adapter_scale',
    op: 'PlaceholderWithDefault',
    inputs: [builder.float(1)],
    attributes: { dtype: attr.type('float32'), shape: attr.shape([]) },
  });
  const ids = new Map(crossAttentions(config).map(({ module }, index) => [module, 2 * index + 1]));
  const tokens = projectImage(builder, embeds, projection, contextDim);
  return { tokens, contextDim, scale, idOf: (module) => ids.get(module) ?? 0 };
}

function embedsShape({ projection }: ImageAdapter): number[] {
  return projection.kind === 'base' ? [-1, projection.embedDim] : [-1, -1, projection.embedDim];
}

/** The inputs that a signature has more with an adapter. The scale stays out of it, as optional inputs do. */
export function imageSignature(adapter: ImageAdapter): JsonObject {
  return { image_embeds: signatureTensor('image_embeds', embedsShape(adapter)) };
}

/**
 * The cross-attentions of a UNet in the order in which IP-Adapters number them: down, up, middle, as PyTorch registers
 * the modules. The numbers are odd, since the self-attentions count too.
 */
export function crossAttentions({ down, up, mid }: UNetConfig): { module: string; channels: number }[] {
  const named = (transformer: string, depth: number, channels: number) =>
    Array.from({ length: depth }, (_, block) => ({
      module: `${transformer}.transformer_blocks.${block}.attn2`,
      channels,
    }));
  const side = (name: string, blocks: UNetConfig['down']) =>
    blocks.flatMap(({ depths, width }, level) =>
      depths.flatMap((depth, index) => named(`${name}.${level}.attentions.${index}`, depth, width)),
    );
  const middle = mid ? named('mid_block.attentions.0', mid.depth, mid.width) : [];
  return [...side('down_blocks', down), ...side('up_blocks', up), ...middle];
}
