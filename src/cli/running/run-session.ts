import { dirname } from 'node:path';
import { SlothfulError } from '../../errors.ts';
import type { Graph } from '../../graph/index.ts';
import { loadUNet } from '../../node.ts';
import {
  DEFAULT_PARAMETERS,
  parseParameters,
  readSlothfulMetadata,
  type SlothfulMetadata,
  type SlothfulParameters,
} from '../../passes/slothful/index.ts';
import {
  completeSettings,
  type RunCompanions,
  type RunExtent,
  type RunRequest,
  type RunSettings,
  type RunSource,
} from '../../pipeline/index.ts';
import { pixelScale, resolveSize } from '../../reports/index.ts';
import type { LoadOptions, UNet } from '../../runtime/index.ts';
import { openGraph } from '../files/open-graph.ts';
import type { RunArguments } from '../flags/run-flags.ts';
import { readSize } from '../flags/size-flags.ts';
import { startProgress } from '../print/progress.ts';
import { VERSION } from '../version.ts';
import type { CompanionArguments } from './run-companions.ts';

/** A model that is about to be run: its document is read, its weights are not. */
export interface RunSession {
  readonly place: string;
  /** Where the model's other files lie. */
  readonly folder: string;
  readonly graph: Graph;
  /** What a patched model says of its patch. */
  readonly record: SlothfulMetadata | undefined;
  readonly extent: RunExtent;
  readonly inputs: readonly string[];
}

/**
 * Opens the model that a run is of, and checks the size that was asked for.
 *
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `usage`, `bad-input` for a size that it cannot have
 */
export async function openSession(argv: RunArguments & { batch?: number | undefined }): Promise<RunSession> {
  const { graph, file, notes } = await openGraph(argv.model);
  for (const note of notes) console.error(`note: ${note}`);
  const { size } = resolveSize(graph, readSize({ size: argv.size, batch: argv.batch }, graph));
  const inputs = [...graph.nodes].filter(({ op }) => op.startsWith('Placeholder')).map(({ name }) => name);
  return {
    place: file.place,
    folder: dirname(file.place),
    graph,
    record: readSlothfulMetadata(graph.metadata, file.place),
    extent: { rows: size.rows, columns: size.columns, batch: argv.batch ?? 1, scale: pixelScale(graph) },
    inputs,
  };
}

/** The settings of a run; says on stderr what was chosen for the user. */
export function settingsOf({ graph, extent }: RunSession, request: RunRequest, guidable: boolean): RunSettings {
  const { settings, notes } = completeSettings(graph.metadata, request, extent, guidable);
  for (const note of notes) console.error(`note: ${note}`);
  if (settings.guidance_scale > 1 && !guidable) {
    const cure = 'give --uncond, or --guidance-scale 1';
    throw new SlothfulError(
      'usage',
      '--guidance-scale',
      `${settings.guidance_scale} needs the unconditional text`,
      cure,
    );
  }
  return settings;
}

/** The model's own parameters, or the node's, with those of the command line over them. */
export function parametersOver(
  record: SlothfulMetadata | undefined,
  changes: Readonly<Record<string, unknown>> = {},
): SlothfulParameters {
  return parseParameters({ ...(record?.parameters ?? DEFAULT_PARAMETERS), ...changes }, 'parameters');
}

/** Loads the weights, with a bar while they are read; says on stderr which backend computes. */
export async function loadSession(
  source: string,
  options: Pick<LoadOptions, 'backend' | 'slothful' | 'controlNet'>,
): Promise<UNet> {
  const progress = startProgress('loading');
  try {
    return await loadUNet(source, {
      ...options,
      log: (line) => console.error(line),
      onProgress: (done, total) => progress.update(done, total),
    });
  } finally {
    progress.end();
  }
}

/** Where the pictures of a run come from, for its record. */
export function sourceOf(
  argv: RunArguments & CompanionArguments,
  { place, graph }: RunSession,
  { backend }: UNet,
): RunSource {
  const { family } = graph.metadata;
  return {
    version: VERSION,
    model: place,
    family: typeof family === 'string' ? family : null,
    backend: { name: backend.name, device: backend.device },
    prompt: argv.prompt ?? null,
    negative_prompt: argv.negativePrompt ?? null,
    cond: argv.cond ?? null,
    uncond: argv.uncond ?? null,
    companions: companionsOf(argv),
  };
}

function companionsOf(argv: CompanionArguments): RunCompanions {
  const { controlnet = [], controlImage = [], controlScale = [], imageEmbeds, ipAdapterScale } = argv;
  return {
    controlnets: controlnet.map((model, index) => {
      return { model, image: controlImage[index] ?? '', scale: controlScale[index] ?? 1 };
    }),
    controlnets_patched: argv.controlSlothful ?? false,
    image_embeds: imageEmbeds ?? null,
    ip_adapter_scale: ipAdapterScale ?? null,
  };
}
