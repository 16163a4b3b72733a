import { SlothfulError } from '../../errors.ts';
import { promptConditioning, type RunConditioning, tensorConditioning, withTimeIds } from '../../pipeline/index.ts';
import { readTensorValues } from '../files/tensor-file.ts';
import { readTextTable } from '../files/text-table-file.ts';
import type { RunArguments } from '../flags/run-flags.ts';
import { type CompanionArguments, readImageEmbeds } from './run-companions.ts';
import type { RunSession } from './run-session.ts';

/** Makes what the model is told of a prompt, or of the files of the command line. */
export type Conditioner = (prompt: string | undefined) => RunConditioning;

/**
 * Reads what prompts are made with: the model's text table, or files of tensors; and the image of an IP-Adapter.
 *
 * @param argv as the command line has it
 * @param prompts all that will be asked for
 * @throws SlothfulError `usage` where neither was given, `bad-input` for words that the model has not, `io`,
 *   `bad-checkpoint`, `bad-model`
 */
export async function readConditioner(
  argv: RunArguments & CompanionArguments,
  session: RunSession,
  prompts: readonly (string | undefined)[],
): Promise<Conditioner> {
  const make = argv.cond === undefined ? await fromPrompts(argv, session) : await fromFiles(argv.cond, argv.uncond);
  const withImage = await readImageEmbeds(argv.imageEmbeds);
  const { rows, columns, scale } = session.extent;
  const pixels = { width: columns * scale, height: rows * scale };
  const made = new Map(
    prompts.map((prompt) => [prompt, withImage(withTimeIds(make(prompt), session.inputs, pixels))] as const),
  );
  return (prompt) => {
    const found = made.get(prompt);
    if (found) return found;
    throw new SlothfulError('bug', `prompt "${prompt}"`, 'was not foreseen');
  };
}

async function fromPrompts(argv: RunArguments, { folder, graph }: RunSession): Promise<Conditioner> {
  const table = await readTextTable(folder, graph.metadata);
  return (prompt) => {
    if (prompt !== undefined) return promptConditioning(table, prompt, argv.negativePrompt);
    const cure = `say what to draw, such as --prompt "${table.prompts[0] ?? [...table.vocab.keys()][0] ?? ''}"`;
    throw new SlothfulError('usage', '--prompt', 'is missing', cure);
  };
}

async function fromFiles(cond: string, uncond: string | undefined): Promise<Conditioner> {
  const read = async (path: string) => tensorConditioning(await readTensorValues(path), path);
  const conditioning = { cond: await read(cond), uncond: uncond === undefined ? undefined : await read(uncond) };
  return () => conditioning;
}
