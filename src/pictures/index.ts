/** Sheets, previews and measures of pictures; what needs Node to read and write PNG is in `node.ts`. */
export { enlarge, paste } from './compose.ts';
export { contactSheet, type SheetContent, type SheetRow } from './contact-sheet.ts';
export { latentPreviews } from './latent-preview.ts';
export * from './measures/index.ts';
