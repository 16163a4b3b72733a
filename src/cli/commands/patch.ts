import type { Argv } from 'yargs';
import { isObject } from '../../documents/index.ts';
import { readModel } from '../../models/node.ts';
import { formatBytes } from '../../pages/index.ts';
import { controlNetInputs, passesInForce, passesOf, readSlothfulMetadata, slothful } from '../../passes/index.ts';
import {
  type PatchedModel,
  parametersInForce,
  parametersLine,
  passLines,
  patchModel,
} from '../../pipeline/without-tfjs.ts';
import { defineCommand } from '../define-command.ts';
import { parameterFiles, readParameterChanges, withParameterFlags } from '../flags/parameter-flags.ts';
import { readPasses, withPassFlags } from '../flags/pass-flags.ts';
import { printJson, printLine } from '../printer.ts';
import { printNote } from '../terminal.ts';

function options(cli: Argv<object>) {
  return withPassFlags(
    withParameterFlags(
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
    ),
  );
}

/** `slothful patch <model> <out-dir> [parameters]` */
export const patchCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const changes = await readParameterChanges(argv);
    const source = await readModel(argv.model);
    const { metadata } = source.graph;
    const before = readSlothfulMetadata(metadata, source.place);
    const peers = passesInForce(metadata, readPasses(argv));
    // Other passes alone where they were asked for, and nothing of Slothful Attention.
    const isWanted = changes !== undefined || before !== undefined || !Object.keys(peers).length;
    const own = isWanted ? [slothful(parametersInForce(before, changes))] : [];
    const passes = [...own, ...passesOf(peers)];
    if (argv.controlnetInputs) passes.push(controlNetInputs());
    const { force, copy } = argv;
    const inputs = [argv.model, ...parameterFiles(argv)];
    print(await patchModel(source, argv.outDir, passes, { force, copy, inputs }), argv.json);
  },
});

function print(patched: PatchedModel, json: boolean): void {
  const { folder, shards, sharing, newBytes, sites, parameters, passes, results, wasPatched } = patched;
  if (json) {
    const ids = sites.map(({ id }) => id);
    const what = { sites: ids, parameters: parameters ?? null, passes, results };
    const summary = { folder, shards, sharing, new_bytes: newBytes, ...what, again: wasPatched };
    printJson(summary);
    return;
  }
  if (wasPatched) printNote('the model was patched already; its parameters were replaced');
  const bytes = `${shards} shard(s) ${sharing}, ${formatBytes(newBytes)} new`;
  const others = passes.filter((name) => name !== 'slothful');
  const done = parameters ? `${sites.length} self-attentions patched` : `${others.join(', ')} applied`;
  printLine(`${folder}: ${done}, ${bytes}`);
  for (const line of leftLines(results)) printNote(line);
  if (parameters) printLine(parametersLine(parameters));
  for (const line of passLines(patched.peers)) printLine(line);
}

/** What the rewrite of the attentions passed over, a line a reason. */
function leftLines({ attention }: PatchedModel['results']): string[] {
  const left = Array.isArray(attention?.left) ? attention.left.filter(isObject) : [];
  const byReason = new Map<string, string[]>();
  for (const { softmax, reason } of left) {
    byReason.set(String(reason), [...(byReason.get(String(reason)) ?? []), String(softmax)]);
  }
  return [...byReason].map(([reason, sites]) => {
    const others = sites.length > 1 ? ` and ${sites.length - 1} more` : '';
    return `left as it was: "${sites[0]}"${others}: ${reason}`;
  });
}
