import { SlothfulError } from '../errors.ts';
import type { Picture, Values } from '../sampling/index.ts';

/**
 * Pictures of decoded images: every value clamped to -1..1 and rounded to the nearest byte, half to even.
 *
 * @param image [B, H, W, 3], -1 black to 1 white
 * @returns one opaque picture an image
 * @throws SlothfulError `bad-input` for another shape
 * Source: diffusers, `VaeImageProcessor.postprocess`.
 */
export function picturesOfImages({ shape, data }: Values): Picture[] {
  const [batch = 0, height = 0, width = 0, channels = 0] = shape;
  if (shape.length !== 4 || channels !== 3 || data.length !== batch * height * width * 3) {
    const problem = `must be [B, H, W, 3], got [${shape}] and ${data.length} values`;
    throw new SlothfulError('bad-input', 'image', problem);
  }
  const size = height * width * 3;
  return Array.from({ length: batch }, (_, index) => {
    return { width, height, rgba: opaque(data.subarray(index * size, (index + 1) * size)) };
  });
}

/**
 * Images of pictures, as an encoder takes them: 2p - 1 of p = byte / 255. What is transparent is over black.
 *
 * @param pictures all of one size
 * @returns [B, H, W, 3] in -1..1
 * @throws SlothfulError `bad-input` for no picture, pictures of several sizes, or one whose bytes do not fit its size
 * Source: diffusers, `VaeImageProcessor.preprocess`.
 */
export function imagesOfPictures(pictures: readonly Picture[]): Values {
  const [first] = pictures;
  if (!first) throw new SlothfulError('bad-input', 'pictures', 'there is none');
  const { width, height } = first;
  const size = height * width * 3;
  const data = new Float32Array(pictures.length * size);
  for (const [index, picture] of pictures.entries()) {
    checkSize(picture, first);
    writeOverBlack(picture.rgba, data.subarray(index * size, (index + 1) * size));
  }
  return { shape: [pictures.length, height, width, 3], data };
}

function opaque(values: Float32Array): Uint8ClampedArray {
  // It clamps, and rounds half to even. The steps before are in float32, so that halves are what the reference has for them.
  const rgba = new Uint8ClampedArray((values.length / 3) * 4).fill(255);
  for (const [index, value] of values.entries()) {
    const share = Math.min(Math.max(Math.fround(value / 2 + 0.5), 0), 1);
    rgba[index + Math.floor(index / 3)] = Math.fround(255 * share);
  }
  return rgba;
}

function writeOverBlack(rgba: Uint8ClampedArray, target: Float32Array): void {
  for (let index = 0; index < target.length; index++) {
    const pixel = Math.floor(index / 3);
    const alpha = (rgba[4 * pixel + 3] ?? 0) / 255;
    target[index] = 2 * ((rgba[index + pixel] ?? 0) / 255) * alpha - 1;
  }
}

function checkSize({ width, height, rgba }: Picture, first: Picture): void {
  const place = `picture of ${width}x${height}`;
  if (rgba.length !== width * height * 4 || rgba.length === 0) {
    throw new SlothfulError('bad-input', place, `has ${rgba.length} bytes, and ${width * height * 4} are needed`);
  }
  if (width === first.width && height === first.height) return;
  throw new SlothfulError('bad-input', place, `the first is ${first.width}x${first.height}`, 'make them the same size');
}
