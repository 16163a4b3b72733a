import { SlothfulError } from '../../errors.ts';
import { type Attribute, type Attributes, attr, type GraphNode, readString, readStrings } from '../../graph/index.ts';
import type { ChannelPart } from '../site.ts';

/**
 * The op of the one node that stands for an attention. It is neutral: without stages it computes what the attention did
 * that it replaced. Its executor is registered by `registerSlothfulOps`.
 */
export const ATTENTION_OP = 'SlothfulAttention';

/** How tokens enter: [B, N, C], [B*N, C] or [B, h, w, C]. */
export type HiddenForm = 'tokens' | 'flat' | 'grid';
/** How the merged heads leave: as tokens enter, with `inner` channels, or as [B, N, heads, headDim] or [B, h, w, heads, headDim]. */
export type OutputForm = HiddenForm | 'heads' | 'grid-heads';

export const HIDDEN_FORMS: readonly HiddenForm[] = ['tokens', 'flat', 'grid'];
export const OUTPUT_FORMS: readonly OutputForm[] = ['tokens', 'flat', 'grid', 'heads', 'grid-heads'];

/** The attributes of an attention node. */
export interface NodeAttributes {
  readonly heads: number;
  /** Factor of the logits. */
  readonly scale: number;
  /** Its place among the model's attentions: its row of the control table. */
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
  /** The stages that passes attached, in the order in which they act. */
  readonly stages: readonly string[];
  /** By stage, the first of its columns of the control table. */
  readonly columns: readonly number[];
  /**
   * Where projections share a weight, the channels that queries, keys and values take of it: start, length and period of each,
   * a period of 0 for all. Empty where every projection has a weight of its own. See `partsOf`.
   */
  readonly parts: readonly number[];
}

/** What each projection takes of its weight; undefined: all. */
export interface Parts {
  readonly query: ChannelPart | undefined;
  readonly key: ChannelPart | undefined;
  readonly value: ChannelPart | undefined;
}

type AttributeType = 'int' | 'float' | 'string' | 'bool' | 'strings' | 'ints';

/** How model.json holds each attribute. */
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
  stages: 'strings',
  columns: 'ints',
  parts: 'ints',
} as const satisfies Record<keyof NodeAttributes, AttributeType>;

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
  /** The control table, [sites, columns] float32; there wherever the node has stages. */
  readonly control?: T | undefined;
  /** NHWC shape, int32 [4], of the rank-4 tensor whose pixels are the tokens; there wherever `control` is. */
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
 * Names the inputs of a node: the inverse of `orderInputs`. Behind the biases come nothing, the grid, or the control
 * table and the grid.
 *
 * @param place the node's name, for messages
 * @throws SlothfulError `bad-graph` where there are more or fewer than its attributes say
 */
export function nameInputs<T>(list: readonly T[], attributes: NodeAttributes, place: string): NodeInputs<T> {
  const { cross, queryBias, keyBias, valueBias } = attributes;
  const weights = cross ? 2 : 1;
  const biases = weights + 3;
  const own = biases + Number(queryBias) + Number(keyBias) + Number(valueBias);
  const least = attributes.stages.length ? own + 2 : own;
  if (list.length < least || list.length > own + 2) {
    const expected = least === own ? `${own} to ${own + 2}` : String(least);
    throw new SlothfulError('bad-graph', place, `expected ${expected} inputs, got ${list.length}`);
  }
  const at = (index: number): T => {
    const value = list[index];
    if (value === undefined) throw new SlothfulError('bad-graph', place, `input ${index} is missing`);
    return value;
  };
  const hasControl = list.length === own + 2;
  return {
    hiddenStates: at(0),
    context: cross ? at(1) : undefined,
    queryWeight: at(weights),
    keyWeight: at(weights + 1),
    valueWeight: at(weights + 2),
    queryBias: queryBias ? at(biases) : undefined,
    keyBias: keyBias ? at(biases + Number(queryBias)) : undefined,
    valueBias: valueBias ? at(own - 1) : undefined,
    control: hasControl ? at(own) : undefined,
    grid: list.length > own ? at(list.length - 1) : undefined,
  };
}

/**
 * The stages of a node and their columns. Version 0.1 wrote none: there a node with a control table had Slothful Attention
 * alone, in the columns that it still has.
 */
export function stagesOf(attributes: NodeAttributes, hasControl: boolean): ReadonlyArray<readonly [string, number]> {
  const { stages, columns } = attributes;
  if (!stages.length) return hasControl ? [['slothful', 0]] : [];
  return stages.map((stage, index) => [stage, columns[index] ?? 0]);
}

/** What each projection takes of its weight, as the attributes say it. */
export function partsOf({ parts }: Pick<NodeAttributes, 'parts'>): Parts {
  const at = (index: number): ChannelPart | undefined => {
    const [start = 0, length = 0, period = 0] = parts.slice(3 * index, 3 * index + 3);
    return period === 0 ? undefined : { start, length, period };
  };
  return { query: at(0), key: at(1), value: at(2) };
}

/** The inverse of `partsOf`. */
export function encodeParts({ query, key, value }: Parts): number[] {
  if (!query && !key && !value) return [];
  return [query, key, value].flatMap((part) => (part ? [part.start, part.length, part.period] : [0, 0, 0]));
}

/** Whether a list of numbers is nothing, or three ranges of channels that lie within their periods. */
function areParts(parts: readonly number[]): boolean {
  if (parts.length !== 0 && parts.length !== 9) return false;
  return Object.values(partsOf({ parts })).every(
    (part: ChannelPart | undefined) => !part || (part.length > 0 && part.start + part.length <= part.period),
  );
}

/**
 * Checks attributes: those of a document, or those that a custom op's executor receives (decoded, text lower-cased by TF.js,
 * empty lists left out).
 *
 * @throws SlothfulError `bad-graph` naming the attribute
 */
export function parseAttributes(raw: Readonly<Record<string, unknown>>, place: string): NodeAttributes {
  const wrong = (name: keyof NodeAttributes, expected: string) =>
    new SlothfulError('bad-graph', place, `attribute "${name}" must be ${expected}, got ${String(raw[name])}`);
  const number = (name: keyof NodeAttributes, valid: (value: number) => boolean, expected: string): number => {
    const value = raw[name];
    if (typeof value !== 'number' || !valid(value)) throw wrong(name, expected);
    return value;
  };
  const bool = (name: keyof NodeAttributes): boolean => {
    const value = raw[name] ?? false;
    if (typeof value !== 'boolean') throw wrong(name, 'true or false');
    return value;
  };
  const form = <F extends string>(name: keyof NodeAttributes, forms: readonly F[]): F => {
    const value = forms.find((each) => each === (raw[name] ?? 'tokens'));
    if (value === undefined) throw wrong(name, `one of ${forms.join(', ')}`);
    return value;
  };
  const list = <V>(name: keyof NodeAttributes, valid: (value: unknown) => value is V, expected: string): V[] => {
    const value = raw[name] ?? [];
    if (!Array.isArray(value) || !value.every(valid)) throw wrong(name, expected);
    return value;
  };
  const stages = list('stages', isText, 'a list of names');
  const columns = list('columns', isIndex, 'a list of integers from 0');
  if (stages.length !== columns.length) throw wrong('columns', `one for each of ${stages.length} stages`);
  const parts = list('parts', isIndex, 'a list of integers from 0');
  if (!areParts(parts)) throw wrong('parts', 'start, length and period of three ranges of channels');
  return {
    heads: number('heads', (value) => Number.isInteger(value) && value > 0, 'an integer from 1'),
    scale: number('scale', Number.isFinite, 'a finite number'),
    site: number('site', isIndex, 'an integer from 0'),
    id: typeof raw.id === 'string' ? raw.id : '',
    cross: bool('cross'),
    queryBias: bool('queryBias'),
    keyBias: bool('keyBias'),
    valueBias: bool('valueBias'),
    transposeWeights: bool('transposeWeights'),
    hiddenForm: form('hiddenForm', HIDDEN_FORMS),
    contextForm: form('contextForm', HIDDEN_FORMS),
    outputForm: form('outputForm', OUTPUT_FORMS),
    stages,
    columns,
    parts,
  };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isIndex = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;

/** The attributes of a node of a document. @throws SlothfulError `bad-graph` naming node and attribute */
export function readAttributes({ name, attributes }: GraphNode): NodeAttributes {
  const types: Readonly<Record<string, AttributeType>> = ATTRIBUTE_TYPES;
  const raw = Object.entries(types).map(([key, type]) => [key, decode(attributes, key, type)] as const);
  return parseAttributes(Object.fromEntries(raw.filter(([, value]) => value !== undefined)), `node "${name}"`);
}

function decode(attributes: Attributes, name: string, type: AttributeType): unknown {
  const value = attributes[name];
  if (!value) return undefined;
  if (type === 'int') return value.i === undefined ? 0 : Number(value.i);
  if (type === 'float') return value.f === undefined ? undefined : Number(value.f);
  if (type === 'bool') return value.b ?? false;
  if (type === 'ints') return (value.list?.i ?? []).map(Number);
  if (type === 'strings') return readStrings(attributes, name).map((text) => text.toLowerCase());
  return value.s === undefined ? undefined : readString(attributes, name).toLowerCase();
}

/** The attributes as model.json spells them. */
export function encodeAttributes(values: NodeAttributes): Attributes {
  const encode = (name: keyof NodeAttributes): Attribute => {
    const value = values[name];
    switch (ATTRIBUTE_TYPES[name]) {
      case 'int':
        return attr.int(Number(value));
      case 'float':
        return attr.float(Number(value));
      case 'bool':
        return attr.bool(value === true);
      case 'strings':
        return attr.strings(values.stages);
      case 'ints':
        return attr.ints(name === 'parts' ? values.parts : values.columns);
      default:
        return attr.string(String(value));
    }
  };
  const names = (Object.keys(ATTRIBUTE_TYPES) as (keyof NodeAttributes)[]).filter((name) => {
    if (name === 'parts') return values.parts.length > 0;
    return values.stages.length > 0 || (name !== 'stages' && name !== 'columns');
  });
  return Object.fromEntries(names.map((name) => [name, encode(name)]));
}
