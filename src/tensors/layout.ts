/** [batch, height, width, channels]. */
export type ImageShape = readonly [batch: number, height: number, width: number, channels: number];

/**
 * Values in the order [B, C, h, w], as PyTorch has them, in the order [B, h, w, C], as TF.js has them.
 *
 * @param shape of the result
 */
export function channelsLast(values: Float32Array, [batch, height, width, channels]: ImageShape): Float32Array {
  const pixels = height * width;
  const turned = new Float32Array(batch * pixels * channels);
  for (let image = 0; image < batch; image++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (image * channels + channel) * pixels;
      const to = image * channels * pixels + channel;
      for (let pixel = 0; pixel < pixels; pixel++) turned[to + pixel * channels] = values[from + pixel] ?? 0;
    }
  }
  return turned;
}

/** The way back: values in the order [B, h, w, C] in the order [B, C, h, w]. `shape` is that of the values. */
export function channelsFirst(values: Float32Array, [batch, height, width, channels]: ImageShape): Float32Array {
  return channelsLast(values, [batch, channels, 1, height * width]);
}
