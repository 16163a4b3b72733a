/** Loaded before a command: kills its process, for real, before a call that changes something. See `breakFs`. */
import { breakFs } from './broken-fs.ts';

const { BREAK_UNDER: under = '', BREAK_AT: at = '' } = process.env;
breakFs(under, Number(at), 'before', () => process.kill(process.pid, 'SIGKILL')).wholeProcess();
