/** Sizes of an attention: images, heads, queries, keys, width of a head. */
export interface AttentionSize {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
}

type Values = ArrayLike<number>;

/**
 * `softmax(scale q k^T + mask) v` in doubles, by the definition: q [B, N, h*d], k and v [B, M, h*d], mask [N, M], out
 * [B, N, h*d].
 */
export function plainAttention(
  q: Values,
  k: Values,
  v: Values,
  size: AttentionSize,
  scale: number,
  mask?: Values,
): Float64Array {
  const { batch, heads, queries, keys, width } = size;
  const channels = heads * width;
  const out = new Float64Array(batch * queries * channels);
  for (let item = 0; item < batch; item++) {
    for (let offset = 0; offset < channels; offset += width) {
      for (let query = 0; query < queries; query++) {
        const row = (item * queries + query) * channels + offset;
        const logits = Float64Array.from({ length: keys }, (_, key) => {
          return (
            scale * dot(q, row, k, (item * keys + key) * channels + offset, width) + (mask?.[query * keys + key] ?? 0)
          );
        });
        softmax(logits).forEach((weight, key) => {
          const from = (item * keys + key) * channels + offset;
          for (let each = 0; each < width; each++)
            out[row + each] = (out[row + each] ?? 0) + weight * (v[from + each] ?? 0);
        });
      }
    }
  }
  return out;
}

/** [rows, inner] = x [rows, C] times w [C, inner], plus a bias. */
export function plainProjection(x: Values, w: Values, channels: number, bias?: Values): Float64Array {
  const inner = w.length / channels;
  return Float64Array.from({ length: (x.length / channels) * inner }, (_, index) => {
    const [row, column] = [Math.floor(index / inner), index % inner];
    let sum = bias?.[column] ?? 0;
    for (let c = 0; c < channels; c++) sum += (x[row * channels + c] ?? 0) * (w[c * inner + column] ?? 0);
    return sum;
  });
}

function dot(a: Values, aFrom: number, b: Values, bFrom: number, length: number): number {
  let sum = 0;
  for (let index = 0; index < length; index++) sum += (a[aFrom + index] ?? 0) * (b[bFrom + index] ?? 0);
  return sum;
}

function softmax(logits: Float64Array): Float64Array {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / sum);
}
