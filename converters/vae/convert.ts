import { openCheckpoint } from '../checkpoint/index.ts';
import { type ConversionOptions, type ConvertSummary, checkLatents, reading, writeGraph } from '../model/index.ts';
import { checkModules, weightEntries } from '../weights/index.ts';
import { buildVaeDecoder, buildVaeEncoder } from './build.ts';
import { type VaeConfig, vaeConfig } from './config.ts';
import { VAE, vaeTensors } from './tensors.ts';

/** How `convertVae` converts. */
export interface ConvertVaeOptions extends ConversionOptions {
  /** What the latents of the UNet are multiplied by, where the VAE's config does not say. */
  readonly scalingFactor?: number | undefined;
  /** Channels of the UNet's latents, which the VAE must have. */
  readonly latentChannels?: number | undefined;
}

/** What diffusers' AutoencoderKL takes where nothing is said. */
const USUAL_SCALING = 0.18215;

/**
 * Converts one half of a VAE to a TF.js graph model of stock ops, streaming: one tensor in memory at a time.
 *
 * @param source a pipeline folder, the VAE's own folder, or a single .safetensors file (LDM or diffusers names)
 * @param outDir where `model.json` and its shards go; written under a temporary name first
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`
 */
export async function convertVae(
  source: string,
  outDir: string,
  half: 'encoder' | 'decoder',
  options: ConvertVaeOptions = {},
): Promise<ConvertSummary> {
  const checkpoint = await openCheckpoint(source, VAE, options);
  try {
    const found = vaeTensors(checkpoint, half);
    const { path } = checkpoint;
    // The decoder tells what the encoder's tensors would tell too.
    const config = vaeConfig(
      allTensors(found.tensors, vaeTensors(checkpoint, 'decoder').tensors),
      options.config,
      checkpoint.config,
      path,
    );
    checkLatents('VAE', config.latentChannels, options.latentChannels, path);
    checkModules(levelModules(config, half), found, path);
    const build = half === 'decoder' ? buildVaeDecoder : buildVaeEncoder;
    const { graph, weights } = build(config, 'slothful convert');
    const entries = weightEntries(weights, found, path, options.dtype ?? 'auto');
    const kind = `vae_${half}` as const;
    const scalingFactor = config.scalingFactor ?? options.scalingFactor ?? USUAL_SCALING;
    graph.setMetadata({ kind, vae: vaeRecord(config, scalingFactor) });
    const written = await writeGraph(outDir, graph, entries, reading(options, source));
    return { kind, family: 'vae', ...written, notes: [...checkpoint.notes, ...written.notes] };
  } finally {
    await checkpoint.close();
  }
}

/** The resnets that a config claims of a half, by diffusers' names. */
function levelModules({ widths, layers }: VaeConfig, half: 'encoder' | 'decoder'): string[] {
  const [block, count] = half === 'encoder' ? ['encoder.down_blocks', layers] : ['decoder.up_blocks', layers + 1];
  return widths.flatMap((_, level) => {
    return Array.from({ length: count }, (_, index) => `${block}.${level}.resnets.${index}`);
  });
}

function allTensors<T>(...maps: ReadonlyArray<ReadonlyMap<string, T>>): Map<string, T> {
  return new Map(maps.flatMap((map) => [...map]));
}

function vaeRecord({ widths, latentChannels, imageChannels, sampleSize }: VaeConfig, scalingFactor: number) {
  return {
    scaling_factor: scalingFactor,
    latent_channels: latentChannels,
    image_channels: imageChannels,
    downscale: 2 ** (widths.length - 1),
    sample_size: sampleSize ?? null,
  };
}
