import type { JsonObject } from '../../src/graph/index.ts';
import type { UNetConfig } from './config.ts';

/** A float tensor of a signature; -1 where any size will do. */
export function signatureTensor(name: string, shape: readonly number[]): JsonObject {
  return {
    name: `${name}:0`,
    dtype: 'DT_FLOAT',
    tensorShape: { dim: shape.map((size) => ({ size: String(size) })) },
  };
}

/** The inputs that a UNet and its ControlNets have in common. */
export function signatureInputs(config: UNetConfig): JsonObject {
  const shapes: Record<string, readonly number[]> = {
    sample: [-1, -1, -1, config.inChannels],
    timestep: [-1],
    encoder_hidden_states: [-1, -1, config.contextDim],
    ...(config.addition ? { text_embeds: [-1, config.addition.textEmbedDim], time_ids: [-1, 6] } : {}),
  };
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, signatureTensor(name, shape)]));
}
