/** Sweeps whose sheet, page and record go into a folder. */
export * from './index.ts';
export { sweepPage } from './sweep-page.ts';
export { type FolderSweep, type SweepJob, sweepToFolder } from './sweep-to-folder.ts';
