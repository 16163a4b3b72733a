import { attr, type Endpoint } from '../../graph/index.ts';
import type { Scope } from './scope.ts';

const INT32 = attr.type('int32');
const KEEP = { keep_dims: attr.bool(true) };

/** What is done to a backbone, values that the graph reads when it runs, [1, 1] each. */
export interface BackboneStrength {
  /** b. */
  readonly strength: Endpoint;
  /** 1: every pixel alike; 0: by the map of the mean. */
  readonly even: Endpoint;
}

/**
 * Strengthens the first half of a backbone's channels: `h (1 + (b - 1) M)`, M the map of the mean in 0..1, or 1 everywhere
 * where `even` is 1. Exactly `h` where b is 1.
 *
 * @param backbone [B, h, w, channels]
 * Source: ChenyangSi/FreeU, README.md and `demo/free_lunch_utils.py`.
 */
export function strengthenBackbone(
  scope: Scope,
  backbone: Endpoint,
  channels: number,
  { strength, even }: BackboneStrength,
): Endpoint {
  const { op } = scope;
  const one = scope.floats([1]);
  const map = mapOfMean(scope, backbone);
  const evened = op('evened', 'Mul', [op('below_one', 'Sub', [one, map]), even]);
  const chosen = op('chosen_map', 'AddV2', [map, evened]);
  const gain = op('gain', 'Mul', [chosen, op('more_than_one', 'Sub', [strength, one])]);
  const ofHalf = op('gain_of_half', 'Mul', [gain, firstHalf(scope, channels)]);
  return op('main_out', 'Mul', [backbone, op('factor', 'AddV2', [ofHalf, one])]);
}

/**
 * [B, h, w, 1]: the mean of all channels, stretched to 0..1 over the grid of each sample. 0 where it is the same everywhere,
 * which the original divides by 0.
 */
function mapOfMean({ op, ints }: Scope, backbone: Endpoint): Endpoint {
  const grid = ints([1, 2], [2]);
  const mean = op('mean', 'Mean', [backbone, ints([3], [1])], KEEP);
  const highest = op('highest', 'Max', [mean, grid], KEEP);
  const lowest = op('lowest', 'Min', [mean, grid], KEEP);
  return op('map', 'DivNoNan', [op('above', 'Sub', [mean, lowest]), op('extent', 'Sub', [highest, lowest])]);
}

/** [channels]: 1 for the first half of the channels and 0 for the rest, counted out, so that no model carries a long constant. */
function firstHalf({ op, ints, floats }: Scope, channels: number): Endpoint {
  const range = op('channels', 'Range', [ints([0]), ints([channels]), ints([1])], { Tidx: INT32 });
  const count = op('channel', 'Cast', [range], { SrcT: INT32, DstT: attr.type('float32') });
  const isFirst = op('is_first', 'Less', [count, floats([Math.floor(channels / 2)])]);
  return op('first_half', 'Cast', [isFirst], { SrcT: attr.type('bool'), DstT: attr.type('float32') });
}
