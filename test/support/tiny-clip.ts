/** CLIP's text encoder in plain TypeScript, for tiny weights: what the tests of `src/text` encode with. */
import type { EncodedChunks, HiddenLayer } from '../../src/text/index.ts';
import { fixture } from './fixtures.ts';
import { type FixtureTensor, readSafetensors } from './safetensors.ts';

type Rows = readonly (readonly number[])[];

interface TinyClipOptions {
  readonly heads: number;
  readonly activation: 'quick_gelu' | 'gelu';
  /** Id of the token whose state is pooled, where it comes first. */
  readonly end: number;
}

const EPSILON = 1e-5;

/** An encoder of a text_encoder folder of fixtures/pipeline, in transformers' names. */
export class TinyClip {
  readonly #tensors: ReadonlyMap<string, FixtureTensor>;
  readonly #layers: number;

  constructor(
    folder: string,
    private readonly options: TinyClipOptions,
  ) {
    this.#tensors = readSafetensors(fixture(`pipeline/${folder}/model.safetensors`));
    this.#layers = [...this.#tensors.keys()].filter((name) => name.endsWith('layer_norm1.weight')).length;
  }

  /** As `PromptEncoder.encode`. */
  encode(ids: readonly (readonly number[])[], layer: HiddenLayer): EncodedChunks {
    const chunks = ids.map((each) => this.#encodeChunk(each, layer));
    const states = chunks.flatMap((chunk) => chunk.states);
    const width = states[0]?.length ?? 0;
    const hiddenStates = {
      shape: [ids.length, ids[0]?.length ?? 0, width],
      data: Float32Array.from(states.flat()),
    };
    const pooled = chunks.flatMap((chunk) => chunk.pooled);
    if (!pooled.length) return { hiddenStates };
    return {
      hiddenStates,
      pooled: { shape: [ids.length, pooled.length / ids.length], data: Float32Array.from(pooled) },
    };
  }

  #encodeChunk(ids: readonly number[], { skip, norm }: HiddenLayer) {
    const tokens = this.#rows('text_model.embeddings.token_embedding.weight');
    const positions = this.#rows('text_model.embeddings.position_embedding.weight');
    let states: Rows = ids.map((id, place) => sum(tokens[id] ?? [], positions[place] ?? []));
    const all = [states];
    for (let layer = 0; layer < this.#layers; layer++) {
      states = this.#layer(states, `text_model.encoder.layers.${layer}`);
      all.push(states);
    }
    const taken = all.at(-1 - skip) ?? [];
    const projection = this.#tensors.has('text_projection.weight') ? this.#rows('text_projection.weight') : [];
    const last = this.#norm(states, 'text_model.final_layer_norm')[ids.indexOf(this.options.end)] ?? [];
    const pooled = projection.map((row) => dot(row, last));
    return { states: norm ? this.#norm(taken, 'text_model.final_layer_norm') : taken, pooled };
  }

  #layer(states: Rows, name: string): Rows {
    const attended = this.#attend(this.#norm(states, `${name}.layer_norm1`), `${name}.self_attn`);
    const between = states.map((row, index) => sum(row, attended[index] ?? []));
    const wide = this.#linear(this.#norm(between, `${name}.layer_norm2`), `${name}.mlp.fc1`);
    const active = wide.map((row) => row.map(this.options.activation === 'gelu' ? gelu : quickGelu));
    const narrow = this.#linear(active, `${name}.mlp.fc2`);
    return between.map((row, index) => sum(row, narrow[index] ?? []));
  }

  /** Each token sees itself and those before it, padding too. */
  #attend(states: Rows, name: string): Rows {
    const [queries, keys, values] = ['q_proj', 'k_proj', 'v_proj'].map((part) =>
      this.#linear(states, `${name}.${part}`),
    );
    const size = (states[0]?.length ?? 0) / this.options.heads;
    const heads = Array.from({ length: this.options.heads }, (_, head) => {
      const cut = (rows: Rows = []) => rows.map((row) => row.slice(head * size, (head + 1) * size));
      return attention(cut(queries), cut(keys), cut(values));
    });
    const joined = states.map((_, token) => heads.flatMap((head) => head[token] ?? []));
    return this.#linear(joined, `${name}.out_proj`);
  }

  #linear(states: Rows, name: string): Rows {
    const weights = this.#rows(`${name}.weight`);
    const bias = this.#tensor(`${name}.bias`).data;
    return states.map((row) => weights.map((weight, index) => dot(weight, row) + (bias[index] ?? 0)));
  }

  #norm(states: Rows, name: string): Rows {
    const [scale, shift] = [this.#tensor(`${name}.weight`).data, this.#tensor(`${name}.bias`).data];
    return states.map((row) => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length;
      const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / row.length;
      const deviation = Math.sqrt(variance + EPSILON);
      return row.map((value, index) => ((value - mean) / deviation) * (scale[index] ?? 0) + (shift[index] ?? 0));
    });
  }

  #rows(name: string): number[][] {
    const { shape, data } = this.#tensor(name);
    const [count = 0, width = 0] = shape;
    return Array.from({ length: count }, (_, row) => [...data.subarray(row * width, (row + 1) * width)]);
  }

  #tensor(name: string): FixtureTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`no tensor "${name}"`);
    return tensor;
  }
}

function attention(queries: Rows, keys: Rows, values: Rows): number[][] {
  return queries.map((query, token) => {
    const logits = keys.slice(0, token + 1).map((key) => dot(query, key) / Math.sqrt(query.length));
    const largest = Math.max(...logits);
    const exponents = logits.map((logit) => Math.exp(logit - largest));
    const total = exponents.reduce((a, b) => a + b, 0);
    return query.map((_, channel) => {
      return exponents.reduce((sum, weight, at) => sum + (weight / total) * (values[at]?.[channel] ?? 0), 0);
    });
  });
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((total, value, at) => total + value * (b[at] ?? 0), 0);
const sum = (a: readonly number[], b: readonly number[]) => a.map((value, index) => value + (b[index] ?? 0));
const quickGelu = (x: number) => x / (1 + Math.exp(-1.702 * x));
const gelu = (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2));

/** Abramowitz and Stegun 7.1.26, to 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}
