import { fileURLToPath } from 'node:url';
import { messageOf, SlothfulError } from '../errors.ts';

/** As users of tfjs-node write it: what follows is a path, and need not be a whole one. */
const RELATIVE = /^file:\/\/(?=\.{1,2}(?:[\\/]|$))/i;

/**
 * The path that a `file:` URL names, its escapes decoded. A path stays as it is, and so does an address of another kind.
 *
 * @param source path, address or URL object
 * @throws SlothfulError `bad-input` for a URL that names no file of this machine
 */
export function localPath(source: string | URL): string {
  const text = typeof source === 'string' ? source : source.href;
  if (!/^file:\//i.test(text)) return text;
  try {
    const [start] = RELATIVE.exec(text) ?? [];
    return start === undefined ? fileURLToPath(text) : decodeURIComponent(text.slice(start.length));
  } catch (error) {
    const cure = 'write file:///folder/model.json, or the path itself';
    throw new SlothfulError('bad-input', text, `names no file of this machine (${messageOf(error)})`, cure);
  }
}
