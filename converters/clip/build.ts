import { attr, type Endpoint, type JsonObject } from '../../src/graph/index.ts';
import {
  affineOf,
  GraphBuilder,
  gelu,
  Heads,
  layerNorm,
  layerNormBy,
  linear,
  type PlannedGraph,
  product,
  quickGelu,
  scopeOf,
  shapeFrom,
  shapeOf,
  signatureTensor,
  slice,
} from '../nn/index.ts';
import type { TextEncoderConfig } from './config.ts';

/** Added to the logit of a later token: its weight is 0 then, in every precision. */
const NEVER = -1e9;

/** What all layers share. */
interface Context {
  readonly batch: Endpoint;
  /** [positions, positions] */
  readonly mask: Endpoint;
}

/**
 * Builds the TF.js graph of a CLIPTextModel from stock ops, for any batch.
 *
 * Inputs: `input_ids` int32 [B, positions], padded; `eos_token_id` int32 [], which is `eosTokenId` where it is not fed.
 * Outputs, of which TF.js computes what is asked for:
 * - `hidden_states_<n>` [B, positions, width]: after n layers, without the final norm; 0 are the embeddings
 * - `normed_states_<n>`: the same with the final norm. After the last layer they are the model's last hidden state
 * - `pooled` [B, width]: the normed last state at the first EOS
 * - `text_embeds` [B, projection]: that times the projection, where the model has one
 *
 * Source: transformers, `CLIPTextModelWithProjection.forward`.
 */
export function buildTextEncoder(config: TextEncoderConfig, eosTokenId: number, convertedBy: string): PlannedGraph {
  const { width, layers, positions } = config;
  const builder = new GraphBuilder(convertedBy);
  const ids = builder.placeholder('input_ids', [-1, positions], 'int32');
  const batch = slice(builder, 'shapes/batch', shapeOf(builder, 'shapes/input_ids', ids), 0, 1);
  const context = { batch, mask: causalMask(builder, positions) };
  const shape = shapeFrom(builder, 'shapes/states', batch, [positions, width]);
  const norm = affineOf(builder, 'text_model.final_layer_norm', width);
  const outputs: Record<string, readonly number[]> = {};
  const give = (name: string, from: Endpoint, sizes: readonly number[], op = 'Reshape', inputs = [shape]) => {
    outputs[name] = sizes;
    return builder.op(name, op, [from, ...inputs]);
  };
  let states = embeddings(builder, config, ids);
  let last = states;
  for (let done = 0; done <= layers; done++) {
    if (done > 0) states = encoderLayer(builder, config, done - 1, states, context);
    give(`hidden_states_${done}`, states, [-1, positions, width]);
    const normed = layerNormBy(builder, `text_model/final_layer_norm/${done}`, states, norm, config.eps);
    last = give(`normed_states_${done}`, normed, [-1, positions, width]);
  }
  const pooled = give('pooled', atFirstEos(builder, config, ids, last, eosTokenId), [-1, width], 'Identity', []);
  if (config.projection !== undefined) {
    const embeds = product(builder, 'text_projection', pooled, projectionWeight(builder, config, config.projection));
    give('text_embeds', embeds, [-1, config.projection], 'Identity', []);
  }
  builder.graph.setSignature(signatureOf(config, outputs));
  return { graph: builder.graph, weights: builder.weights };
}

function signatureOf({ positions }: TextEncoderConfig, outputs: Record<string, readonly number[]>): JsonObject {
  return {
    inputs: { input_ids: signatureTensor('input_ids', [-1, positions], 'DT_INT32') },
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, shape]) => [name, signatureTensor(name, shape)])),
  };
}

/** Token and position, flat: [B * positions, width]. */
function embeddings(
  builder: GraphBuilder,
  { width, positions, vocabulary }: TextEncoderConfig,
  ids: Endpoint,
): Endpoint {
  const scope = 'text_model/embeddings';
  const table = builder.tensor('text_model.embeddings.token_embedding.weight', [vocabulary, width]);
  const places = builder.tensor('text_model.embeddings.position_embedding.weight', [positions, width]);
  const axis = builder.ints([0], []);
  const tokens = builder.op(`${scope}/tokens`, 'GatherV2', [table, ids, axis], {
    Tparams: attr.type('float32'),
    Tindices: attr.type('int32'),
    Taxis: attr.type('int32'),
    batch_dims: attr.int(0),
  });
  const placed = builder.op(`${scope}/placed`, 'AddV2', [tokens, places]);
  return builder.op(`${scope}/flat`, 'Reshape', [placed, builder.ints([-1, width])]);
}

function causalMask(builder: GraphBuilder, positions: number): Endpoint {
  const values = Array.from({ length: positions * positions }, (_, index) =>
    index % positions > Math.floor(index / positions) ? NEVER : 0,
  );
  return builder.graph.addConstant('text_model/causal_mask', {
    dtype: 'float32',
    values,
    shape: [positions, positions],
  });
}

function encoderLayer(
  builder: GraphBuilder,
  { width, heads, inner, activation, eps }: TextEncoderConfig,
  index: number,
  x: Endpoint,
  { batch, mask }: Context,
): Endpoint {
  const module = `text_model.encoder.layers.${index}`;
  const scope = scopeOf(module);
  const attention = new Heads(builder, batch, width, heads);
  const square = { inputs: width, outputs: width };
  const first = layerNorm(builder, `${module}.layer_norm1`, x, width, eps);
  const project = (name: string) =>
    attention.apart(`${scope}/self_attn/${name}`, linear(builder, `${module}.self_attn.${name}`, first, square));
  const query = attention.scaled(`${scope}/self_attn`, project('q_proj'));
  const merged = attention.attend(`${scope}/self_attn`, query, project('k_proj'), project('v_proj'), mask);
  const attended = linear(builder, `${module}.self_attn.out_proj`, merged, square);
  const middle = builder.op(`${scope}/attended`, 'AddV2', [x, attended]);
  const second = layerNorm(builder, `${module}.layer_norm2`, middle, width, eps);
  const wide = linear(builder, `${module}.mlp.fc1`, second, { inputs: width, outputs: inner });
  const active = (activation === 'gelu' ? gelu : quickGelu)(builder, `${scope}/mlp/active`, wide);
  const narrow = linear(builder, `${module}.mlp.fc2`, active, { inputs: inner, outputs: width });
  return builder.op(`${scope}/out`, 'AddV2', [middle, narrow]);
}

/**
 * [B, positions, width] -> [B, width] at the first EOS, at the first token where there is none.
 *
 * Everything is a float: a score that is highest at the first EOS, and a row of it that is 1 there picks the state by a
 * product. All backends agree on these ops, and on no tie being there.
 */
function atFirstEos(
  builder: GraphBuilder,
  { positions, width }: TextEncoderConfig,
  ids: Endpoint,
  states: Endpoint,
  eosTokenId: number,
): Endpoint {
  const op = (name: string, kind: string, inputs: Endpoint[], attributes = {}) =>
    builder.op(`text_model/eos/${name}`, kind, inputs, attributes);
  const eos = builder.graph.add({
    name: 'eos_token_id',
    op: 'PlaceholderWithDefault',
    inputs: [builder.ints([eosTokenId], [])],
    attributes: { dtype: attr.type('int32'), shape: attr.shape([]) },
  });
  const toFloat = { SrcT: attr.type('int32'), DstT: attr.type('float32') };
  const isOther = (name: string, difference: Endpoint) =>
    op(name, 'Minimum', [op(`${name}_squared`, 'Square', [difference]), builder.float(1)]);
  const distance = op('distance', 'Sub', [op('ids', 'Cast', [ids], toFloat), op('id', 'Cast', [eos], toFloat)]);
  const penalty = op('penalty', 'Mul', [isOther('other', distance), builder.float(positions)]);
  const order = Array.from({ length: positions }, (_, index) => positions - index);
  const score = op('score', 'Sub', [builder.floats(order, [positions]), penalty]);
  const best = op('best', 'Max', [score, builder.ints([1])], { keep_dims: attr.bool(true) });
  const there = op('there', 'Sub', [builder.float(1), isOther('elsewhere', op('below', 'Sub', [score, best]))]);
  const row = op('row', 'Reshape', [there, builder.ints([-1, 1, positions])]);
  const picked = op('picked', 'BatchMatMulV2', [row, states], { adj_x: attr.bool(false), adj_y: attr.bool(false) });
  return op('state', 'Reshape', [picked, builder.ints([-1, width])]);
}

function projectionWeight(
  builder: GraphBuilder,
  { width, projectionTurned }: TextEncoderConfig,
  projection: number,
): Endpoint {
  const source = 'text_projection.weight';
  return projectionTurned ? builder.tensor(source, [width, projection]) : builder.matrix(source, width, projection);
}
