import { openCheckpoint, UNET } from './checkpoint/open.ts';
import { CONTROLNET } from './controlnet/index.ts';

/**
 * What a checkpoint is, by the names of its tensors. A file with a UNet and a ControlNet is a UNet.
 *
 * @throws SlothfulError as `convertCheckpoint` does where it is neither
 */
export async function checkpointKind(source: string, variant?: string): Promise<'unet' | 'controlnet'> {
  let kind: 'unet' | 'controlnet' = 'unet';
  const checkpoint = await openCheckpoint(source, {
    variant,
    kind: {
      ...UNET,
      spelling(names) {
        const unet = UNET.spelling(names);
        if (!unet) kind = 'controlnet';
        return unet ?? CONTROLNET.spelling(names);
      },
    },
  });
  await checkpoint.close();
  return kind;
}
