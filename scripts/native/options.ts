import { parseArgs } from 'node:util';
import { messageOf, SlothfulError } from '../../src/errors.ts';

/** The TensorFlow release that the addon has been tried with. */
const TENSORFLOW_VERSION = '2.21.0';

export interface SetupOptions {
  /** Take the TensorFlow that computes on NVIDIA GPUs. */
  readonly gpu: boolean;
  /** Where the CUDA libraries come from; `auto`: the system's where they are complete, else pip's. */
  readonly cuda: 'auto' | 'pip' | 'system';
  /** Release of TensorFlow. */
  readonly tensorflow: string;
  /** Folder with Node's headers, as node-gyp takes it: `include/node/node_api.h` below it. */
  readonly nodedir: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
}

export const HELP = `npm run setup:native [-- options]

Installs @tensorflow/tfjs-node-gpu and builds its addon against the library in TensorFlow's Python wheel, which pip
downloads. What was downloaded and built is kept in the user's cache folder. Needs Linux, Python 3 with pip, and a C++
compiler. pip's own settings (PIP_INDEX_URL, PIP_FIND_LINKS, ...) hold.

  --gpu              the TensorFlow for NVIDIA GPUs (CUDA 12)
  --cuda WHERE       with --gpu: take the CUDA libraries from pip (about 3 GB), from the system, or auto (default): the
                     system's where they are complete, else pip's; none where there is no NVIDIA driver
  --tensorflow X.Y.Z another release of TensorFlow (default ${TENSORFLOW_VERSION})
  --nodedir FOLDER   where Node's headers are: FOLDER/include/node/node_api.h
  --json             print the result as JSON
  --verbose          show stack traces, and what TensorFlow says while it starts
  --help             this text
`;

/** Reads the command line. @throws SlothfulError `usage` for a flag that is unknown or has a wrong value */
export function parseOptions(args: readonly string[]): SetupOptions {
  const { gpu, cuda, tensorflow, nodedir, json, verbose, help } = readFlags(args);
  if (cuda !== 'auto' && cuda !== 'pip' && cuda !== 'system') {
    throw new SlothfulError('usage', '--cuda', `got "${cuda}"`, 'give auto, pip or system');
  }
  if (!/^\d+\.\d+\.\d+$/.test(tensorflow)) {
    throw new SlothfulError('usage', '--tensorflow', `got "${tensorflow}"`, 'give a release such as 2.21.0');
  }
  return { gpu, cuda, tensorflow, nodedir, json, verbose, help };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        gpu: { type: 'boolean', default: false },
        cuda: { type: 'string', default: 'auto' },
        tensorflow: { type: 'string', default: TENSORFLOW_VERSION },
        nodedir: { type: 'string' },
        json: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new SlothfulError('usage', 'flags', messageOf(error), '--help lists the flags', { cause: error });
  }
}
