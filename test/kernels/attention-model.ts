import * as tfc from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import {
  ATTENTION_OP,
  encodeAttributes,
  inputFlags,
  type NodeAttributes,
  type NodeInputs,
  orderInputs,
} from '../../src/attention/index.ts';
import { type Attributes, attr } from '../../src/graph/index.ts';
import { encodeControl, UNTOUCHED } from '../../src/passes/slothful/index.ts';
import { registerSlothfulOps } from '../../src/runtime/index.ts';

export interface ModelWeight {
  readonly shape: number[];
  readonly values: Float32Array;
}

/** A graph of one `SlothfulAttention` node: which inputs it has, which weights, and its attributes. */
export interface AttentionModel {
  readonly weights: Readonly<Record<string, ModelWeight>>;
  readonly attributes: Partial<NodeAttributes> & { readonly heads: number };
  readonly context?: boolean;
  /** Whether the node gets a grid; its pixels are the placeholder `pixels`. Default: yes. */
  readonly grid?: boolean;
  /** Rows of the control table. */
  readonly sites?: number;
}

const FLOAT: Attributes = { dtype: attr.type('float32') };

/** Loads the model with TF.js's own loader, from memory. Feeds: `hidden`, `context`, `pixels`, `control`. */
export async function loadAttentionModel(model: AttentionModel): Promise<tfc.GraphModel> {
  registerSlothfulOps();
  const table = encodeControl(Array.from({ length: model.sites ?? 1 }, () => UNTOUCHED));
  const weights: Record<string, ModelWeight> = {
    ...model.weights,
    control_default: { shape: [model.sites ?? 1, 7], values: table },
  };
  const artifacts: tf.io.ModelArtifacts = {
    format: 'graph-model',
    modelTopology: { node: nodesOf(model, Object.keys(weights)), versions: {} },
    weightSpecs: Object.entries(weights).map(([name, { shape }]) => ({ name, shape, dtype: 'float32' })),
    weightData: tf.io.concatenateArrayBuffers(Object.values(weights).map(({ values }) => copyOf(values))),
  };
  return tfc.loadGraphModel(tf.io.fromMemory(artifacts));
}

function nodesOf(model: AttentionModel, constants: readonly string[]): object[] {
  const placeholders = ['hidden', 'pixels', ...(model.context ? ['context'] : [])];
  const inputs = inputsOf(model);
  return [
    ...placeholders.map((name) => ({ name, op: 'Placeholder', attr: FLOAT })),
    ...constants.map((name) => ({ name, op: 'Const', attr: FLOAT })),
    { name: 'control', op: 'PlaceholderWithDefault', input: ['control_default'], attr: FLOAT },
    { name: 'grid', op: 'Shape', input: ['pixels'], attr: { out_type: attr.type('int32') } },
    { name: 'attention', op: ATTENTION_OP, input: orderInputs(inputs), attr: attributesOf(model, inputs) },
    { name: 'out', op: 'Identity', input: ['attention'], attr: { T: attr.type('float32') } },
  ];
}

function inputsOf({ weights, context, grid = true }: AttentionModel): NodeInputs<string> {
  const present = (name: string) => (name in weights ? name : undefined);
  return {
    hiddenStates: 'hidden',
    context: context ? 'context' : undefined,
    queryWeight: 'queryWeight',
    keyWeight: 'keyWeight',
    valueWeight: 'valueWeight',
    queryBias: present('queryBias'),
    keyBias: present('keyBias'),
    valueBias: present('valueBias'),
    control: context ? undefined : 'control',
    grid: grid ? 'grid' : undefined,
  };
}

function attributesOf({ attributes }: AttentionModel, inputs: NodeInputs<string>): Attributes {
  const all: NodeAttributes = {
    scale: 0.5,
    site: 0,
    id: 'input.0.0.0',
    transposeWeights: false,
    parts: [],
    hiddenForm: 'tokens',
    contextForm: 'tokens',
    outputForm: 'tokens',
    stages: [],
    columns: [],
    ...inputFlags(inputs),
    ...attributes,
  };
  return encodeAttributes(all);
}

function copyOf(values: Float32Array): ArrayBuffer {
  return new Float32Array(values).buffer;
}
