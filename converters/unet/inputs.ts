import { attr, type Endpoint, type JsonObject } from '../../src/graph/index.ts';
import { type GraphBuilder, type ResnetContext, shapeOf, signatureTensor, slice } from '../nn/index.ts';
import type { UNetConfig } from './config.ts';
import { timeEmbedding } from './embedding.ts';
import type { ImageContext } from './image-tokens.ts';
import type { TransformerContext } from './transformer.ts';

/** What all blocks of a UNet share. */
export interface Contexts {
  resnet: ResnetContext;
  transformer: TransformerContext;
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

/**
 * Adds the inputs beside the sample, and what all blocks make of them.
 *
 * @param image adds the image tokens of an IP-Adapter
 */
export function buildContexts(
  builder: GraphBuilder,
  config: UNetConfig,
  sample: Endpoint,
  image?: (builder: GraphBuilder) => ImageContext,
): Contexts {
  const timestep = builder.placeholder('timestep', [-1]);
  const states = builder.placeholder('encoder_hidden_states', [-1, -1, config.contextDim]);
  const guidance = config.guidanceDim === null ? undefined : guidanceInput(builder, config.guidanceDim);
  const added = config.addition
    ? {
        textEmbeds: builder.placeholder('text_embeds', [-1, config.addition.textEmbedDim]),
        timeIds: builder.placeholder('time_ids', [-1, 6]),
      }
    : {};
  const context = builder.op('encoder_hidden_states/flat', 'Reshape', [states, builder.ints([-1, config.contextDim])]);
  return {
    resnet: {
      time: {
        embedding: timeEmbedding(builder, config, { timestep, guidance, ...added }),
        width: 4 * (config.down[0]?.width ?? 0),
      },
      groups: config.normGroups,
      eps: config.normEps,
    },
    transformer: {
      context,
      contextDim: config.contextDim,
      batch: batchSize(builder, sample),
      groups: config.normGroups,
      linearProjection: config.linearProjection,
      ...(image ? { image: image(builder) } : {}),
    },
  };
}

/** `timestep_cond`, which is 0 where it is not fed: diffusers adds nothing then. */
function guidanceInput(builder: GraphBuilder, width: number) {
  const embedding = builder.graph.add({
    name: 'timestep_cond',
    op: 'PlaceholderWithDefault',
    inputs: [
      builder.floats(
        Array.from({ length: width }, () => 0),
        [1, width],
      ),
    ],
    attributes: { dtype: attr.type('float32'), shape: attr.shape([-1, width]) },
  });
  return { embedding, width };
}

function batchSize(builder: GraphBuilder, sample: Endpoint): Endpoint {
  return slice(builder, 'shapes/batch', shapeOf(builder, 'shapes/sample', sample), 0, 1);
}
