import { SlothfulError } from '../errors.ts';

/** The op of the one node that replaces an attention; its executor is registered by `registerSlothfulOps`. */
export const SLOTHFUL_OP = 'SlothfulAttention';

/** How tokens enter: [B, N, C], [B*N, C] or [B, h, w, C]. */
export type HiddenForm = 'tokens' | 'flat' | 'grid';
/** How the merged heads leave: [B, N, inner], [B*N, inner], [B, h, w, inner] or [B, N, heads, headDim]. */
export type OutputForm = HiddenForm | 'heads';

const HIDDEN_FORMS: readonly HiddenForm[] = ['tokens', 'flat', 'grid'];
const OUTPUT_FORMS: readonly OutputForm[] = ['tokens', 'flat', 'grid', 'heads'];

/** The attributes of a `SlothfulAttention` node. */
export interface NodeAttributes {
  readonly heads: number;
  /** Factor of the logits. */
  readonly scale: number;
  /** Row of the control table; for a cross-attention its number in reports. */
  readonly site: number;
  readonly cross: boolean;
  /** Which of the projections has a bias input. */
  readonly queryBias: boolean;
  readonly keyBias: boolean;
  readonly valueBias: boolean;
  /** Weights are [inner, C] in place of [C, inner]. */
  readonly transposeWeights: boolean;
  readonly hiddenForm: HiddenForm;
  /** Form of the context of a cross-attention. */
  readonly contextForm: HiddenForm;
  readonly outputForm: OutputForm;
}

/** How model.json holds each attribute: `i`, `f`, `b` or `s`. */
export const ATTRIBUTE_TYPES = {
  heads: 'int',
  scale: 'float',
  site: 'int',
  cross: 'bool',
  queryBias: 'bool',
  keyBias: 'bool',
  valueBias: 'bool',
  transposeWeights: 'bool',
  hiddenForm: 'string',
  contextForm: 'string',
  outputForm: 'string',
} as const satisfies Record<keyof NodeAttributes, 'int' | 'float' | 'bool' | 'string'>;

/** The inputs of a node by name: endpoints in a document, tensors in an executor. */
export interface NodeInputs<T> {
  readonly hiddenStates: T;
  /** Keys' and values' input of a cross-attention; absent for a self-attention. */
  readonly context?: T | undefined;
  readonly queryWeight: T;
  readonly keyWeight: T;
  readonly valueWeight: T;
  readonly queryBias?: T | undefined;
  readonly keyBias?: T | undefined;
  readonly valueBias?: T | undefined;
  /** The control table, [sites, 7] float32; a self-attention has one. */
  readonly control?: T | undefined;
  /**
   * NHWC shape, int32 [4], of the rank-4 tensor whose pixels are the tokens. A cross-attention needs it only where
   * the batch or the grid cannot be told from its inputs' and output's forms.
   */
  readonly grid?: T | undefined;
}

const ORDER = [
  'hiddenStates',
  'context',
  'queryWeight',
  'keyWeight',
  'valueWeight',
  'queryBias',
  'keyBias',
  'valueBias',
  'control',
  'grid',
] as const satisfies ReadonlyArray<keyof NodeInputs<unknown>>;

/** The inputs in the node's order, with absent ones left out. */
export function orderInputs<T>(inputs: NodeInputs<T>): T[] {
  return ORDER.flatMap((name) => {
    const input = inputs[name];
    return input === undefined ? [] : [input];
  });
}

/** The attributes that follow from which inputs are there. */
export function inputFlags(inputs: NodeInputs<unknown>) {
  return {
    cross: inputs.context !== undefined,
    queryBias: inputs.queryBias !== undefined,
    keyBias: inputs.keyBias !== undefined,
    valueBias: inputs.valueBias !== undefined,
  };
}

/**
 * Names the inputs of a node: the inverse of `orderInputs`.
 *
 * @param place the node's name, for messages
 * @throws SlothfulError `bad-graph` where there are more or fewer than its attributes say
 */
export function nameInputs<T>(list: readonly T[], attributes: NodeAttributes, place: string): NodeInputs<T> {
  const { cross, queryBias, keyBias, valueBias } = attributes;
  const weights = cross ? 2 : 1;
  const biases = weights + 3;
  const control = biases + Number(queryBias) + Number(keyBias) + Number(valueBias);
  const grid = control + (cross ? 0 : 1);
  if (list.length !== grid + 1 && !(cross && list.length === grid)) {
    throw new SlothfulError('bad-graph', place, `${SLOTHFUL_OP} needs ${grid + 1} inputs, got ${list.length}`);
  }
  const at = (index: number): T => {
    const value = list[index];
    if (value === undefined) throw new SlothfulError('bad-graph', place, `input ${index} is missing`);
    return value;
  };
  return {
    hiddenStates: at(0),
    context: cross ? at(1) : undefined,
    queryWeight: at(weights),
    keyWeight: at(weights + 1),
    valueWeight: at(weights + 2),
    queryBias: queryBias ? at(biases) : undefined,
    keyBias: keyBias ? at(biases + Number(queryBias)) : undefined,
    valueBias: valueBias ? at(control - 1) : undefined,
    control: cross ? undefined : at(control),
    grid: list[grid],
  };
}

/**
 * Checks the attributes that a custom op's executor receives: decoded, text lower-cased by TF.js.
 *
 * @throws SlothfulError `bad-graph` naming the attribute
 */
export function parseAttributes(raw: Readonly<Record<string, unknown>>, place: string): NodeAttributes {
  const wrong = (name: string, expected: string) =>
    new SlothfulError('bad-graph', place, `attribute "${name}" must be ${expected}, got ${String(raw[name])}`);
  const number = (name: string, valid: (value: number) => boolean, expected: string): number => {
    const value = raw[name];
    if (typeof value !== 'number' || !valid(value)) throw wrong(name, expected);
    return value;
  };
  const bool = (name: string): boolean => {
    const value = raw[name] ?? false;
    if (typeof value !== 'boolean') throw wrong(name, 'true or false');
    return value;
  };
  const form = <F extends string>(name: string, forms: readonly F[]): F => {
    const value = forms.find((each) => each === (raw[name] ?? 'tokens'));
    if (value === undefined) throw wrong(name, `one of ${forms.join(', ')}`);
    return value;
  };
  return {
    heads: number('heads', (value) => Number.isInteger(value) && value > 0, 'an integer from 1'),
    scale: number('scale', Number.isFinite, 'a finite number'),
    site: number('site', (value) => Number.isInteger(value) && value >= 0, 'an integer from 0'),
    cross: bool('cross'),
    queryBias: bool('queryBias'),
    keyBias: bool('keyBias'),
    valueBias: bool('valueBias'),
    transposeWeights: bool('transposeWeights'),
    hiddenForm: form('hiddenForm', HIDDEN_FORMS),
    contextForm: form('contextForm', HIDDEN_FORMS),
    outputForm: form('outputForm', OUTPUT_FORMS),
  };
}
