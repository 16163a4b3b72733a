import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { readModel } from '../../models/node.ts';
import { formatBytes } from '../../pages/index.ts';
import { controlNetInputs, slothful } from '../../passes/index.ts';
import { readSlothfulMetadata } from '../../passes/slothful/index.ts';
import { type PatchedModel, parametersInForce, parametersLine, patchModel } from '../../pipeline/without-tfjs.ts';
import { defineCommand } from '../define-command.ts';
import { readParameterChanges, withParameterFlags } from '../flags/parameter-flags.ts';
import { printNote } from '../terminal.ts';

function options(cli: Argv<object>) {
  return withParameterFlags(
    cli
      .positional('model', {
        type: 'string',
        demandOption: true,
        describe: 'converted model: its folder or model.json',
      })
      .positional('out-dir', { type: 'string', demandOption: true, describe: 'folder for the patched model' })
      .option('controlnet-inputs', {
        type: 'boolean',
        default: false,
        describe: 'add inputs for the residuals of ControlNets too, for programs that load the model themselves',
      })
      .option('force', { type: 'boolean', default: false, describe: 'replace an existing model' })
      .option('copy', { type: 'boolean', default: false, describe: 'copy the weights where they would be linked' })
      .option('json', { type: 'boolean', default: false, describe: 'print the summary as JSON' }),
  );
}

/** `slothful patch <model> <out-dir> [parameters]` */
export const patchCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const changes = await readParameterChanges(argv);
    const source = await readModel(argv.model);
    const before = readSlothfulMetadata(source.graph.metadata, source.place);
    const passes = [slothful(parametersInForce(before, changes))];
    if (argv.controlnetInputs) passes.push(controlNetInputs());
    const { force, copy } = argv;
    print(await patchModel(source, argv.outDir, passes, { force, copy }), argv.json);
  },
});

function print(patched: PatchedModel, json: boolean): void {
  const { folder, shards, sharing, newBytes, sites, parameters, wasPatched } = patched;
  if (!parameters) throw new SlothfulError('bug', folder, 'was patched and has no record of it');
  if (json) {
    const ids = sites.map(({ id }) => id);
    const summary = { folder, shards, sharing, new_bytes: newBytes, sites: ids, parameters, again: wasPatched };
    console.log(JSON.stringify(summary, null, 2));
    return;
  }
  if (wasPatched) printNote('the model was patched already; its parameters were replaced');
  const bytes = `${shards} shard(s) ${sharing}, ${formatBytes(newBytes)} new`;
  console.log(`${folder}: ${sites.length} self-attentions patched, ${bytes}`);
  console.log(parametersLine(parameters));
}
