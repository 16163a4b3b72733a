export { decodePicture, expectPng } from './decode-picture.ts';
export { decodePng, encodePng, pngAddress } from './png.ts';
export { readPngText, withPngText } from './png-text.ts';
