import { SlothfulError } from '../errors.ts';
import { SAMPLERS } from './classes.ts';
import { type FlatGraph, type FlatNode, nameOf } from './flat.ts';
import { type StartLatent, startLatent } from './latent.ts';
import { type ClipPath, clipPath, joinLoras, type LoraOnPath, type ModelPath, modelPath, vaeOf } from './model-path.ts';
import { digitsOf, numberOf, originOf, takes, textOf } from './node-values.ts';
import type { AdvancedSampling, WorkflowPass, WorkflowPrompt, WorkflowRun } from './run.ts';
import { literalOf } from './way.ts';

/**
 * What a workflow asks for, walked back from its output.
 *
 * @param output a node whose way was checked
 * @throws SlothfulError `unsupported` where it asks for what one run is not: several checkpoints, VAEs or sets of LoRAs
 */
export function interpret(graph: FlatGraph, output: FlatNode): WorkflowRun {
  const { node: decode } = originOf(graph, output, 'images');
  const samplers = samplersOf(graph, output, decode);
  const [first] = samplers;
  if (!first) throw new SlothfulError('bug', graph.place, 'has no sampler');
  const models = samplers.map((sampler) => modelPath(graph, sampler));
  const clips = samplers.flatMap((sampler) => promptsOf(graph, sampler).map((prompt) => clipPath(graph, prompt)));
  const shared = sharedOf(graph, models, clips);
  const start = startLatent(graph, first);
  const vae = vaeOf(graph, originOf(graph, decode, 'vae'), shared.checkpoint);
  expectSameVae(graph, start, vae, shared.checkpoint);
  return {
    ...shared,
    vae,
    latent: start.latent,
    passes: samplers.map((sampler, index) => passOf(graph, sampler, models[index] ?? modelPath(graph, sampler))),
    tiles: tilesOf(graph, decode),
    output: { nodeId: output.id, filenamePrefix: prefixOf(graph, output) },
    notes: [...seedNotes(graph, samplers), ...promptNotes(graph, samplers)],
  };
}

/** The samplers in the order in which they run, each behind what the one before has left. */
function samplersOf(graph: FlatGraph, output: FlatNode, decode: FlatNode): FlatNode[] {
  const samplers: FlatNode[] = [];
  let before = takes(decode, 'samples') ? originOf(graph, decode, 'samples').node : decode;
  for (; SAMPLERS.includes(before.classType); before = originOf(graph, before, 'latent_image').node) {
    samplers.unshift(before);
  }
  if (samplers.length) return samplers;
  const problem = `${nameOf(output)} shows what ${nameOf(before)} gives, and no sampler`;
  throw new SlothfulError('unsupported', graph.place, problem, 'decode what a KSampler gives');
}

/** The two nodes of its prompts. */
function promptsOf(graph: FlatGraph, sampler: FlatNode): FlatNode[] {
  return ['positive', 'negative'].map((name) => originOf(graph, sampler, name).node);
}

/** What all samplers and prompts must have in common, as one model is loaded for all. */
function sharedOf(graph: FlatGraph, models: readonly ModelPath[], clips: readonly ClipPath[]) {
  const checkpoints = [...new Set([...models, ...clips].map(({ checkpoint }) => checkpoint))];
  const [model] = models;
  const [clip] = clips;
  const [checkpoint, another] = checkpoints;
  if (!model || !clip || checkpoint === undefined) throw new SlothfulError('bug', graph.place, 'has no model');
  if (another !== undefined) throw severals(graph, 'checkpoints', checkpoints);
  const skips = [...new Set(clips.map(({ clipSkip }) => String(clipSkip)))];
  if (skips.length > 1) throw severals(graph, 'last layers of CLIP (CLIPSetLastLayer)', skips);
  for (const paths of [models, clips]) {
    const sets = [...new Set(paths.map(({ loras }) => listLoras(loras)))];
    if (sets.length > 1) throw severals(graph, 'sets of LoRAs', sets);
  }
  return { checkpoint, loras: joinLoras(model.loras, clip.loras), clipSkip: clip.clipSkip };
}

function listLoras(loras: readonly LoraOnPath[]): string {
  return loras.map(({ name, strength }) => `${name} at ${strength}`).join(' + ') || 'none';
}

function severals({ place }: FlatGraph, what: string, found: readonly string[]): SlothfulError {
  const problem = `its samplers and prompts have several ${what}: ${found.join(', ')}`;
  return new SlothfulError('unsupported', place, problem, 'give all of them the same');
}

function expectSameVae(graph: FlatGraph, start: StartLatent, vae: string | null, checkpoint: string): void {
  const other = start.vae ? vaeOf(graph, start.vae, checkpoint) : vae;
  if (other === vae) return;
  const shown = [other, vae].map((name) => name ?? `that of ${checkpoint}`);
  throw new SlothfulError('unsupported', graph.place, `encodes and decodes with two VAEs: ${shown.join(', ')}`);
}

function passOf(graph: FlatGraph, sampler: FlatNode, model: ModelPath): WorkflowPass {
  const [positive, negative] = promptsOf(graph, sampler).map((prompt) => promptOf(graph, prompt));
  if (!positive || !negative) throw new SlothfulError('bug', graph.place, 'has a sampler without prompts');
  const isAdvanced = sampler.classType === 'KSamplerAdvanced';
  return {
    ...{ nodeId: sampler.id, positive, negative },
    seed: digitsOf(graph, sampler, seedName(sampler)),
    steps: numberOf(graph, sampler, 'steps'),
    cfg: numberOf(graph, sampler, 'cfg'),
    sampler: textOf(graph, sampler, 'sampler_name'),
    scheduler: textOf(graph, sampler, 'scheduler'),
    denoise: isAdvanced ? 1 : numberOf(graph, sampler, 'denoise'),
    advanced: isAdvanced ? advancedOf(graph, sampler) : null,
    ...{ slothful: model.slothful, freeu: model.freeu, modelSampling: model.modelSampling },
  };
}

function advancedOf(graph: FlatGraph, sampler: FlatNode): AdvancedSampling {
  return {
    addNoise: textOf(graph, sampler, 'add_noise') === 'enable',
    startAtStep: numberOf(graph, sampler, 'start_at_step'),
    endAtStep: numberOf(graph, sampler, 'end_at_step'),
    returnWithLeftoverNoise: textOf(graph, sampler, 'return_with_leftover_noise') === 'enable',
  };
}

function promptOf(graph: FlatGraph, node: FlatNode): WorkflowPrompt {
  if (node.classType === 'CLIPTextEncode') return { text: textOf(graph, node, 'text') };
  const pixels = (name: string) => numberOf(graph, node, name);
  return {
    text: textOf(graph, node, 'text_l'),
    textG: textOf(graph, node, 'text_g'),
    sizes: {
      ...{ width: pixels('width'), height: pixels('height') },
      ...{ cropWidth: pixels('crop_w'), cropHeight: pixels('crop_h') },
      ...{ targetWidth: pixels('target_width'), targetHeight: pixels('target_height') },
    },
  };
}

function tilesOf(graph: FlatGraph, decode: FlatNode): WorkflowRun['tiles'] {
  if (decode.classType !== 'VAEDecodeTiled') return null;
  return { tileSize: numberOf(graph, decode, 'tile_size'), overlap: numberOf(graph, decode, 'overlap') };
}

/** Previews have no name of their own. */
function prefixOf(graph: FlatGraph, output: FlatNode): string {
  return output.classType === 'SaveImage' ? textOf(graph, output, 'filename_prefix') : 'ComfyUI';
}

function seedName({ classType }: FlatNode): string {
  return classType === 'KSampler' ? 'seed' : 'noise_seed';
}

/** The page changes a seed after a run, and saves what it is then; the text in a picture has the one that made it. */
function seedNotes(graph: FlatGraph, samplers: readonly FlatNode[]): string[] {
  return samplers.flatMap((sampler) => {
    const control = literalOf(graph, sampler, seedName(sampler))?.control;
    if (sampler.classType === 'KSamplerAdvanced' && textOf(graph, sampler, 'add_noise') !== 'enable') return [];
    if (control === undefined || control === 'fixed') return [];
    const cure = "a picture's own seed is in its PNG";
    return [
      `the seed of ${nameOf(sampler)} is set to ${control} after each run, so the file has the next one; ${cure}`,
    ];
  });
}

/** Prompts that the page draws anew for each run. */
function promptNotes(graph: FlatGraph, samplers: readonly FlatNode[]): string[] {
  const prompts = [...new Set(samplers.flatMap((sampler) => promptsOf(graph, sampler)))];
  const drawn = prompts.filter(({ inputs }) =>
    [...inputs.values()].some((input) => 'isDrawn' in input && input.isDrawn),
  );
  const cure = "the first is taken here, a picture's own is in its PNG";
  return drawn.map((node) => `of every {a|b} in the prompt of ${nameOf(node)} one is drawn for each run: ${cure}`);
}
