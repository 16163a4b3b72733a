import { houseImports, type Import, isHouseFile } from './imports.ts';

/** A folder whose files belong together, with what it is for, in one line. */
export interface Room {
  readonly name: string;
  readonly about: string;
  /** The same in the picture's few letters, for the rooms that are in it. */
  readonly short?: string;
}

/** Every room, in the order in which a reader meets them: from a checkpoint to a picture. */
export const ROOMS: readonly Room[] = [
  {
    name: 'converters',
    about: 'a checkpoint becomes a graph model, with its companions: convertCheckpoint',
    short: 'checkpoint to model',
  },
  { name: 'converters/checkpoint', about: 'finding, opening and recognising what is on disk' },
  { name: 'converters/nn', about: 'layers as stock TF.js ops, for every network that is built here' },
  { name: 'converters/unet', about: 'the UNet: its config, its names in checkpoints, its graph' },
  { name: 'converters/controlnet', about: 'the same for ControlNets' },
  { name: 'converters/clip', about: 'CLIP text encoders: their names in checkpoints, their config, their graph' },
  { name: 'converters/vae', about: 'VAEs: their names in checkpoints, their config, decoder and encoder as graphs' },
  { name: 'converters/taesd', about: 'TAESDs, which stand for a VAE: their names in checkpoints, their graphs' },
  { name: 'converters/lora', about: 'LoRAs fused into weights while those are read; kernel/ is its WebAssembly' },
  { name: 'converters/ip-adapter', about: 'the tensors of an image adapter' },
  { name: 'converters/weights', about: 'tensors become weights: dtype, order of dimensions, shards' },
  { name: 'converters/model', about: 'model.json and its metadata, beside the weights' },
  {
    name: 'documents',
    about: 'what every JSON document is made of: types, checks and schemas from one declaration',
    short: 'types, checks, schemas',
  },
  { name: 'tensors', about: 'safetensors and half floats', short: 'safetensors, half floats' },
  {
    name: 'graph',
    about: 'the graph of a model: read, edit, check, infer shapes, apply passes; knows no attention',
    short: 'the document of a model',
  },
  { name: 'models', about: 'models in folders and behind URLs', short: 'folders and URLs' },
  {
    name: 'families',
    about: 'a file a family of UNets: how it is told, what it ships with',
    short: 'families of UNets',
  },
  { name: 'backends', about: 'an entry a backend: its names, its limits', short: 'names and limits' },
  {
    name: 'attention',
    about: 'matching/ and placing/ find attentions, node/ is the neutral node that stands for one',
    short: 'finds them; the node',
  },
  {
    name: 'passes',
    about: 'a folder a pass: parameters, arithmetic, stage',
    short: 'Slothful Attention, peers',
  },
  { name: 'kernels', about: 'how an attention node is computed with TF.js', short: 'computes a node' },
  { name: 'runtime', about: 'backends, loaded models, the UNet and its hook', short: 'backends, loaded models' },
  { name: 'native', about: 'setup-native: the native backend on the TensorFlow of today', short: 'sets TensorFlow up' },
  {
    name: 'sampling',
    about: 'schedulers/ and solvers/ (samplers by diffusers and by ComfyUI), noise, guidance, the denoising loop',
    short: 'schedulers, denoising',
  },
  {
    name: 'text',
    about: "prompts: CLIP's tokenizer, weights, text encoders, what a model is told",
    short: 'prompts to conditioning',
  },
  {
    name: 'vae',
    about: 'latents to images and back, whole or in tiles, and what memory it takes',
    short: 'latents to images',
  },
  { name: 'reports', about: 'inspect, plan and diff as data', short: 'inspect, plan, diff: data' },
  { name: 'pages', about: 'the same as tables, drawings and HTML', short: 'tables, drawings, HTML' },
  { name: 'pictures', about: 'PNG, previews, sheets, labels, measures', short: 'PNG, sheets, measures' },
  {
    name: 'pipeline',
    about: 'a run: open, decide, foresee, tell, load with what steers it, run, draw, record',
    short: 'a run from end to end',
  },
  {
    name: 'workflows',
    about: "ComfyUI's workflows: what they ask for, and writing them",
    short: "ComfyUI's workflows",
  },
  {
    name: 'jobs',
    about: 'the same from files to a folder: pictures, latents, run.json, what a PNG says of its run',
    short: 'from files to a folder',
  },
  { name: 'sweeps', about: 'combinations of parameters, their sheet, page and record', short: 'many runs' },
  { name: 'cli', about: 'a file a command: arguments in, lines out', short: 'commands' },
  { name: 'scripts', about: 'benchmark, fuzzer, figures, checkpoints of random weights, what is generated' },
];

/** What the package exports: src/index.ts and src/node.ts. */
export const ENTRY = 'entry';

/** src/errors.ts and src/version.ts are of no room and for all. */
const COMMON = new Set(['src/errors.ts', 'src/version.ts']);

/** The room of a file of the house; undefined for what is of no room. */
export function roomOf(file: string): string | undefined {
  const [top = '', folder = '', inside] = file.split('/');
  if (COMMON.has(file)) return undefined;
  if (top === 'scripts') return top;
  if (top === 'converters') return inside === undefined ? top : `${top}/${folder}`;
  return inside === undefined ? ENTRY : folder;
}

/** The folder of a room. */
export function folderOf(room: string): string {
  return /^(converters|scripts)\b/.test(room) ? room : `src/${room}`;
}

/** An import of one room from another. */
export interface Crossing extends Import {
  readonly room: string;
  readonly other: string;
}

/** The imports that lead from one room to another. */
export function crossings(imports: readonly Import[] = houseImports()): Crossing[] {
  return imports
    .filter(({ to }) => isHouseFile(to))
    .flatMap((each) => {
      const [room, other] = [roomOf(each.from), roomOf(each.to)];
      return room === undefined || other === undefined || room === other ? [] : [{ ...each, room, other }];
    });
}

/** Which rooms each room imports, both in the order of `ROOMS`; the entry comes last. */
export function roomEdges(each: readonly Crossing[] = crossings()): Map<string, string[]> {
  const names = [...ROOMS.map(({ name }) => name), ENTRY];
  return new Map(
    names.map((room) => {
      const others = new Set(each.filter((crossing) => crossing.room === room).map(({ other }) => other));
      return [room, names.filter((name) => others.has(name))];
    }),
  );
}

/** The edges that no others imply: what is drawn. */
export function withoutShortcuts(edges: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const below = (room: string): Set<string> => {
    const found = new Set<string>(edges.get(room));
    for (const name of found) for (const next of edges.get(name) ?? []) found.add(next);
    return found;
  };
  return new Map(
    [...edges].map(([room, others]) => {
      const implied = new Set(others.flatMap((other) => [...below(other)]));
      return [room, others.filter((other) => !implied.has(other))];
    }),
  );
}
