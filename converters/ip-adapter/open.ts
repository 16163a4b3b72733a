import { basename } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { openSafetensors } from '../../src/tensors/node.ts';
import { isPickle, looksLike, pickSources, refusePickle } from '../checkpoint/index.ts';
import {
  crossAttentions,
  type ImageAdapter,
  type ImageProjection,
  RESAMPLER_HEAD_DIM,
  type UNetConfig,
} from '../unet/index.ts';
import { countBlocks, type TensorSource } from '../weights/index.ts';

/** An IP-Adapter that is to be built in. */
export interface IpAdapterOption {
  /** A .safetensors file with `image_proj.*` and `ip_adapter.*`. */
  readonly file: string;
}

/** An open IP-Adapter that fits a UNet; its tensors are unread. */
export interface IpAdapterFile {
  readonly adapter: ImageAdapter;
  /** By the names that the graph's weights have as their sources. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** What the model's metadata say of it. */
  readonly record: {
    readonly file: string;
    readonly kind: string;
    readonly tokens: number;
    readonly embed_dim: number;
  };
  close(): Promise<void>;
}

type Sources = ReadonlyMap<string, TensorSource>;

/** Other adapters, by names that only they have; the first that fits is it. */
const OTHERS: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/^image_proj\.perceiver_resampler\./, 'an IP-Adapter FaceID Plus'],
  [/^ip_adapter\.\d+\.to_\w+_lora\./, 'an IP-Adapter FaceID'],
  [/^image_proj\.layers\.\d+\.attn\./, 'an IP-Adapter with the resampler of Kolors'],
  [/^image_proj\.(?!proj\.|norm\.|latents$|proj_in\.|proj_out\.|norm_out\.|layers\.)/, 'an IP-Adapter of another kind'],
];

const CURE = 'the base, the plus and the full-face variants can be built in';
/** Two linear layers are of a FaceID, unless a norm is the third as in a full-face one. */
const FIRST_LAYER = 'image_proj.proj.0.weight';
const FULL_NORM = 'image_proj.proj.3.weight';

/** FaceID without a LoRA in it, which its projection alone tells. */
function refuseFaceEmbeddings(path: string, names: readonly string[]): void {
  if (!names.includes(FIRST_LAYER) || names.includes(FULL_NORM)) return;
  const problem = `is an IP-Adapter FaceID (portrait), by its tensor "${FIRST_LAYER}": it sees what another network tells of a face`;
  throw new SlothfulError('unsupported', path, problem, CURE);
}

function refuseOthers(path: string, names: readonly string[]): void {
  for (const [pattern, what] of OTHERS) {
    const sign = names.find((name) => pattern.test(name));
    if (sign === undefined) continue;
    throw new SlothfulError('unsupported', path, `is ${what}, by its tensor "${sign}"`, CURE);
  }
  refuseFaceEmbeddings(path, names);
  if (names.some((name) => /^ip_adapter\.\d+\.to_k_ip\.weight$/.test(name))) return;
  const what = looksLike(names.filter((name) => !/^(?:image_proj|ip_adapter)\./.test(name)));
  const problem = `holds no IP-Adapter among its ${names.length} tensors${what ? `: it looks like ${what}` : ''}`;
  throw new SlothfulError('bad-checkpoint', path, problem, 'give a file with image_proj.* and ip_adapter.*');
}

/** Checks that the adapter has keys and values for just the cross-attentions that the UNet has. */
function checkAttentions(path: string, tensors: Sources, config: UNetConfig, contextDim: number): void {
  const wanted = crossAttentions(config).flatMap(({ channels }, index) =>
    ['k', 'v'].map((side) => ({ name: `ip_adapter.${2 * index + 1}.to_${side}_ip.weight`, channels })),
  );
  const names = new Set(wanted.map(({ name }) => name));
  const has = [...tensors.keys()].filter((name) => name.startsWith('ip_adapter.'));
  const extra = has.find((name) => !names.has(name));
  const missing = wanted.find(({ name }) => !tensors.has(name));
  if (extra !== undefined || missing) {
    const example = missing ? `it lacks "${missing.name}"` : `it has "${extra}"`;
    wrongFamily(path, `has ${has.length} keys and values for the UNet's ${wanted.length}: ${example}`);
  }
  for (const { name, channels } of wanted) {
    const shape = tensors.get(name)?.shape ?? [];
    if (shape.length === 2 && shape[0] === channels && shape[1] === contextDim) continue;
    wrongFamily(path, `has "${name}" [${shape.join(', ')}], and the UNet needs [${channels}, ${contextDim}]`);
  }
}

function wrongFamily(path: string, problem: string): never {
  throw new SlothfulError('unsupported', path, problem, 'it was made for another model: give one of the same family');
}

/**
 * Opens an IP-Adapter and checks that it fits a UNet. Its names and shapes tell base, plus and full face.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `unsupported` (FaceID and other variants, pickles, another family)
 */
export async function openIpAdapter({ file: path }: IpAdapterOption, config: UNetConfig): Promise<IpAdapterFile> {
  if (isPickle(path)) refusePickle(path);
  const file = await openSafetensors(path);
  try {
    const names = [...file.tensors.keys()];
    refuseOthers(path, names);
    const { tensors } = pickSources({ files: [file], fileOf: new Map(names.map((name) => [name, file])) }, '');
    const contextDim = widthOfTokens(path, tensors);
    checkAttentions(path, tensors, config, contextDim);
    const projection = projectionOf(path, tensors, contextDim);
    const { kind, tokens, embedDim } = projection;
    const record = { file: basename(path), kind, tokens, embed_dim: embedDim };
    return { adapter: { projection, contextDim }, tensors, record, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function shapeIn(path: string, tensors: Sources, name: string, rank: number): readonly number[] {
  const tensor = tensors.get(name);
  if (tensor?.shape.length === rank) return tensor.shape;
  const problem = tensor ? `has "${name}" of the shape [${tensor.shape.join(', ')}]` : `has no tensor "${name}"`;
  throw new SlothfulError('bad-checkpoint', path, problem, 'it is incomplete: download it again');
}

/** Width of the image tokens: that of what the adapter's keys are made of. */
function widthOfTokens(path: string, tensors: Sources): number {
  return shapeIn(path, tensors, 'ip_adapter.1.to_k_ip.weight', 2)[1] ?? 0;
}

/**
 * Tells the projection of the image's embedding from the shapes of its tensors.
 *
 * @throws SlothfulError `bad-checkpoint` where they do not fit
 */
function projectionOf(path: string, tensors: Sources, contextDim: number): ImageProjection {
  if (tensors.has('image_proj.latents')) return resamplerOf(path, tensors);
  return tensors.has(FULL_NORM) ? fullOf(path, tensors) : linearOf(path, tensors, contextDim);
}

/** Patches of the image encoder that full-face adapters are made for (224 pixels in squares of 14), and its class token. */
const FULL_TOKENS = 257;

function fullOf(path: string, tensors: Sources): ImageProjection {
  const [hiddenDim = 0, embedDim = 0] = shapeIn(path, tensors, FIRST_LAYER, 2);
  return { kind: 'full', embedDim, tokens: FULL_TOKENS, hiddenDim };
}

function linearOf(path: string, tensors: Sources, contextDim: number): ImageProjection {
  const [outputs = 0, embedDim = 0] = shapeIn(path, tensors, 'image_proj.proj.weight', 2);
  if (outputs > 0 && outputs % contextDim === 0) return { kind: 'base', embedDim, tokens: outputs / contextDim };
  const problem = `projects an image to ${outputs} values, which is not a whole number of ${contextDim}-wide tokens`;
  throw new SlothfulError('bad-checkpoint', path, problem, 'download it again');
}

function resamplerOf(path: string, tensors: Sources): ImageProjection {
  const [, tokens = 0, hiddenDim = 0] = shapeIn(path, tensors, 'image_proj.latents', 3);
  const [, embedDim = 0] = shapeIn(path, tensors, 'image_proj.proj_in.weight', 2);
  const [innerDim = 0] = shapeIn(path, tensors, 'image_proj.layers.0.0.to_q.weight', 2);
  const [feedForwardDim = 0] = shapeIn(path, tensors, 'image_proj.layers.0.1.1.weight', 2);
  if (innerDim === 0 || innerDim % RESAMPLER_HEAD_DIM) {
    const problem = `has a resampler of width ${innerDim}, which is not a whole number of ${RESAMPLER_HEAD_DIM}-wide heads`;
    throw new SlothfulError('bad-checkpoint', path, problem, 'download it again');
  }
  const layers = [...tensors.keys()].flatMap((name) => /^image_proj\.layers\.(\d+)\./.exec(name)?.[1] ?? []);
  const depth = countBlocks(new Set(layers.map(Number)), 'image_proj.layers', path);
  return { kind: 'plus', embedDim, tokens, hiddenDim, innerDim, feedForwardDim, depth };
}
