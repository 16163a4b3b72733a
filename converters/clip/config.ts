import { join } from 'node:path';
import {
  choice,
  type DocumentOf,
  foreignObject,
  integer,
  isObject,
  number,
  optional,
  readDocument,
  withDefault,
} from '../../src/documents/index.ts';
import { SlothfulError } from '../../src/errors.ts';
import { familyTitles } from '../../src/families/index.ts';
import type { TensorSource } from '../weights/index.ts';
import type { TextTensors } from './tensors.ts';

/** A CLIP text encoder. */
export interface TextEncoderConfig {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward layer. */
  readonly inner: number;
  readonly activation: 'quick_gelu' | 'gelu';
  readonly eps: number;
  /** How many tokens a prompt has, padding included. */
  readonly positions: number;
  readonly vocabulary: number;
  /** Width of the projected embedding; undefined without a projection. */
  readonly projection: number | undefined;
  /** The projection is stored [in, out], as OpenCLIP has it; it is square in reality, so its shape does not tell. */
  readonly projectionTurned: boolean;
  /** What the config says; published ones say 2, which is not it. */
  readonly eosTokenId: number | undefined;
}

const COUNT = integer({ minimum: 1, maximum: 1_000_000 });

/** What of transformers' CLIPTextConfig makes a difference here, with transformers' defaults. */
const CLIP_TEXT = foreignObject({
  hidden_size: withDefault(COUNT, 512),
  intermediate_size: withDefault(COUNT, 2048),
  num_hidden_layers: integer({ minimum: 1, maximum: 256, default: 12 }),
  num_attention_heads: withDefault(COUNT, 8),
  hidden_act: choice(['quick_gelu', 'gelu'], { default: 'quick_gelu' }),
  layer_norm_eps: number({ exclusiveMinimum: 0, default: 1e-5 }),
  max_position_embeddings: integer({ minimum: 1, maximum: 1024, default: 77 }),
  vocab_size: withDefault(COUNT, 49408),
  eos_token_id: optional(integer({ minimum: 0 })),
});

/** Channels of a head in every CLIP that Stable Diffusion uses, which no tensor tells. */
const HEAD = 64;

type Tensors = ReadonlyMap<string, Pick<TensorSource, 'shape'>>;

const CURE = 'give the config.json of this text encoder';

/**
 * The config of a text encoder: `given`, its own, or what its tensors tell. Whether it has a projection its tensors tell
 * always, since configs of encoders without one have a width for it too.
 *
 * @param given a parsed config.json, goes before the checkpoint's
 * @throws SlothfulError `bad-checkpoint` or `unsupported`, naming the field
 */
export function textEncoderConfig(found: TextTensors, given: unknown, own: unknown, path: string): TextEncoderConfig {
  const { tensors, openClip } = found;
  const json = given ?? own;
  const place = given === undefined ? join(path, 'config.json') : '--config';
  const rest = { projection: projectionOf(tensors, openClip), projectionTurned: openClip };
  const config = json === undefined ? inferred(tensors, openClip, path) : parsed(json, place);
  if (config.width % config.heads) {
    const problem = `has ${config.heads} heads, which do not divide a width of ${config.width}`;
    throw new SlothfulError('bad-checkpoint', json === undefined ? path : place, problem, CURE);
  }
  return { ...config, ...rest };
}

type OfJson = Omit<TextEncoderConfig, 'projection' | 'projectionTurned'>;

function parsed(value: unknown, place: string): OfJson {
  const type = isObject(value) ? (value.model_type ?? 'clip_text_model') : undefined;
  if (isObject(value) && type !== 'clip_text_model') {
    const problem = `describes a ${JSON.stringify(type)}, not a clip_text_model`;
    throw new SlothfulError(
      'unsupported',
      place,
      problem,
      `only the text encoders of ${familyTitles('and')} are built`,
    );
  }
  const json: DocumentOf<typeof CLIP_TEXT> = readDocument(CLIP_TEXT, value, {
    ...{ place, code: 'bad-checkpoint', cure: CURE, nulls: 'absent' },
  });
  return {
    width: json.hidden_size,
    layers: json.num_hidden_layers,
    heads: json.num_attention_heads,
    inner: json.intermediate_size,
    activation: json.hidden_act,
    eps: json.layer_norm_eps,
    positions: json.max_position_embeddings,
    vocabulary: json.vocab_size,
    eosTokenId: json.eos_token_id,
  };
}

function inferred(tensors: Tensors, openClip: boolean, place: string): OfJson {
  const shape = (name: string) => tensors.get(`text_model.${name}`)?.shape ?? [];
  const [vocabulary = 0, width = 0] = shape('embeddings.token_embedding.weight');
  if (width % HEAD || width === 0) {
    const problem = `is a text encoder of width ${width}, whose number of heads its tensors do not tell`;
    throw new SlothfulError('bad-checkpoint', place, problem, 'give the folder with its config by --config');
  }
  return {
    width,
    layers: layersOf(tensors),
    heads: width / HEAD,
    inner: shape('encoder.layers.0.mlp.fc1.weight')[0] ?? 0,
    activation: openClip ? 'gelu' : 'quick_gelu',
    eps: 1e-5,
    positions: shape('embeddings.position_embedding.weight')[0] ?? 0,
    vocabulary,
    eosTokenId: undefined,
  };
}

function layersOf(tensors: Tensors): number {
  let most = 0;
  for (const name of tensors.keys()) {
    const [, index] = /^text_model\.encoder\.layers\.(\d{1,3})\./.exec(name) ?? [];
    if (index !== undefined) most = Math.max(most, Number(index) + 1);
  }
  return most;
}

function projectionOf(tensors: Tensors, openClip: boolean): number | undefined {
  return tensors.get('text_projection.weight')?.shape[openClip ? 1 : 0];
}
