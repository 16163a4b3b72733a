import { PARAMETERS, SIMPLE_PARAMETERS } from '../passes/index.ts';

/** What links carry. */
export type LinkType = 'MODEL' | 'CLIP' | 'VAE' | 'CONDITIONING' | 'LATENT' | 'IMAGE' | 'MASK';
/** What widgets hold; nodes that give such a value have an output of that type. */
export type WidgetType = 'INT' | 'FLOAT' | 'STRING' | 'BOOLEAN' | 'COMBO';

/** An input that only a link can fill. */
export interface Socket {
  readonly name: string;
  readonly type: LinkType;
}

/** An input with a value of its own, which a link may take the place of. */
export interface Widget {
  readonly name: string;
  readonly type: WidgetType;
  readonly min?: number;
  readonly max?: number | bigint;
  readonly choices?: readonly string[];
  /** What ComfyUI's page puts in where a saved node has no value. */
  readonly default?: unknown;
  /** Behind it stands what becomes of it after each run: fixed, increment, decrement, randomize. */
  readonly control?: true;
  /** The page takes comments out of it and draws one of `{a|b}`, before it sends it. */
  readonly dynamicPrompts?: true;
}

/** A node's class as ComfyUI declares it: inputs and outputs in its order, which saved files rely on. */
export interface NodeClass {
  readonly inputs: ReadonlyArray<Socket | Widget>;
  readonly outputs: ReadonlyArray<LinkType | WidgetType>;
}

const socket = (name: string, type: LinkType): Socket => ({ name, type });
const file = (name: string): Widget => ({ name, type: 'COMBO' });
const text = (name: string, value?: string): Widget => ({ name, type: 'STRING', default: value });
const prompt = (name: string): Widget => ({ ...text(name, ''), dynamicPrompts: true });
const integer = (name: string, min: number, max: number, value: number): Widget => {
  return { name, type: 'INT', min, max, default: value };
};
const number = (name: string, min: number, max: number, value: number): Widget => {
  return { name, type: 'FLOAT', min, max, default: value };
};
const choice = (name: string, choices: readonly string[]): Widget => {
  return { name, type: 'COMBO', choices, default: choices[0] };
};
const seed = (name: string): Widget => ({ name, type: 'INT', min: 0, max: 2n ** 64n - 1n, control: true, default: 0 });

const LARGEST = 16384;
const MODEL = socket('model', 'MODEL');
const CLIP = socket('clip', 'CLIP');
const VAE = socket('vae', 'VAE');
const SAMPLES = socket('samples', 'LATENT');
const PROMPTS = [socket('positive', 'CONDITIONING'), socket('negative', 'CONDITIONING')];
const STEPS = [integer('steps', 1, 10000, 20), number('cfg', 0, 100, 8)];
const METHOD = [
  { ...file('sampler_name'), default: 'euler' },
  { ...file('scheduler'), default: 'normal' },
];
const LOADED = ['MODEL', 'CLIP', 'VAE'] as const;
const ENABLE = ['enable', 'disable'];
const freeU = (b1: number, b2: number): NodeClass => {
  const scales = [number('b1', 0, 10, b1), number('b2', 0, 10, b2), number('s1', 0, 10, 0.9), number('s2', 0, 10, 0.2)];
  return { inputs: [MODEL, ...scales], outputs: ['MODEL'] };
};
const primitive = (value: Widget, output: WidgetType): NodeClass => ({ inputs: [value], outputs: [output] });
const ANY = Number.MAX_SAFE_INTEGER;

/** Slothful Attention's parameters check their ranges themselves. */
function slothful(parameters: typeof PARAMETERS | typeof SIMPLE_PARAMETERS): NodeClass {
  const widgets = Object.entries(parameters).map(([name, each]): Widget => {
    if (each.type === 'choice') return { name, type: 'COMBO', choices: each.choices, default: each.default };
    return { name, type: each.type === 'boolean' ? 'BOOLEAN' : 'FLOAT', default: each.default };
  });
  return { inputs: [MODEL, ...widgets], outputs: ['MODEL'] };
}

const SDXL_TEXT = ['width', 'height'].map((name) => integer(name, 0, LARGEST, 1024));
const SDXL_CROP = ['crop_w', 'crop_h'].map((name) => integer(name, 0, LARGEST, 0));
const SDXL_TARGET = ['target_width', 'target_height'].map((name) => integer(name, 0, LARGEST, 1024));
const TILES = [
  integer('tile_size', 64, 4096, 512),
  integer('overlap', 0, 4096, 64),
  integer('temporal_size', 8, 4096, 64),
  integer('temporal_overlap', 4, 4096, 8),
];

/** The classes that are understood. Source: ComfyUI 0.8.0, nodes.py and comfy_extras; the node pack of Slothful Attention. */
const CLASSES: ReadonlyMap<string, NodeClass> = new Map<string, NodeClass>([
  ['CheckpointLoaderSimple', { inputs: [file('ckpt_name')], outputs: LOADED }],
  ['CheckpointLoader', { inputs: [file('config_name'), file('ckpt_name')], outputs: LOADED }],
  [
    'LoraLoader',
    {
      inputs: [
        ...[MODEL, CLIP, file('lora_name')],
        ...[number('strength_model', -100, 100, 1), number('strength_clip', -100, 100, 1)],
      ],
      outputs: ['MODEL', 'CLIP'],
    },
  ],
  [
    'LoraLoaderModelOnly',
    { inputs: [MODEL, file('lora_name'), number('strength_model', -100, 100, 1)], outputs: ['MODEL'] },
  ],
  ['VAELoader', { inputs: [file('vae_name')], outputs: ['VAE'] }],
  ['CLIPSetLastLayer', { inputs: [CLIP, integer('stop_at_clip_layer', -24, -1, -1)], outputs: ['CLIP'] }],
  ['CLIPTextEncode', { inputs: [prompt('text'), CLIP], outputs: ['CONDITIONING'] }],
  [
    'CLIPTextEncodeSDXL',
    {
      inputs: [CLIP, ...SDXL_TEXT, ...SDXL_CROP, ...SDXL_TARGET, prompt('text_g'), prompt('text_l')],
      outputs: ['CONDITIONING'],
    },
  ],
  [
    'EmptyLatentImage',
    {
      inputs: [
        ...[integer('width', 16, LARGEST, 512), integer('height', 16, LARGEST, 512)],
        integer('batch_size', 1, 4096, 1),
      ],
      outputs: ['LATENT'],
    },
  ],
  ['LoadImage', { inputs: [file('image')], outputs: ['IMAGE', 'MASK'] }],
  ['VAEEncode', { inputs: [socket('pixels', 'IMAGE'), VAE], outputs: ['LATENT'] }],
  ['VAEDecode', { inputs: [SAMPLES, VAE], outputs: ['IMAGE'] }],
  ['VAEDecodeTiled', { inputs: [SAMPLES, VAE, ...TILES], outputs: ['IMAGE'] }],
  [
    'LatentFromBatch',
    { inputs: [SAMPLES, integer('batch_index', 0, 63, 0), integer('length', 1, 64, 1)], outputs: ['LATENT'] },
  ],
  ['RepeatLatentBatch', { inputs: [SAMPLES, integer('amount', 1, 64, 1)], outputs: ['LATENT'] }],
  [
    'KSampler',
    {
      inputs: [
        ...[MODEL, seed('seed'), ...STEPS, ...METHOD, ...PROMPTS],
        ...[socket('latent_image', 'LATENT'), number('denoise', 0, 1, 1)],
      ],
      outputs: ['LATENT'],
    },
  ],
  [
    'KSamplerAdvanced',
    {
      inputs: [
        ...[MODEL, choice('add_noise', ENABLE), seed('noise_seed'), ...STEPS, ...METHOD, ...PROMPTS],
        ...[socket('latent_image', 'LATENT'), integer('start_at_step', 0, 10000, 0)],
        ...[integer('end_at_step', 0, 10000, 10000), choice('return_with_leftover_noise', ENABLE.toReversed())],
      ],
      outputs: ['LATENT'],
    },
  ],
  ['SlothfulAttention', slothful(PARAMETERS)],
  ['SlothfulAttentionSimple', slothful(SIMPLE_PARAMETERS)],
  ['FreeU', freeU(1.1, 1.2)],
  ['FreeU_V2', freeU(1.3, 1.4)],
  [
    'ModelSamplingDiscrete',
    {
      inputs: [...[MODEL, { ...file('sampling'), default: 'eps' }], { name: 'zsnr', type: 'BOOLEAN', default: false }],
      outputs: ['MODEL'],
    },
  ],
  ['SaveImage', { inputs: [socket('images', 'IMAGE'), text('filename_prefix', 'ComfyUI')], outputs: [] }],
  ['PreviewImage', { inputs: [socket('images', 'IMAGE')], outputs: [] }],
  ['PrimitiveInt', primitive({ ...integer('value', -(2 ** 63), 2 ** 63, 0), control: true }, 'INT')],
  ['PrimitiveFloat', primitive(number('value', -ANY, ANY, 0), 'FLOAT')],
  ['PrimitiveString', primitive(text('value', ''), 'STRING')],
  ['PrimitiveStringMultiline', primitive(text('value', ''), 'STRING')],
  ['PrimitiveBoolean', primitive({ name: 'value', type: 'BOOLEAN', default: false }, 'BOOLEAN')],
]);

/** The class of that name; undefined where it is not understood. */
export function classOf(name: string): NodeClass | undefined {
  return CLASSES.get(name);
}

/** Whether an input has a value of its own. */
export function isWidget(input: Socket | Widget): input is Widget {
  return ['INT', 'FLOAT', 'STRING', 'BOOLEAN', 'COMBO'].includes(input.type);
}

/** The widgets of a class, in the order in which saved files have their values. */
export function widgetsOf({ inputs }: NodeClass): Widget[] {
  return inputs.filter(isWidget);
}

/** The sockets of a class, in the order of their slots. */
export function socketsOf({ inputs }: NodeClass): Socket[] {
  return inputs.filter((input): input is Socket => !isWidget(input));
}

/** The nodes that denoise. */
export const SAMPLERS: readonly string[] = ['KSampler', 'KSamplerAdvanced'];
/** The nodes that a workflow is run for. */
export const OUTPUTS: readonly string[] = ['SaveImage', 'PreviewImage'];
