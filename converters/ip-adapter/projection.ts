import { SlothfulError } from '../../src/errors.ts';
import { type ImageProjection, RESAMPLER_HEAD_DIM } from '../unet/image-projection.ts';

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

function shapeOf(path: string, tensors: Shapes, name: string, rank: number): readonly number[] {
  const tensor = tensors.get(name);
  if (tensor?.shape.length === rank) return tensor.shape;
  const problem = tensor ? `has "${name}" of the shape [${tensor.shape.join(', ')}]` : `has no tensor "${name}"`;
  throw new SlothfulError('bad-checkpoint', path, problem, 'it is incomplete: download it again');
}

/** Width of the image tokens: that of what the adapter's keys are made of. */
export function widthOfTokens(path: string, tensors: Shapes): number {
  return shapeOf(path, tensors, 'ip_adapter.1.to_k_ip.weight', 2)[1] ?? 0;
}

/**
 * Tells the projection of the image's embedding from the shapes of its tensors.
 *
 * @throws SlothfulError `bad-checkpoint` where they do not fit
 */
export function projectionOf(path: string, tensors: Shapes, contextDim: number): ImageProjection {
  return tensors.has('image_proj.latents') ? resamplerOf(path, tensors) : linearOf(path, tensors, contextDim);
}

function linearOf(path: string, tensors: Shapes, contextDim: number): ImageProjection {
  const [outputs = 0, embedDim = 0] = shapeOf(path, tensors, 'image_proj.proj.weight', 2);
  if (outputs > 0 && outputs % contextDim === 0) return { kind: 'base', embedDim, tokens: outputs / contextDim };
  const problem = `projects an image to ${outputs} values, which is no whole number of ${contextDim}-wide tokens`;
  throw new SlothfulError('bad-checkpoint', path, problem, 'download it again');
}

function resamplerOf(path: string, tensors: Shapes): ImageProjection {
  const [, tokens = 0, hiddenDim = 0] = shapeOf(path, tensors, 'image_proj.latents', 3);
  const [, embedDim = 0] = shapeOf(path, tensors, 'image_proj.proj_in.weight', 2);
  const [innerDim = 0] = shapeOf(path, tensors, 'image_proj.layers.0.0.to_q.weight', 2);
  const [feedForwardDim = 0] = shapeOf(path, tensors, 'image_proj.layers.0.1.1.weight', 2);
  if (innerDim === 0 || innerDim % RESAMPLER_HEAD_DIM) {
    const problem = `has a resampler of width ${innerDim}, which is no whole number of ${RESAMPLER_HEAD_DIM}-wide heads`;
    throw new SlothfulError('bad-checkpoint', path, problem, 'download it again');
  }
  const layers = [...tensors.keys()].map((name) => /^image_proj\.layers\.(\d{1,3})\./.exec(name)?.[1]);
  const depth = layers.reduce((most, layer) => (layer === undefined ? most : Math.max(most, Number(layer) + 1)), 0);
  return { kind: 'plus', embedDim, tokens, hiddenDim, innerDim, feedForwardDim, depth };
}
