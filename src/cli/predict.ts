import type { Argv } from 'yargs';
import { withBackendFlag } from './backend-flag.ts';
import { defineCommand } from './define-command.ts';
import { withParameterFlags } from './parameter-flags.ts';

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
  command: 'predict <model>',
  describe: 'evaluate a UNet once, from tensors to tensors',
  builder: options,
  async handler(argv) {
    // TF.js takes its time to load: commands that do not compute should not wait for it.
    const { predict } = await import('./predict-run.ts');
    await predict(argv);
  },
});
