import { buildUNet, parseUNetConfig } from '../../../converters/index.ts';
import { isObject } from '../../../src/graph/index.ts';
import type { Base } from '../plan.ts';
import { jsonPart } from './parts.ts';

/** Two levels of one layer: a third of the fixture's tensors, and so three times as many tries. */
const SMALLER = {
  block_out_channels: [16, 16],
  layers_per_block: 1,
  down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
};

/** A UNet as diffusers keeps it, all zeros. */
export function smallUNet(): Base {
  const { value } = jsonPart('unet/sd15/diffusers/config.json');
  const config = { ...(isObject(value) ? value : {}), ...SMALLER };
  const { weights } = buildUNet(parseUNetConfig(config, 'the small UNet'), 'fuzz');
  const sources = new Map(weights.map(({ source, sourceShape }) => [source, sourceShape]));
  const tensors = [...sources].map(([name, shape]) => {
    const bytes = new Uint8Array(2 * shape.reduce((product, size) => product * size, 1));
    return { name, shape, dtype: 'F16', bytes };
  });
  return {
    'config.json': { kind: 'json', value: config },
    'diffusion_pytorch_model.safetensors': { kind: 'tensors', value: { tensors, metadata: {} } },
  };
}
