import { readFile } from 'node:fs/promises';
import { parsePythonJson } from '../documents/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';
import type { SlothfulParameters } from '../passes/index.ts';
import { parametersFromJson } from './parameters.ts';

const PNG = [0x89, 0x50, 0x4e, 0x47];
/** What a text begins with that is an object of JSON: spaces, and a mark of byte order. */
const OBJECT = /^\ufeff?\s*\{/;
/** ComfyUI's chunks: what was run, with the seed that it had, before what the page shows, which may have the next. */
const CHUNKS: readonly string[] = ['prompt', 'workflow'];

/** A workflow as it is in a file, and where in it. */
export interface WorkflowFile {
  /** For `understandWorkflow`. */
  readonly value: unknown;
  /** The file, and of a picture the text in it. */
  readonly place: string;
}

/**
 * Reads a workflow: a JSON file that ComfyUI has saved or exported, or a picture that it has made.
 *
 * @throws SlothfulError `io`, `bad-input` where it is neither, or a picture without a workflow
 */
export async function readWorkflowFile(path: string): Promise<WorkflowFile> {
  const bytes = await readBytes(path);
  if (PNG.every((byte, index) => bytes[index] === byte)) return readPicture(bytes, path);
  const text = bytes.toString('utf8');
  if (OBJECT.test(text)) return { value: parsePythonJson(text, path), place: path };
  const cure = 'give a workflow that ComfyUI has saved, or a PNG that it has made';
  throw new SlothfulError('bad-input', path, 'is neither a PNG nor a JSON object', cure);
}

/**
 * The full node's parameters from a file: JSON of them, a workflow, or a picture that ComfyUI has made. See
 * `parametersFromJson`.
 *
 * @throws SlothfulError `io`, `bad-input` for what is neither, `bad-parameter`
 */
export async function readParametersFile(path: string): Promise<SlothfulParameters> {
  const bytes = await readBytes(path);
  const isPicture = PNG.every((byte, index) => bytes[index] === byte);
  if (!isPicture) return parametersFromJson(parsePythonJson(bytes.toString('utf8'), path), path);
  const { value, place } = await readPicture(bytes, path);
  return parametersFromJson(value, place);
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path', { cause: error });
  }
}

async function readPicture(bytes: Uint8Array, path: string): Promise<WorkflowFile> {
  // Only here: that room draws pictures, too, and takes its time to load.
  const { readPngText } = await import('../pictures/node.ts');
  const texts = readPngText(bytes, path);
  for (const chunk of CHUNKS) {
    const text = texts.get(chunk);
    if (text !== undefined) {
      const place = `${path} "${chunk}"`;
      return { value: parsePythonJson(text, place), place };
    }
  }
  const cure = 'give one that ComfyUI has saved, and that was not saved anew since';
  throw new SlothfulError('bad-input', path, 'is a PNG without a workflow of ComfyUI', cure);
}
