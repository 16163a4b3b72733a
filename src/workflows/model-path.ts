import { SlothfulError } from '../errors.ts';
import { type FlatGraph, type FlatNode, nameOf } from './flat.ts';
import { flagOf, numberOf, type Origin, originOf, takes, textOf } from './node-values.ts';
import type { WorkflowFreeU, WorkflowLora, WorkflowModelSampling } from './run.ts';
import { type SlothfulNode, slothfulOf } from './slothful-nodes.ts';

/** A LoRA's node with the strength that it has on one of the two ways. */
export interface LoraOnPath {
  readonly node: FlatNode;
  readonly name: string;
  readonly strength: number;
}

/** What the model of a sampler went through since it was loaded. */
export interface ModelPath {
  readonly checkpoint: string;
  readonly loras: readonly LoraOnPath[];
  readonly slothful: readonly SlothfulNode[];
  readonly freeu: WorkflowFreeU | null;
  readonly modelSampling: WorkflowModelSampling | null;
}

/** What the CLIP of a prompt went through since it was loaded. */
export interface ClipPath {
  readonly checkpoint: string;
  readonly loras: readonly LoraOnPath[];
  readonly clipSkip: number;
}

const FREE_U: ReadonlyMap<string, 1 | 2> = new Map([
  ['FreeU', 1],
  ['FreeU_V2', 2],
]);

/**
 * The way of a sampler's model, nearest the loader first.
 *
 * @throws SlothfulError `unsupported` for two FreeU nodes, which both act in ComfyUI
 */
export function modelPath(graph: FlatGraph, sampler: FlatNode): ModelPath {
  const [loader, ...nodes] = chain(graph, sampler, 'model');
  const slothful = nodes.flatMap((node) => slothfulOf(graph, node) ?? []);
  const freeu = nodes.filter(({ classType }) => FREE_U.has(classType));
  if (freeu.length > 1) {
    const problem = `has several FreeU on one model: ${freeu.map(nameOf).join(', ')}`;
    throw new SlothfulError('unsupported', graph.place, problem, 'bypass all but one');
  }
  // Of several the one nearest the sampler counts: each takes the place of the one before.
  const sampling = nodes.findLast(({ classType }) => classType === 'ModelSamplingDiscrete');
  return {
    checkpoint: checkpointOf(graph, loader),
    loras: lorasOf(graph, nodes, 'strength_model'),
    slothful,
    freeu: freeu[0] ? freeUOf(graph, freeu[0]) : null,
    modelSampling: sampling
      ? { sampling: textOf(graph, sampling, 'sampling'), zsnr: flagOf(graph, sampling, 'zsnr') }
      : null,
  };
}

/** The way of a prompt's CLIP; of several CLIPSetLastLayer the last counts. */
export function clipPath(graph: FlatGraph, prompt: FlatNode): ClipPath {
  const [loader, ...nodes] = chain(graph, prompt, 'clip');
  const last = nodes.findLast(({ classType }) => classType === 'CLIPSetLastLayer');
  return {
    checkpoint: checkpointOf(graph, loader),
    loras: lorasOf(graph, nodes, 'strength_clip'),
    clipSkip: last ? numberOf(graph, last, 'stop_at_clip_layer') : -1,
  };
}

/** The nodes before one along an input of that name, the farthest first: what has none has loaded it. */
function chain(graph: FlatGraph, node: FlatNode, input: string): FlatNode[] {
  const nodes: FlatNode[] = [];
  for (let at = node; takes(at, input) && nodes.length <= graph.nodes.size; nodes.push(at)) {
    at = originOf(graph, at, input).node;
  }
  return nodes.reverse();
}

function checkpointOf(graph: FlatGraph, loader: FlatNode | undefined): string {
  if (loader) return textOf(graph, loader, 'ckpt_name');
  throw new SlothfulError('bug', graph.place, 'has a model that nothing has loaded');
}

/** The file that a VAE is of; null for that of the checkpoint. @throws SlothfulError `unsupported` for another checkpoint's */
export function vaeOf(graph: FlatGraph, { node }: Origin, checkpoint: string): string | null {
  if (node.classType === 'VAELoader') return textOf(graph, node, 'vae_name');
  const own = textOf(graph, node, 'ckpt_name');
  if (own === checkpoint) return null;
  const problem = `${nameOf(node)}: takes the VAE of ${own}, and the model of ${checkpoint}`;
  throw new SlothfulError('unsupported', graph.place, problem, 'load the VAE by a VAELoader');
}

function lorasOf(graph: FlatGraph, nodes: readonly FlatNode[], strength: string): LoraOnPath[] {
  const loras = nodes.filter(({ classType }) => classType.startsWith('LoraLoader'));
  return loras.map((node) => {
    return { node, name: textOf(graph, node, 'lora_name'), strength: numberOf(graph, node, strength) };
  });
}

function freeUOf(graph: FlatGraph, node: FlatNode): WorkflowFreeU {
  const scale = (name: string) => numberOf(graph, node, name);
  const version = FREE_U.get(node.classType) ?? 1;
  return { version, b1: scale('b1'), b2: scale('b2'), s1: scale('s1'), s2: scale('s2') };
}

/**
 * The LoRAs of both ways as one list in the order of the model's; those of CLIP alone stand behind the one that they follow.
 * The order is for people: what LoRAs add to weights does not depend on it.
 */
export function joinLoras(model: readonly LoraOnPath[], clip: readonly LoraOnPath[]): WorkflowLora[] {
  const strengthIn = (list: readonly LoraOnPath[], node: FlatNode) =>
    list.find((each) => each.node === node)?.strength ?? 0;
  const joined: LoraOnPath[] = [...model];
  let at = 0;
  for (const lora of clip) {
    const known = joined.findIndex(({ node }) => node === lora.node);
    if (known < 0) joined.splice(at, 0, lora);
    at = (known < 0 ? at : known) + 1;
  }
  return joined.map(({ node, name }) => ({ name, model: strengthIn(model, node), clip: strengthIn(clip, node) }));
}
