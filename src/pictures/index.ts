export { enlarge, paste, sheet } from './compose.ts';
export { encodePng } from './png.ts';
