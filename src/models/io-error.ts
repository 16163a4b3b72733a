import { messageOf, SlothfulError } from '../errors.ts';

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  EACCES: 'may not be read or written (permission denied)',
  EPERM: 'may not be changed (operation not permitted)',
  EISDIR: 'is a folder',
  ENOTDIR: 'lies under something that is not a folder',
  ENOSPC: 'does not fit: the disk is full',
  EROFS: 'is on a read-only file system',
  EDQUOT: 'does not fit: the quota on the disk is used up',
  ENAMETOOLONG: 'has too long a name',
  ELOOP: 'is a link that leads back to itself',
  EMFILE: 'cannot be opened: too many open files',
};

/** The code of a failed system call (`ENOENT`), undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A failed system call as an error that names the file in plain words; a SlothfulError stays what it is. */
export function ioError(error: unknown, place: string, cure?: string): SlothfulError {
  if (error instanceof SlothfulError) return error;
  const problem = WORDS[systemCode(error) ?? ''] ?? `failed: ${messageOf(error)}`;
  return new SlothfulError('io', place, problem, cure, { cause: error });
}
