import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { readModel, type WrittenModel, writeModel } from '../../models/node.ts';
import { formatBytes } from '../../pages/index.ts';
import { controlNetInputs, slothful } from '../../passes/index.ts';
import { DEFAULT_PARAMETERS, readSlothfulMetadata, type SlothfulMetadata } from '../../passes/slothful/index.ts';
import { defineCommand } from '../define-command.ts';
import { readParameters, withParameterFlags } from '../flags/parameter-flags.ts';

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
    const parameters = await readParameters(argv);
    const source = await readModel(argv.model);
    const before = readSlothfulMetadata(source.graph.metadata, source.place);
    await source.loadConstants();
    const passes = [slothful(parameters ?? before?.parameters ?? DEFAULT_PARAMETERS)];
    if (argv.controlnetInputs) passes.push(controlNetInputs());
    await source.graph.transform(...passes);
    const record = readSlothfulMetadata(source.graph.metadata, source.place);
    if (!record) throw new SlothfulError('bug', source.place, 'was patched and has no record of it');
    const written = await writeModel(source.graph, argv.outDir, {
      shardsFrom: source,
      force: argv.force,
      copy: argv.copy,
    });
    print(record, written, { again: before !== undefined, json: argv.json });
  },
});

function print(
  record: SlothfulMetadata,
  written: WrittenModel,
  { again, json }: { again: boolean; json: boolean },
): void {
  const { sites, parameters } = record;
  if (json) {
    console.log(JSON.stringify({ ...written, sites: sites.map((site) => site.id), parameters, again }, null, 2));
    return;
  }
  if (again) console.error('note: the model was patched already; its parameters were replaced');
  const bytes = `${written.shards} shard(s) ${written.sharing}, ${formatBytes(written.newBytes)} new`;
  console.log(`${written.folder}: ${sites.length} self-attentions patched, ${bytes}`);
}
