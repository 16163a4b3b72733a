/**
 * A pass of one's own: self-attentions look sharper (temperature below 1) or more evenly (above 1) at their keys, the more
 * the noisier the step. Its file needs no package: a stage is given TF.js.
 *
 *   slothful run ./model --use ./temperature.mjs --pass temperature,temperature=0.8 --prompt "birthday cake"
 */
export default {
  name: 'temperature',
  version: 1,
  summary: 'self-attentions look sharper or more evenly at their keys',
  parameters: {
    temperature: { type: 'number', default: 1, min: 0.1, max: 10, step: 0.1, help: 'of the softmax; 1 changes nothing' },
    fade: { type: 'boolean', default: true, help: 'less and less towards the last steps' },
  },
  /** The hook of every step: a row of the columns below for each site. */
  rows({ sites, sigma, parameters: { temperature, fade } }) {
    const share = fade ? Math.min(1, sigma / 10) : 1;
    return sites.map(() => [1 + share * (1 / temperature - 1)]);
  },
  stage: {
    name: 'temperature',
    order: 50,
    columns: [{ name: 'sharpness', default: 1 }],
    effects: { changes: ['query'], needs: [] },
    /** The logits are as long as the queries are: their input is scaled. */
    query: ({ tf }, hiddenStates, [sharpness]) => tf.mul(hiddenStates, sharpness),
  },
};
