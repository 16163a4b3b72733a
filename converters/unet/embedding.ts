import type { Addition } from '../../src/families/index.ts';
import type { Endpoint } from '../../src/graph/index.ts';
import { concat, type GraphBuilder, linear, silu } from '../nn/index.ts';
import type { UNetConfig } from './config.ts';

/**
 * Frequencies of the sinusoidal embedding, rounded to float32 at each step as PyTorch does, so that the phases of large
 * timesteps agree to the last bit.
 *
 * Source: diffusers, `get_timestep_embedding` with max_period 10000 and no frequency shift.
 */
export function frequencies(width: number): number[] {
  const half = width / 2;
  const logPeriod = Math.fround(-Math.log(10000));
  return Array.from({ length: half }, (_, index) => {
    const exponent = Math.fround(Math.fround(logPeriod * index) / half);
    return Math.fround(Math.exp(exponent));
  });
}

/** [n] values -> [n, width]: cosines first, then sines (flip_sin_to_cos). */
function sinusoidal(builder: GraphBuilder, scope: string, values: Endpoint, width: number): Endpoint {
  const column = builder.op(`${scope}/column`, 'Reshape', [values, builder.ints([-1, 1])]);
  const phases = builder.op(`${scope}/phases`, 'Mul', [column, builder.floats(frequencies(width), [1, width / 2])]);
  const cosines = builder.op(`${scope}/cos`, 'Cos', [phases]);
  const sines = builder.op(`${scope}/sin`, 'Sin', [phases]);
  return concat(builder, `${scope}/embedding`, [cosines, sines], 1);
}

function mlp(builder: GraphBuilder, module: string, x: Endpoint, inputs: number, outputs: number): Endpoint {
  const hidden = linear(builder, `${module}.linear_1`, x, { inputs, outputs });
  const active = silu(builder, `${module}/act`, hidden);
  return linear(builder, `${module}.linear_2`, active, { inputs: outputs, outputs });
}

function additionEmbedding(
  builder: GraphBuilder,
  inputs: { textEmbeds: Endpoint; timeIds: Endpoint },
  addition: Addition,
  outputs: number,
): Endpoint {
  const { timeEmbedDim, textEmbedDim } = addition;
  const sizes = sinusoidal(builder, 'add_time_proj', inputs.timeIds, timeEmbedDim);
  const flat = builder.op('add_time_proj/flat', 'Reshape', [sizes, builder.ints([-1, 6 * timeEmbedDim])]);
  const joined = concat(builder, 'add_embedding/joined', [inputs.textEmbeds, flat], 1);
  return mlp(builder, 'add_embedding', joined, textEmbedDim + 6 * timeEmbedDim, outputs);
}

/** The embedding of the guidance scale, [B or 1, width]. */
interface Guidance {
  readonly embedding: Endpoint;
  readonly width: number;
}

/** Source: diffusers, `TimestepEmbedding.forward` with `cond_proj`. */
function withGuidance(
  builder: GraphBuilder,
  sines: Endpoint,
  { embedding, width }: Guidance,
  outputs: number,
): Endpoint {
  const size = { inputs: width, outputs, bias: false };
  return builder.op('time_embedding/guided', 'AddV2', [
    sines,
    linear(builder, 'time_embedding.cond_proj', embedding, size),
  ]);
}

/**
 * The embedding that every resnet adds, already through its SiLU: [B or 1, 4 * first width].
 *
 * Source: diffusers, `UNet2DConditionModel.get_time_embed` and `get_aug_embed` (text_time).
 */
export function timeEmbedding(
  builder: GraphBuilder,
  config: Pick<UNetConfig, 'down' | 'addition'>,
  inputs: { timestep: Endpoint; guidance?: Guidance | undefined; textEmbeds?: Endpoint; timeIds?: Endpoint },
): Endpoint {
  const width = config.down[0]?.width ?? 0;
  const sines = sinusoidal(builder, 'time_proj', inputs.timestep, width);
  const projected = inputs.guidance ? withGuidance(builder, sines, inputs.guidance, width) : sines;
  let embedding = mlp(builder, 'time_embedding', projected, width, 4 * width);
  const { textEmbeds, timeIds } = inputs;
  if (config.addition && textEmbeds && timeIds) {
    const added = additionEmbedding(builder, { textEmbeds, timeIds }, config.addition, 4 * width);
    embedding = builder.op('add_embedding/sum', 'AddV2', [embedding, added]);
  }
  return silu(builder, 'time_embedding/out', embedding);
}
