import { atomicDirectory } from '../../src/models/index.ts';
import { openCheckpoint } from '../checkpoint/open.ts';
import type { ConvertSummary } from '../convert.ts';
import { type DtypeChoice, weightEntries } from '../unet/plan.ts';
import { type ShardOptions, writeGraph } from '../write-graph.ts';
import { buildControlNet } from './build.ts';
import { controlNetConfig } from './config.ts';
import { CONTROLNET, controlNetTensors } from './names.ts';

export interface ConvertControlNetOptions extends ShardOptions {
  /** How weights are stored: `auto` (default) keeps what the checkpoint has. */
  dtype?: DtypeChoice;
  /** A diffusers config (parsed JSON), for what tensors cannot tell. Goes before the checkpoint's own. */
  config?: unknown;
  /** Which variant of a folder's files (`fp16`); `''` for the plain one. */
  variant?: string;
  /** Replace an existing output. */
  force?: boolean;
}

/**
 * Converts a ControlNet to a TF.js graph model of its own, streaming: one tensor in memory at a time. Its residuals are fed
 * to a UNet that was loaded or patched with `controlNetInputs()`, times the conditioning scale.
 *
 * @param source a diffusers ControlNet folder, or a single .safetensors file (`control_model.*` or diffusers names)
 * @param outDir where `model.json` and its shards go; written under a temporary name first
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`
 */
export async function convertControlNet(
  source: string,
  outDir: string,
  options: ConvertControlNetOptions = {},
): Promise<ConvertSummary> {
  const checkpoint = await openCheckpoint(source, { variant: options.variant, kind: CONTROLNET });
  try {
    const found = controlNetTensors(checkpoint);
    const config = controlNetConfig(checkpoint, found.tensors, options.config);
    const { graph, weights } = buildControlNet(config, 'slothful convert');
    const entries = weightEntries(weights, found, checkpoint.path, options.dtype ?? 'auto');
    const { family } = config.unet;
    const image = { input: 'image', channels: config.imageChannels, downscale: 2 ** (config.hintWidths.length - 1) };
    graph.setMetadata({ kind: 'controlnet', family, image, unet: config.unet });
    const written = await atomicDirectory(outDir, { force: options.force ?? false }, (dir) =>
      writeGraph(dir, graph, entries, options),
    );
    return { kind: 'controlnet', family, ...written, notes: [...checkpoint.notes] };
  } finally {
    await checkpoint.close();
  }
}
