export { enlarge, paste, sheet } from './compose.ts';
export { contactSheet, type SheetContent, type SheetRow } from './contact-sheet.ts';
export { latentPreviews } from './latent-preview.ts';
export { encodePng, pngAddress } from './png.ts';
