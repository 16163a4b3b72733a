export { decodePng, encodePng, pngAddress } from './png.ts';
