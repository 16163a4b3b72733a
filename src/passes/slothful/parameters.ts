/** How the blended tensor is pooled: over the flattened tokens or over the grid, by average or by maximum. */
export const POOLING_MODES = ['1D_AVG', '1D_MAX', '2D_AVG', '2D_MAX'] as const;
export type PoolingMode = (typeof POOLING_MODES)[number];

/**
 * The parameters of the full node, under the names its users know. `in_*` rules input blocks (and the middle block
 * where `keep_middle` is false), `out_*` output blocks.
 */
export interface SlothfulParameters {
  readonly time_decay: number;
  readonly keep_middle: boolean;
  readonly in_mode: PoolingMode;
  readonly in_depth_decay: number;
  readonly in_strength: number;
  readonly in_k_blend: number;
  readonly in_v_blend: number;
  readonly out_mode: PoolingMode;
  readonly out_depth_decay: number;
  readonly out_strength: number;
  readonly out_k_blend: number;
  readonly out_v_blend: number;
  /** `'comfyui'`: blends of 1 and 1 give the sampled, uncropped tensor, as the original's first release does. */
  readonly compat?: 'comfyui';
}

/** What users write: any of the parameters; the rest are defaults. */
export type SlothfulOptions = Partial<SlothfulParameters>;

/** The parameters of the Simple node. */
export interface SimpleParameters {
  readonly time_decay: number;
  readonly depth_decay: number;
  readonly in_mode: PoolingMode;
  readonly in_strength: number;
  readonly in_blend: number;
  readonly out_mode: PoolingMode;
  readonly out_strength: number;
  readonly out_blend: number;
}

export interface NumberSpec {
  readonly type: 'number';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly help: string;
}

export interface BooleanSpec {
  readonly type: 'boolean';
  readonly default: boolean;
  readonly help: string;
}

export interface ChoiceSpec {
  readonly type: 'choice';
  readonly default: PoolingMode;
  readonly choices: readonly PoolingMode[];
  readonly help: string;
}

export type ParameterSpec = NumberSpec | BooleanSpec | ChoiceSpec;

type SpecOf<V> = V extends number ? NumberSpec : V extends boolean ? BooleanSpec : ChoiceSpec;
/** One spec for every parameter, in the order of the node's inputs. */
export type ParameterTable<P> = { readonly [K in keyof P]-?: SpecOf<P[K]> };

const blend = (help: string): NumberSpec => ({ type: 'number', default: 0, min: 0, max: 1, step: 0.05, help });
const mode = (help: string): ChoiceSpec => ({ type: 'choice', default: '2D_AVG', choices: POOLING_MODES, help });
const strength = (value: number, help: string): NumberSpec => {
  return { type: 'number', default: value, min: 0, max: 50, step: 0.5, help };
};
const depth = (help: string): NumberSpec => ({ type: 'number', default: 1, min: -2, max: 4, step: 0.1, help });
const TIME_DECAY: NumberSpec = {
  type: 'number',
  default: 1,
  min: 0,
  max: 4,
  step: 0.1,
  help: 'how fast the effect fades as denoising advances; 0: not at all',
};

/**
 * The full node's parameters as data: type, range, default, one line of help. Key order is the order of the node's
 * inputs, which ComfyUI workflows rely on.
 */
export const PARAMETERS: ParameterTable<Omit<SlothfulParameters, 'compat'>> = {
  time_decay: TIME_DECAY,
  keep_middle: { type: 'boolean', default: true, help: 'leave the middle block alone' },
  in_mode: mode('pooling mode of input blocks'),
  in_depth_decay: depth('how the effect fades with the depth of input blocks; negative: strongest at the deepest'),
  in_strength: strength(6, 'K/V reduction of input blocks: stride = strength * decay'),
  in_k_blend: blend('share of the pooled tensor in the keys of input blocks; the rest is sampled'),
  in_v_blend: blend('share of the pooled tensor in the values of input blocks; the rest is sampled'),
  out_mode: mode('pooling mode of output blocks'),
  out_depth_decay: depth('how the effect fades with the depth of output blocks; negative: strongest at the deepest'),
  out_strength: strength(4, 'K/V reduction of output blocks: stride = strength * decay'),
  out_k_blend: blend('share of the pooled tensor in the keys of output blocks; the rest is sampled'),
  out_v_blend: blend('share of the pooled tensor in the values of output blocks; the rest is sampled'),
};

/** The Simple node's parameters as data, in the order of the node's inputs. */
export const SIMPLE_PARAMETERS: ParameterTable<SimpleParameters> = {
  time_decay: TIME_DECAY,
  depth_decay: depth('how the effect fades with depth; negative: strongest at the deepest level'),
  in_mode: PARAMETERS.in_mode,
  in_strength: PARAMETERS.in_strength,
  in_blend: blend('share of the pooled tensor in keys and values of input blocks; the rest is sampled'),
  out_mode: PARAMETERS.out_mode,
  out_strength: PARAMETERS.out_strength,
  out_blend: blend('share of the pooled tensor in keys and values of output blocks; the rest is sampled'),
};
