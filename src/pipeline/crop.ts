import type { Picture, PictureSize } from '../sampling/index.ts';

/** Pixels of a picture for one of its latents, by side. */
const GRID = 8;

/** The largest size that a VAE takes within that of a picture. */
export function croppedSize({ width, height }: PictureSize): PictureSize {
  return { width: width - (width % GRID), height: height - (height % GRID) };
}

/**
 * An image and its mask cropped about their centre to what a VAE takes; transparency is passed over.
 * Source: `vae_encode_crop_pixels` of ComfyUI's comfy/sd.py, and its node LoadImage.
 */
export function cropped<T extends { readonly image: Picture; readonly mask?: Picture | undefined }>(start: T): T {
  const { image, mask } = start;
  return { ...start, image: opaque(croppedPicture(image)), ...(mask ? { mask: croppedPicture(mask) } : {}) };
}

function croppedPicture(picture: Picture): Picture {
  const { width, height } = croppedSize(picture);
  const [left, top] = [Math.floor((picture.width % GRID) / 2), Math.floor((picture.height % GRID) / 2)];
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let row = 0; row < height; row++) {
    const from = ((row + top) * picture.width + left) * 4;
    rgba.set(picture.rgba.subarray(from, from + width * 4), row * width * 4);
  }
  return { width, height, rgba };
}

function opaque({ rgba, ...size }: Picture): Picture {
  return { ...size, rgba: rgba.map((value, index) => (index % 4 === 3 ? 255 : value)) };
}
