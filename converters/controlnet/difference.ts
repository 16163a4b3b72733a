import { SlothfulError } from '../../src/errors.ts';
import { sizeOf } from '../../src/graph/index.ts';
import { floatBytes, toFloatBytes } from '../../src/tensors/index.ts';
import { type Checkpoint, openCheckpoint } from '../checkpoint/index.ts';
import { UNET, unetTensors } from '../unet/index.ts';
import { floatsOf, type TensorSource, weightDtype } from '../weights/index.ts';

/** The mark of ControlNets that hold differences to the UNet that they were trained beside. */
const MARK = 'difference';

/** The UNet that a ControlNet's differences are added to. */
export interface Base {
  addedTo(tensors: ReadonlyMap<string, TensorSource>): ReadonlyMap<string, TensorSource>;
  close(): Promise<void>;
}

/**
 * Opens the UNet that a ControlNet of differences needs; undefined for one that is whole.
 *
 * @param path the UNet's checkpoint, where the user gave one
 * @throws SlothfulError `usage` where one of the two is there without the other, and as `openCheckpoint`
 * Source: ComfyUI, `load_controlnet_state_dict`: every weight that the UNet has too is added.
 */
export async function openBase(
  { path: place, marks }: Checkpoint,
  path: string | undefined,
): Promise<Base | undefined> {
  const isDifference = marks.has(MARK);
  if (!isDifference && path !== undefined) {
    throw new SlothfulError(
      'usage',
      '--base',
      `is for ControlNets of differences, and ${place} is whole`,
      'leave it out',
    );
  }
  if (!isDifference) return undefined;
  if (path === undefined) {
    const problem = 'is a ControlNet of differences (marked "difference"), which alone is no ControlNet';
    throw new SlothfulError('usage', place, problem, 'give the UNet that it was made for: --base CHECKPOINT');
  }
  const base = await openCheckpoint(path, UNET);
  return {
    addedTo(tensors) {
      const { tensors: whole } = unetTensors(base);
      return new Map([...tensors].map(([name, own]) => [name, summed(own, whole.get(name))] as const));
    },
    close: () => base.close(),
  };
}

/** A tensor with another added when it is read, of the dtype that it has. */
function summed(difference: TensorSource, whole: TensorSource | undefined): TensorSource {
  if (!whole) return difference;
  const place = `${difference.file} tensor "${difference.name}"`;
  if (String(difference.shape) !== String(whole.shape)) {
    const problem = `is [${difference.shape.join(', ')}], and the UNet's is [${whole.shape.join(', ')}]`;
    throw new SlothfulError('bad-checkpoint', place, problem, 'give the UNet that it was made for with --base');
  }
  const dtype = weightDtype(difference);
  const size = floatBytes(dtype);
  const readRange = async (begin: number, end: number) => {
    const both = [difference, whole].map((tensor) => floatsOf(tensor, begin / size, end / size));
    const [own = new Float32Array(), other = own] = await Promise.all(both);
    return toFloatBytes(
      own.map((value, index) => value + (other[index] ?? 0)),
      dtype,
      place,
    );
  };
  return { ...difference, readRange, read: () => readRange(0, size * sizeOf(difference.shape)) };
}
