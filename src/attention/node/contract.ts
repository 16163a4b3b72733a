import { SlothfulError } from '../../errors.ts';

/** The op of the one node that replaces an attention; its executor is registered by `registerSlothfulOps`. */
export const SLOTHFUL_OP = 'SlothfulAttention';

/** How tokens enter: [B, N, C], [B*N, C] or [B, h, w, C]. */
export type HiddenForm = 'tokens' | 'flat' | 'grid';
/** How the merged heads leave: [B, N, inner], [B*N, inner], [B, h, w, inner] or [B, N, heads, headDim]. */
export type OutputForm = HiddenForm | 'heads';

export const HIDDEN_FORMS: readonly HiddenForm[] = ['tokens', 'flat', 'grid'];
export const OUTPUT_FORMS: readonly OutputForm[] = ['tokens', 'flat', 'grid', 'heads'];

/** The attributes of a `SlothfulAttention` node. */
export interface NodeAttributes {
  readonly heads: number;
  /** Factor of the logits. */
  readonly scale: number;
  /** Row of the control table; for a cross-attention its number in reports. */
  readonly site: number;
  /** The site's stable name (`input.1.0.0`), for messages and reports. Lower case: TF.js lower-cases it anyway. */
  readonly id: string;
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
  id: 'string',
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
  /** The control table, [sites, 7] float32; a self-attention without one is a plain attention. */
  readonly control?: T | undefined;
  /**
   * NHWC shape, int32 [4], of the rank-4 tensor whose pixels are the tokens; there wherever `control` is. A
   * cross-attention needs it only where the batch or the grid cannot be told from its inputs.
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
  if (list.length !== control && list.length !== grid + 1) {
    throw new SlothfulError('bad-graph', place, `expected ${control} or ${grid + 1} inputs, got ${list.length}`);
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
    control: cross ? undefined : list[control],
    grid: list[grid],
  };
}
