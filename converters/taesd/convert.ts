import { SlothfulError } from '../../src/errors.ts';
import { familyTitles } from '../../src/families/index.ts';
import { openCheckpoint } from '../checkpoint/index.ts';
import { type ConversionOptions, type ConvertSummary, checkLatents, reading, writeGraph } from '../model/index.ts';
import { type NamedTensors, weightEntries } from '../weights/index.ts';
import { buildTaesd, type TaesdConfig } from './build.ts';
import { type TaesdHalf, taesdKind, taesdPath, taesdTensors } from './tensors.ts';

/** How `convertTaesd` converts. */
export interface ConvertTaesdOptions extends ConversionOptions {
  /** Channels of the UNet's latents, which the TAESD must have. */
  readonly latentChannels?: number | undefined;
}

/**
 * Converts one half of a TAESD to a TF.js graph model of stock ops.
 *
 * @param source a folder in diffusers' or the original layout, or a single .safetensors file of either, or of both halves
 * @param outDir where `model.json` and its shards go; written under a temporary name first
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`
 */
export async function convertTaesd(
  source: string,
  outDir: string,
  half: TaesdHalf,
  options: ConvertTaesdOptions = {},
): Promise<ConvertSummary> {
  const checkpoint = await openCheckpoint(await taesdPath(source, half), taesdKind(half), {
    ...options,
    isPart: true,
  });
  try {
    const found = taesdTensors(checkpoint, half);
    const config = taesdConfig(found, half, checkpoint.path);
    checkLatents('TAESD', config.latentChannels, options.latentChannels, checkpoint.path);
    const { graph, weights } = buildTaesd(half, config, 'slothful convert');
    const entries = weightEntries(weights, found, checkpoint.path, options.dtype ?? 'auto');
    const kind = `taesd_${half}` as const;
    const { latentChannels, imageChannels } = config;
    const vae = { scaling_factor: 1, latent_channels: latentChannels, image_channels: imageChannels, downscale: 8 };
    graph.setMetadata({ kind, vae });
    const written = await writeGraph(outDir, graph, entries, reading(options, source));
    return { kind, family: 'taesd', ...written, notes: [...checkpoint.notes, ...written.notes] };
  } finally {
    await checkpoint.close();
  }
}

/** The first and the last convolution tell the sizes. */
function taesdConfig({ tensors }: NamedTensors, half: TaesdHalf, place: string): TaesdConfig {
  const [width = 0, first = 0] = tensors.get(`${half}.layers.0.weight`)?.shape ?? [];
  const last = half === 'decoder' ? 18 : 14;
  const [final] = tensors.get(`${half}.layers.${last}.weight`)?.shape ?? [];
  if (final === undefined) {
    const problem = `has no layer ${last}, which is the last of a TAESD ${half}`;
    throw new SlothfulError('bad-checkpoint', place, problem, `give a TAESD of ${familyTitles('or')}`);
  }
  return half === 'decoder'
    ? { width, latentChannels: first, imageChannels: final }
    : { width, latentChannels: final, imageChannels: first };
}
