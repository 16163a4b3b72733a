import { closeSync, openSync, readSync } from 'node:fs';
import { FILE_KIND_BYTES, type FileKind, fileKind } from '../../src/documents/index.ts';
import { SlothfulError } from '../../src/errors.ts';

/** How a hypernetwork's tensors are called once they are safetensors: the width that they are for, k or v, the layer. */
export const HYPERNETWORK_NAMES = /^(?:hyper_?net(?:work)?s?[._])?\d{3,4}\.[01]\.linear/;

/** Networks that are called ControlNets and work in another way, by names that only they have. */
export const OTHER_CONTROLS: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/^lora_controlnet$|^(?:input_blocks|middle_block)\..+\.(?:up|down)$/, 'a Control-LoRA'],
  [/(?:^|\.)lllite_/, 'a ControlNet-LLLite'],
  [/^(?:task_embedding|control_type_proj|spatial_ch_projs|control_add_embedding)\b/, 'a ControlNet Union'],
  [/^(?:ctrl_to_base|base_to_ctrl)\b/, 'a ControlNet-XS'],
  [/^(?:adapter\.)?body\.\d+\./, 'a T2I-Adapter'],
];

/** What names give a checkpoint away that is not what was looked for; the first that fits is it. */
const KINDS: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [
    /^lora_(?:unet|te\d?|transformer)_|[._]lora[._](?:up|down|A|B|linear_layer)\b|\.lora_[AB]\b|\.hada_w1_a|\.lokr_w1/,
    'a LoRA',
  ],
  ...OTHER_CONTROLS,
  [/^(?:control_model\.|controlnet_|input_hint_block\.|zero_convs\.)/, 'a ControlNet'],
  [/^(?:image_proj|ip_adapter)\./, 'an IP-Adapter'],
  [HYPERNETWORK_NAMES, 'a hypernetwork, which patches keys and values itself and cannot be converted'],
  [/motion_modules\./, 'an AnimateDiff motion module'],
  [/(?:^|\.)(?:double_blocks|single_blocks|single_transformer_blocks)\.\d+\./, 'a Flux model'],
  [
    /(?:^|\.)joint_blocks\.\d+\.|^transformer_blocks\.\d+\.(?:ff_context|norm1_context)\./,
    'a Stable Diffusion 3 model',
  ],
  [/^transformer_blocks\.\d+\./, 'a diffusion transformer'],
  [/\.(?:spatial_res_block|temporal_res_block|temporal_transformer_blocks)\./, 'a video model'],
  [/^(?:first_stage_model\.)?(?:encoder|decoder)\.(?:down|up|mid|down_blocks|up_blocks|mid_block)[._]/, 'a VAE'],
  [/^(?:taesd_)?(?:encoder|decoder)\.(?:layers\.)?\d+\./, 'a TAESD'],
  [/^(?:text_model\.|cond_stage_model\.|conditioner\.|text_encoder)|^transformer\.resblocks\./, 'a text encoder'],
  [/^encoder\.block\.\d+\.layer\./, 'a T5 text encoder'],
  [/^vision_model\./, 'an image encoder'],
  [/^(?:emb_params|clip_[lg]|string_to_param)\b/, 'a textual inversion'],
];

/** What the names of tensors look like, for messages: "a VAE", or undefined where nothing is recognised. */
export function looksLike(names: readonly string[]): string | undefined {
  return KINDS.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
}

const PICKLE = /\.(?:bin|ckpt|pt|pth|pkl)$/i;

/** Whether a name is that of a pickled checkpoint. */
export function isPickle(name: string): boolean {
  return PICKLE.test(name);
}

/** Refuses a file that Python would unpickle, or that is something else under the name of one. */
export function refusePickle(path: string): never {
  const start = startOf(path);
  if (isPickledHypernetwork(start.text)) refuseHypernetwork(path);
  const { kind } = start;
  if (kind?.kind === 'safetensors') {
    const problem = 'is a safetensors file under the name of a pickle';
    throw new SlothfulError('unsupported', path, problem, 'call it .safetensors and give it again');
  }
  // Under such a name an archive is PyTorch's, whose pickle need not come first.
  if (kind && kind.kind !== 'pickle' && kind.kind !== 'archive')
    throw new SlothfulError('unsupported', path, kind.what, kind.cure);
  throw new SlothfulError(
    'unsupported',
    path,
    `is a ${kind ? 'PyTorch ' : ''}pickle, which can run any code when it is opened`,
    kind?.kind === 'pickle'
      ? kind.cure
      : 'save it as .safetensors (diffusers: save_pretrained; web UIs: the checkpoint merger) and give that',
  );
}

/** What a file with a name that says nothing is; undefined where it cannot be told or read. */
export function kindOfFile(path: string): FileKind | undefined {
  return startOf(path).kind;
}

/** Fields of the pickle that AUTOMATIC1111's web UI writes; its names are plain text near the start. */
const PICKLED_FIELDS = ['layer_structure', 'linear.0.weight', 'linear1.weight'];
const START_BYTES = 1 << 18;

function startOf(path: string): { kind: FileKind | undefined; text: string } {
  const start = Buffer.alloc(START_BYTES);
  try {
    const file = openSync(path, 'r');
    try {
      const length = readSync(file, start, 0, START_BYTES, 0);
      const kind = fileKind(start.subarray(0, Math.min(length, FILE_KIND_BYTES)), length);
      return { kind, text: start.toString('latin1', 0, length) };
    } finally {
      closeSync(file);
    }
  } catch {
    return { kind: undefined, text: '' }; // It cannot be read, which whoever wants to read it will say better.
  }
}

/** Whether a pickled file is a hypernetwork, told by the names at its start: nothing is unpickled. */
function isPickledHypernetwork(text: string): boolean {
  return text.includes('activation_func') && PICKLED_FIELDS.some((name) => text.includes(name));
}

/** Refuses a hypernetwork by name. */
export function refuseHypernetwork(path: string): never {
  throw new SlothfulError(
    'unsupported',
    path,
    'is a hypernetwork: it puts networks of its own before the keys and values of cross-attention, and is not a set of weights',
    'leave it out; a LoRA can be fused with --lora',
  );
}
