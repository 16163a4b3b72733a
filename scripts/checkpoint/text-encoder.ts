import { linear, norm, range } from './modules.ts';
import type { RandomTensor } from './random-weights.ts';

/** A text encoder's config.json, as transformers has it. */
export interface TextEncoderJson {
  readonly architectures: readonly ['CLIPTextModel' | 'CLIPTextModelWithProjection'];
  readonly model_type: 'clip_text_model';
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly hidden_act: 'quick_gelu' | 'gelu';
  readonly layer_norm_eps: number;
  readonly max_position_embeddings: number;
  readonly vocab_size: number;
  readonly projection_dim: number;
  /** Published ones say 2, which it is in no tokenizer. */
  readonly eos_token_id: 2;
}

const SHARED = {
  model_type: 'clip_text_model',
  layer_norm_eps: 1e-5,
  max_position_embeddings: 77,
  vocab_size: 49408,
  eos_token_id: 2,
} as const;

/** OpenAI's CLIP ViT-L/14: the text encoder of SD1.5, and the first one of SDXL. */
export const CLIP_L: TextEncoderJson = {
  architectures: ['CLIPTextModel'],
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  hidden_act: 'quick_gelu',
  projection_dim: 768,
  ...SHARED,
};

/** OpenCLIP's ViT-bigG/14: the second text encoder of SDXL. */
export const CLIP_BIG_G: TextEncoderJson = {
  architectures: ['CLIPTextModelWithProjection'],
  hidden_size: 1280,
  intermediate_size: 5120,
  num_hidden_layers: 32,
  num_attention_heads: 20,
  hidden_act: 'gelu',
  projection_dim: 1280,
  ...SHARED,
};

/** A text encoder's tensors by transformers' names, which single files have for CLIP-L too. */
export function transformersTensors(config: TextEncoderJson): RandomTensor[] {
  const { hidden_size: width, intermediate_size: inner, architectures } = config;
  const layers = range(config.num_hidden_layers).flatMap((index) => {
    const layer = `text_model.encoder.layers.${index}`;
    return [
      ...['q_proj', 'k_proj', 'v_proj', 'out_proj'].flatMap((name) =>
        linear(`${layer}.self_attn.${name}`, width, width),
      ),
      ...norm(`${layer}.layer_norm1`, width),
      ...linear(`${layer}.mlp.fc1`, width, inner),
      ...linear(`${layer}.mlp.fc2`, inner, width),
      ...norm(`${layer}.layer_norm2`, width),
    ];
  });
  const projection = { key: 'text_projection.weight', shape: [config.projection_dim, width] };
  return [
    { key: 'text_model.embeddings.token_embedding.weight', shape: [config.vocab_size, width] },
    { key: 'text_model.embeddings.position_embedding.weight', shape: [config.max_position_embeddings, width] },
    ...layers,
    ...norm('text_model.final_layer_norm', width),
    ...(architectures[0] === 'CLIPTextModelWithProjection' ? [projection] : []),
  ];
}

/** A text encoder's tensors by OpenCLIP's names: queries, keys and values are one, and the projection is turned. */
export function openClipTensors(config: TextEncoderJson): RandomTensor[] {
  const { hidden_size: width, intermediate_size: inner } = config;
  const layers = range(config.num_hidden_layers).flatMap((index) => {
    const layer = `transformer.resblocks.${index}`;
    return [
      { key: `${layer}.attn.in_proj_weight`, shape: [3 * width, width] },
      { key: `${layer}.attn.in_proj_bias`, shape: [3 * width] },
      ...linear(`${layer}.attn.out_proj`, width, width),
      ...norm(`${layer}.ln_1`, width),
      ...linear(`${layer}.mlp.c_fc`, width, inner),
      ...linear(`${layer}.mlp.c_proj`, inner, width),
      ...norm(`${layer}.ln_2`, width),
    ];
  });
  return [
    { key: 'positional_embedding', shape: [config.max_position_embeddings, width] },
    { key: 'text_projection', shape: [width, config.projection_dim] },
    { key: 'token_embedding.weight', shape: [config.vocab_size, width] },
    ...layers,
    ...norm('ln_final', width),
  ];
}
