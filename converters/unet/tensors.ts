import { type Checkpoint, type CheckpointKind, looksLike, prefixesBefore, type Spelling } from '../checkpoint/index.ts';
import type { NamedTensors, TensorSource } from '../weights/index.ts';
import { layoutOfLdm, ldmNames } from './ldm-names.ts';

/** Where the blocks begin and end, in either spelling. */
const LAYOUTS = [
  { layout: 'ldm', down: /input_blocks\./, up: /output_blocks\./ },
  { layout: 'diffusers', down: /down_blocks\./, up: /up_blocks\./ },
] as const;

/** What may stand before the blocks: names of the parts of pipelines and training classes that hold a UNet. */
const KNOWN = /^(?:(?:model|diffusion_model|unet|net|pipe|pipeline|denoiser|inner_model)\.)*$/;
/** The moving average of the weights, which is beside the plain ones or in the place of them. */
const AVERAGED =
  /^(?:(?:model|diffusion_model|unet|net|ema|ema_model|model_ema|unet_ema|ema_unet|averaged_model|shadow)\.)+$/;

/** Parts of adapters, which are called after the modules that they are for. */
const OF_ADAPTER = /[._](?:lora|hada|lokr|oft|boft|glora|dora|diff|on)[._]|\.(?:alpha|diff|weight_norm)$/;

interface Found {
  readonly layout: Checkpoint['layout'];
  readonly prefix: string;
}

/** Every UNet among the names, by what stands before its blocks. */
function unetsAmong(all: readonly string[]): Found[] {
  const names = all.filter((name) => !OF_ADAPTER.test(name));
  return LAYOUTS.flatMap(({ layout, down, up }) => {
    const ups = new Set(prefixesBefore(names, up));
    return prefixesBefore(names, down)
      .filter((prefix) => ups.has(prefix))
      .sort((one, other) => one.length - other.length)
      .map((prefix) => ({ layout, prefix }));
  });
}

/** How a UNet's tensors are spelled, and the prefix that is theirs; undefined where there is no UNet. */
function spelling(names: readonly string[]): Spelling | undefined {
  const found = unetsAmong(names);
  // The usual prefix goes before no prefix at all: what has none there may be another model's.
  const usual = found.find(({ prefix }) => prefix === 'model.diffusion_model.');
  const plain = usual ?? found.find(({ prefix }) => KNOWN.test(prefix));
  if (plain) return plain;
  const averaged = found.find(({ prefix }) => AVERAGED.test(prefix));
  return (
    averaged && { ...averaged, note: `has the averaged (EMA) weights alone, under "${averaged.prefix}", and took them` }
  );
}

function nearly(names: readonly string[]): string | undefined {
  const [found] = unetsAmong(names);
  if (found)
    return `its names end as a UNet's do, behind the prefix ${JSON.stringify(found.prefix)}, which is not known`;
  if (names.some((name) => name.startsWith('model_ema.diffusion_modelinput_blocks'))) {
    return 'it has the averaged (EMA) weights alone, in names without dots';
  }
  // A ControlNet is half a UNet too.
  if (looksLike(names) !== undefined) return undefined;
  const half = LAYOUTS.find(({ down, up }) => [down, up].some((blocks) => prefixesBefore(names, blocks).some(isUNets)));
  if (!half) return undefined;
  const [down, up] = [half.down, half.up].map((blocks) => prefixesBefore(names, blocks).some(isUNets));
  const [has, lacks] = half.layout === 'ldm' ? ['input_blocks', 'output_blocks'] : ['down_blocks', 'up_blocks'];
  return down && !up ? `it has ${has} and no ${lacks}` : up && !down ? `it has ${lacks} and no ${has}` : undefined;
}

/** Autoencoders have such blocks too. */
function isUNets(prefix: string): boolean {
  return KNOWN.test(prefix);
}

/** How a UNet is told from other checkpoints. */
export const UNET: CheckpointKind = {
  what: 'Stable Diffusion UNet',
  spelling,
  nearly,
  cure: 'give a diffusers UNet folder or a single-file checkpoint',
};

/**
 * A checkpoint's tensors by diffusers names.
 *
 * @throws SlothfulError `bad-checkpoint` where the blocks of a single file are not regular
 */
export function unetTensors(checkpoint: Pick<Checkpoint, 'layout' | 'prefix' | 'tensors' | 'path'>): NamedTensors {
  const { layout, prefix, tensors, path } = checkpoint;
  if (layout === 'diffusers') return { tensors, unknown: [], nameInFile: (name) => name };
  const { toDiffusers, toLdm } = ldmNames(layoutOfLdm([...tensors.keys()], path));
  const renamed = new Map<string, TensorSource>();
  const unknown: string[] = [];
  for (const [name, source] of tensors) {
    const diffusers = toDiffusers(name);
    if (diffusers === undefined) unknown.push(source.name);
    else renamed.set(diffusers, source);
  }
  return { tensors: renamed, unknown, nameInFile: (name) => `${prefix}${toLdm(name) ?? name}` };
}
