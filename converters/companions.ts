import type { JsonObject } from '../src/graph/index.ts';
import type { FusedText, TextEncoderName, TextTensors } from './clip/index.ts';
import { type IpAdapterFile, type IpAdapterOption, openIpAdapter } from './ip-adapter/index.ts';
import { type FusedTensors, type FuseOptions, fuseLoras, type LoraOption, type LoraPart } from './lora/index.ts';
import type { ImageAdapter, UNetConfig } from './unet/index.ts';
import type { NamedTensors } from './weights/index.ts';

/** Which LoRAs a model is converted with. */
export interface LoraOptions {
  /** LoRAs that are fused into the weights, in any order. */
  lora?: readonly LoraOption[] | undefined;
  /** Fuse what fits of a LoRA whose other modules the model does not have. */
  loraPartial?: boolean | undefined;
  /** The parts of a pipeline that are converted and may have something of a LoRA; by default this model alone. */
  loraParts?: readonly LoraPart[] | undefined;
}

/** What a UNet is converted together with. */
export interface CompanionOptions extends LoraOptions {
  /** An IP-Adapter whose image tokens the cross-attentions attend to too; adds the input `image_embeds`. */
  ipAdapter?: IpAdapterOption | undefined;
}

/** The files that a model is converted together with. */
export function companionFiles({ lora = [], ipAdapter }: CompanionOptions): string[] {
  return [...lora.map(({ file }) => file), ...(ipAdapter ? [ipAdapter.file] : [])];
}

/** A UNet's tensors with what came to them. */
export interface Companions {
  readonly found: NamedTensors;
  readonly ipAdapter: ImageAdapter | undefined;
  /** For `userDefinedMetadata`. */
  readonly records: JsonObject;
  /** Whether a LoRA wants the LCM sampler. */
  readonly wantsLcm: boolean;
  readonly notes: readonly string[];
  close(): Promise<void>;
}

type Where = Pick<FuseOptions, 'dtype' | 'place'>;

/**
 * Opens the companions of a checkpoint and checks that they fit; nothing of them is read but their headers.
 *
 * @throws SlothfulError as `fuseLoras` and `openIpAdapter` do
 */
export async function openCompanions(
  found: NamedTensors,
  config: UNetConfig,
  options: CompanionOptions,
  where: Where,
): Promise<Companions> {
  const fused = await fuse(found, options, { ...where, part: 'unet' });
  const { ipAdapter } = options;
  try {
    const adapter = ipAdapter && (await openIpAdapter(ipAdapter, config));
    return join(found, fused, adapter);
  } catch (error) {
    await fused?.close();
    throw error;
  }
}

/**
 * Opens the LoRAs of a text encoder and checks that they fit.
 *
 * @throws SlothfulError as `fuseLoras` does
 */
export async function openTextLoras(
  found: TextTensors,
  part: TextEncoderName,
  options: LoraOptions,
  where: Where,
): Promise<FusedText> {
  const turned = found.openClip ? ['text_projection.weight'] : [];
  return join(found, await fuse(found, options, { ...where, part, turned }), undefined);
}

async function fuse(
  found: NamedTensors,
  { lora = [], loraPartial: partial = false, loraParts: together }: LoraOptions,
  how: Where & Pick<FuseOptions, 'part' | 'turned'>,
): Promise<FusedTensors | undefined> {
  return lora.length ? fuseLoras(found, lora, { ...how, partial, together }) : undefined;
}

function join(found: NamedTensors, fused: FusedTensors | undefined, adapter: IpAdapterFile | undefined): Companions {
  const own = fused?.found ?? found;
  return {
    found: adapter ? { ...own, tensors: new Map([...own.tensors, ...adapter.tensors]) } : own,
    ipAdapter: adapter?.adapter,
    records: {
      ...(fused?.records.length ? { lora: fused.records } : {}),
      ...(adapter ? { ip_adapter: adapter.record } : {}),
    },
    wantsLcm: fused?.isLcm ?? false,
    notes: fused?.notes ?? [],
    async close() {
      await Promise.all([fused?.close(), adapter?.close()]);
    },
  };
}
