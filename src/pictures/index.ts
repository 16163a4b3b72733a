export { enlarge, paste } from './compose.ts';
export { contactSheet, type SheetContent, type SheetRow } from './contact-sheet.ts';
export { latentPreviews } from './latent-preview.ts';
export { decodePng, encodePng, pngAddress } from './png.ts';
