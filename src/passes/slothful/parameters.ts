import {
  type BooleanParameter,
  type ChoiceParameter,
  type NumberParameter,
  type ParameterValues,
  readParameters,
} from '../../documents/index.ts';

/** How the blended tensor is pooled: over the flattened tokens or over the grid, by average or by maximum. */
export const POOLING_MODES = ['1D_AVG', '1D_MAX', '2D_AVG', '2D_MAX'] as const;
export type PoolingMode = (typeof POOLING_MODES)[number];

const number = (range: Omit<NumberParameter, 'type' | 'help'>) => {
  return (help: string): NumberParameter => ({ type: 'number', ...range, help });
};
const blend = number({ default: 0, min: 0, max: 1, step: 0.05 });
const depth = number({ default: 1, min: -2, max: 4, step: 0.1 });
const strength = (value: number) => number({ default: value, min: 0, max: 50, step: 0.5 });
const flag = (value: boolean, help: string): BooleanParameter => ({ type: 'boolean', default: value, help });
const mode = (help: string): ChoiceParameter<PoolingMode> & { default: PoolingMode } => {
  return { type: 'choice', default: '2D_AVG', choices: POOLING_MODES, help };
};
const TIME_DECAY = number({ default: 1, min: 0, max: 4, step: 0.1 })(
  'how fast the effect fades as denoising advances; 0: not at all',
);

/**
 * The full node's parameters, under the names its users know: `in_*` rules input blocks (and the middle block where
 * `keep_middle` is false), `out_*` output blocks. Key order is the order of the node's inputs, which ComfyUI workflows rely on.
 */
export const PARAMETERS = {
  time_decay: TIME_DECAY,
  keep_middle: flag(true, 'leave the middle block alone'),
  in_mode: mode('pooling mode of input blocks'),
  in_depth_decay: depth('how the effect fades with the depth of input blocks; negative: strongest at the deepest'),
  in_strength: strength(6)('K/V reduction of input blocks: stride = strength * decay'),
  in_k_blend: blend('share of the pooled tensor in the keys of input blocks; the rest is sampled'),
  in_v_blend: blend('share of the pooled tensor in the values of input blocks; the rest is sampled'),
  out_mode: mode('pooling mode of output blocks'),
  out_depth_decay: depth('how the effect fades with the depth of output blocks; negative: strongest at the deepest'),
  out_strength: strength(4)('K/V reduction of output blocks: stride = strength * decay'),
  out_k_blend: blend('share of the pooled tensor in the keys of output blocks; the rest is sampled'),
  out_v_blend: blend('share of the pooled tensor in the values of output blocks; the rest is sampled'),
} as const;

/** `compat` is ours: the node has no such input. */
const COMPAT = {
  type: 'choice',
  default: undefined,
  choices: ['comfyui'],
  help: "as the node's first release: blends of 1 and 1 give the sampled, uncropped tensor",
} as const satisfies ChoiceParameter;

/** Every parameter of the pass. */
export const ALL_PARAMETERS = { ...PARAMETERS, compat: COMPAT } as const;

/** The Simple node's parameters, in the order of the node's inputs. */
export const SIMPLE_PARAMETERS = {
  time_decay: TIME_DECAY,
  depth_decay: depth('how the effect fades with depth; negative: strongest at the deepest level'),
  in_mode: PARAMETERS.in_mode,
  in_strength: PARAMETERS.in_strength,
  in_blend: blend('share of the pooled tensor in keys and values of input blocks; the rest is sampled'),
  out_mode: PARAMETERS.out_mode,
  out_strength: PARAMETERS.out_strength,
  out_blend: blend('share of the pooled tensor in keys and values of output blocks; the rest is sampled'),
} as const;

const ALL_SIMPLE = { ...SIMPLE_PARAMETERS, compat: COMPAT } as const;

/** The parameters of the full node. */
export type SlothfulParameters = ParameterValues<typeof ALL_PARAMETERS>;
/** What users write: any of the parameters; the rest are defaults. */
export type SlothfulOptions = Partial<SlothfulParameters>;
/** The parameters of the Simple node. */
export type SimpleParameters = ParameterValues<typeof SIMPLE_PARAMETERS>;

/** The full node's defaults. */
export const DEFAULT_PARAMETERS: SlothfulParameters = parseParameters({}, 'defaults');
/** The Simple node's defaults. */
export const DEFAULT_SIMPLE_PARAMETERS: SimpleParameters = readParameters(SIMPLE_PARAMETERS, {}, 'defaults');

/**
 * Checks parameters of the full node that come from outside and fills in the defaults.
 *
 * @param value an object with any of the names of `PARAMETERS`, and `compat`
 * @param place where it is from (a file, a flag), for messages
 * @throws SlothfulError `bad-parameter`: unknown name, wrong type, out of range
 */
export function parseParameters(value: unknown, place = 'parameters'): SlothfulParameters {
  return readParameters(ALL_PARAMETERS, value, place);
}

/**
 * The full parameters that the Simple node stands for: the middle block kept, one depth decay, one blend for K and V.
 *
 * @param value an object with any of the names of `SIMPLE_PARAMETERS`, and `compat`; the rest are defaults
 * @throws SlothfulError `bad-parameter`
 */
export function simpleParameters(value: unknown, place = 'parameters'): SlothfulParameters {
  const { compat, ...simple } = readParameters(ALL_SIMPLE, value, place);
  return {
    time_decay: simple.time_decay,
    keep_middle: true,
    in_mode: simple.in_mode,
    in_depth_decay: simple.depth_decay,
    in_strength: simple.in_strength,
    in_k_blend: simple.in_blend,
    in_v_blend: simple.in_blend,
    out_mode: simple.out_mode,
    out_depth_decay: simple.depth_decay,
    out_strength: simple.out_strength,
    out_k_blend: simple.out_blend,
    out_v_blend: simple.out_blend,
    ...(compat === undefined ? {} : { compat }),
  };
}

/** Which part of the UNet a site is in: on the way down, in the middle, or on the way up. */
export type SiteBlock = 'input' | 'middle' | 'output';

/** The parameters of one side of the UNet, without their prefix. */
export interface Side {
  readonly mode: PoolingMode;
  readonly depthDecay: number;
  readonly strength: number;
  readonly kBlend: number;
  readonly vBlend: number;
}

/** The `in_*` or the `out_*` parameters: the middle block goes with the input blocks. */
export function sideOf(p: SlothfulParameters, block: SiteBlock): Side {
  return block === 'output'
    ? side(p.out_mode, p.out_depth_decay, p.out_strength, p.out_k_blend, p.out_v_blend)
    : side(p.in_mode, p.in_depth_decay, p.in_strength, p.in_k_blend, p.in_v_blend);
}

function side(mode: PoolingMode, depthDecay: number, strength: number, kBlend: number, vBlend: number): Side {
  return { mode, depthDecay, strength, kBlend, vBlend };
}
