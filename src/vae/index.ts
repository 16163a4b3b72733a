/** From latents to images and back, by a VAE or a TAESD, whole or in tiles; images as bytes; and what memory it takes. */
export {
  type AutoencoderHalf,
  type AutoencoderKind,
  type AutoencoderRecord,
  type AutoencoderSide,
  autoencoderRecord,
} from './autoencoder.ts';
export type { CodingOptions, TileProgress } from './code-images.ts';
export { decodeLatents } from './decode.ts';
export { encodeImage, encodeLatents, type Moments, sampleLatents } from './encode.ts';
export { imagesOfPictures, picturesOfImages } from './image.ts';
export { chooseTiling, decodeBytes, type LatentSize } from './memory.ts';
export type { Tiling } from './tiles.ts';
