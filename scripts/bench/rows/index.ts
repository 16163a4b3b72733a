import type { Row } from '../row.ts';
import { backendsRow } from './backends.ts';
import { convertRow } from './convert.ts';
import { decodeRow } from './decode.ts';
import { inspectRow, patchRow } from './document.ts';
import { encodeRow } from './encode.ts';
import { hookRow } from './hook.ts';
import { loadRow } from './load.ts';
import { loraRow } from './lora.ts';
import { passesRow } from './passes.ts';
import { pictureRow } from './picture.ts';
import { profileRow } from './profile.ts';
import { stepRow } from './step.ts';

/** All rows, the cheap ones first. */
export const ROWS: readonly Row[] = [
  hookRow,
  backendsRow,
  convertRow,
  loraRow,
  inspectRow,
  patchRow,
  loadRow,
  encodeRow,
  decodeRow,
  stepRow,
  passesRow,
  profileRow,
  pictureRow,
];
