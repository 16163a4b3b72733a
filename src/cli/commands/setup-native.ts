import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { describeResult, gpuRemark, MissingTools, setupNative, TENSORFLOW_VERSION } from '../../native/index.ts';
import { defineCommand } from '../define-command.ts';
import { printJson, printLine, sayLine, sayLines } from '../printer.ts';

const ABOUT = `Installs @tensorflow/tfjs-node-gpu for the project in this folder, without a change to its package.json,
and builds its addon against the library in TensorFlow's Python wheel, which pip downloads. What was downloaded and built is
kept in the user's cache folder. Needs Linux, Python 3 with pip, and a C++ compiler. pip's own settings (PIP_INDEX_URL,
PIP_FIND_LINKS, ...) hold.`;

const CUDA_SOURCES = ['auto', 'pip', 'system'] as const;

function options(cli: Argv<object>) {
  return cli
    .option('gpu', { type: 'boolean', default: false, describe: 'the TensorFlow for NVIDIA GPUs (CUDA 12)' })
    .option('cuda', {
      choices: CUDA_SOURCES,
      default: 'auto' as const,
      describe:
        "with --gpu: where the CUDA libraries come from: pip (about 3 GB), the system, or auto: the system's where they are complete, else pip's; none where there is no NVIDIA driver",
    })
    .option('tensorflow', { type: 'string', default: TENSORFLOW_VERSION, describe: 'another release of TensorFlow' })
    .option('nodedir', { type: 'string', describe: "where Node's headers are: FOLDER/include/node/node_api.h" })
    .option('json', { type: 'boolean', default: false, describe: 'print the result as JSON' })
    .epilogue(ABOUT.replaceAll('\n', ' '));
}

/** `slothful setup-native [--gpu]`, in the folder of the project that it is for. */
export const setupNativeCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const { gpu, tensorflow, json } = argv;
    if (!/^\d+\.\d+\.\d+$/.test(tensorflow)) {
      throw new SlothfulError('usage', '--tensorflow', `got "${tensorflow}"`, 'give a release such as 2.21.0');
    }
    const { result, log } = await setupNative(process.cwd(), argv, sayLine).catch(tellAll);
    if (argv.verbose === true && log) sayLines(log.trim());
    if (gpu && result.device === 'CPU') {
      const remark = gpuRemark(log);
      sayLine(`TensorFlow sees no GPU: it computes on the CPU${remark ? ` (it said: ${remark})` : ''}`);
    }
    if (json) printJson(result);
    else printLine(describeResult(result));
  },
});

/** Of several missing tools each has its line; the last one's is printed where every command's error is. */
function tellAll(error: unknown): never {
  if (!(error instanceof MissingTools)) throw error;
  for (const { message } of error.missing.slice(0, -1)) sayLine(`slothful: ${message}`);
  throw error.missing.at(-1);
}
