import type { Target } from '../target.ts';
import { CONVERSION_TARGETS } from './conversions.ts';
import { DOCUMENT_TARGETS } from './documents.ts';
import { MODEL_TARGETS } from './models.ts';
import { PICTURE_TARGETS } from './pictures.ts';

/** Everything that reads what comes from outside: a line in one of these files each. */
export const TARGETS: readonly Target[] = [
  ...DOCUMENT_TARGETS,
  ...PICTURE_TARGETS,
  ...MODEL_TARGETS,
  ...CONVERSION_TARGETS,
];
