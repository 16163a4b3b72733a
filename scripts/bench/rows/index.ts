import type { Row } from '../row.ts';
import { backendsRow } from './backends.ts';
import { convertRow } from './convert.ts';
import { inspectRow, patchRow } from './document.ts';
import { hookRow } from './hook.ts';
import { loadRow } from './load.ts';
import { loraRow } from './lora.ts';
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
  stepRow,
  profileRow,
];
