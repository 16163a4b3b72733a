import type { Argv } from 'yargs';
import { defineCommand } from '../define-command.ts';
import { withBackendFlag } from '../flags/backend-flag.ts';
import { withParameterFlags } from '../flags/parameter-flags.ts';
import { predict } from '../running/predict-run.ts';

const LAYOUTS = ['nchw', 'nhwc'] as const;

function options(cli: Argv<object>) {
  return withParameterFlags(
    withBackendFlag(
      cli
        .positional('model', { type: 'string', demandOption: true, describe: 'converted model, patched or plain' })
        .option('inputs', {
          type: 'string',
          demandOption: true,
          describe: 'safetensors file, names as diffusers has them',
        })
        .option('out', { type: 'string', demandOption: true, describe: 'safetensors file for out_sample' })
        .option('timestep', { type: 'number', describe: 'timestep, where the inputs have none' })
        .option('sigma', { type: 'number', describe: 'noise level of the step, where it is not that of the timestep' })
        .option('layout', { choices: LAYOUTS, default: 'nchw' as const, describe: 'order of the axes in the files' })
        .option('json', { type: 'boolean', default: false, describe: 'print K/V tokens as JSON' }),
    ),
  );
}

/** `slothful predict <model> --inputs in.safetensors --timestep 601 --out out.safetensors [parameters]` */
export const predictCommand = defineCommand({
  builder: options,
  handler: predict,
});
