import type { JsonObject } from '../src/graph/index.ts';
import { type IpAdapterFile, type IpAdapterOption, openIpAdapter } from './ip-adapter/index.ts';
import { type FusedTensors, fuseLoras, type LoraOption } from './lora/index.ts';
import type { ImageAdapter, UNetConfig } from './unet/index.ts';
import type { DtypeChoice, NamedTensors } from './weights/index.ts';

/** What a UNet is converted together with. */
export interface CompanionOptions {
  /** LoRAs that are fused into the weights, in any order. */
  lora?: readonly LoraOption[] | undefined;
  /** Fuse what fits of a LoRA whose other modules this UNet does not have. */
  loraPartial?: boolean | undefined;
  /** An IP-Adapter whose image tokens the cross-attentions attend to too; adds the input `image_embeds`. */
  ipAdapter?: IpAdapterOption | undefined;
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

/**
 * Opens the companions of a checkpoint and checks that they fit; nothing of them is read but their headers.
 *
 * @throws SlothfulError as `fuseLoras` and `openIpAdapter` do
 */
export async function openCompanions(
  found: NamedTensors,
  config: UNetConfig,
  { lora = [], loraPartial = false, ipAdapter }: CompanionOptions,
  { dtype, place }: { dtype: DtypeChoice; place: string },
): Promise<Companions> {
  const fused = lora.length ? await fuseLoras(found, lora, { dtype, partial: loraPartial, place }) : undefined;
  try {
    const adapter = ipAdapter && (await openIpAdapter(ipAdapter, config));
    return join(found, fused, adapter);
  } catch (error) {
    await fused?.close();
    throw error;
  }
}

function join(found: NamedTensors, fused: FusedTensors | undefined, adapter: IpAdapterFile | undefined): Companions {
  const own = fused?.found ?? found;
  return {
    found: adapter ? { ...own, tensors: new Map([...own.tensors, ...adapter.tensors]) } : own,
    ipAdapter: adapter?.adapter,
    records: { ...(fused ? { lora: fused.records } : {}), ...(adapter ? { ip_adapter: adapter.record } : {}) },
    wantsLcm: fused?.isLcm ?? false,
    notes: fused?.notes ?? [],
    async close() {
      await Promise.all([fused?.close(), adapter?.close()]);
    },
  };
}
