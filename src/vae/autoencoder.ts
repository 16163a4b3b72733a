import { choice, foreignObject, integer, number, readDocument, withDefault } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import type { LoadedModel } from '../runtime/index.ts';

/** What the room needs of a loaded half of an autoencoder; `LoadedModel` is one. */
export type AutoencoderHalf = Pick<LoadedModel, 'execute' | 'metadata' | 'place'>;

/** What a model's metadata say of its autoencoder. */
export interface AutoencoderRecord {
  readonly kind: AutoencoderKind;
  /** The UNet's latents are the encoder's times this. */
  readonly scalingFactor: number;
  readonly latentChannels: number;
  readonly imageChannels: number;
  /** Pixels on an edge of one latent pixel. */
  readonly downscale: number;
}

const KINDS = ['vae_decoder', 'taesd_decoder', 'vae_encoder', 'taesd_encoder'] as const;

export type AutoencoderKind = (typeof KINDS)[number];
export type AutoencoderSide = 'decoder' | 'encoder';

const CHANNELS = integer({ minimum: 1, maximum: 1024 });

/** `userDefinedMetadata`, in which other fields may stand. */
const METADATA = foreignObject({
  kind: choice([...KINDS]),
  vae: foreignObject({
    scaling_factor: number({ exclusiveMinimum: 0 }),
    latent_channels: CHANNELS,
    image_channels: withDefault(CHANNELS, 3),
    downscale: withDefault(integer({ minimum: 1, maximum: 1024 }), 8),
  }),
});

/**
 * Reads what the metadata of a model say of its autoencoder.
 *
 * @throws SlothfulError `bad-input` where the model is something else; `bad-model` where a field is missing or wrong
 */
export function autoencoderRecord(
  { metadata, place }: Pick<AutoencoderHalf, 'metadata' | 'place'>,
  side: AutoencoderSide,
): AutoencoderRecord {
  if (sideOf(metadata.kind) !== side) {
    const { kind } = metadata;
    const problem = `is ${typeof kind === 'string' ? `a ${kind}` : 'of no kind that it names'}, and a VAE's ${side} is needed`;
    throw new SlothfulError('bad-input', place, problem, `give the model folder vae_${side} or taesd_${side}`);
  }
  const { kind, vae } = readDocument(METADATA, metadata, {
    ...{ place: `${place} metadata`, code: 'bad-model', cure: 'convert it again' },
  });
  return {
    kind,
    scalingFactor: vae.scaling_factor,
    latentChannels: vae.latent_channels,
    imageChannels: vae.image_channels,
    downscale: vae.downscale,
  };
}

/** The side that a model of this kind is; undefined for those of other kinds. */
export function sideOf(kind: unknown): AutoencoderSide | undefined {
  if (!KINDS.some((known) => known === kind)) return undefined;
  return kind === 'vae_decoder' || kind === 'taesd_decoder' ? 'decoder' : 'encoder';
}
