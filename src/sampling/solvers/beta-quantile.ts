/** Both shape parameters of the distribution by which ComfyUI's beta schedule spaces its levels. */
const SHAPE = 0.6;

/** Halvings of [0, 1/2] after which a double cannot tell the ends apart. */
const HALVINGS = 60;

/**
 * The quantile function of the symmetric beta distribution with both parameters 0.6 (scipy's betaincinv(.6, .6, p)), to
 * a few units in the last place.
 *
 * @param probability 0 to 1; 1/2 gives 1/2 exactly
 */
export function betaQuantile(probability: number): number {
  if (probability > 0.5) return 1 - betaQuantile(1 - probability);
  if (probability === 0.5) return 0.5;
  const wanted = 2 * probability * massBelow(0.5);
  let [low, high] = [0, 0.5];
  for (let round = 0; round < HALVINGS; round++) {
    const middle = (low + high) / 2;
    if (massBelow(middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The integral of t^(a-1) (1-t)^(a-1) from 0 to `end`, by the binomial series of the second factor. Only its ratio to
 * that of the half, where the symmetric distribution has probability 1/2, is needed: no gamma functions.
 *
 * @param end at most 1/2, where each term is less than half of the one before
 */
function massBelow(end: number): number {
  let [factor, sum] = [1, 0];
  for (let k = 0; factor > 1e-18; k++) {
    sum += factor / (SHAPE + k);
    factor *= ((1 - SHAPE + k) / (k + 1)) * end;
  }
  return end ** SHAPE * sum;
}
