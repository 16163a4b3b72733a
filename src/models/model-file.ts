import {
  constantFromBytes,
  Graph,
  isSmall,
  loadedBytes,
  locateWeights,
  sizeOf,
  storedBytes,
  type WeightGroup,
  type WeightLocation,
  type WeightSpec,
} from '../graph/index.ts';
import { GroupReader, type ModelStore } from './model-store.ts';

/** The stored bytes of one weight. */
export interface StoredWeight {
  readonly spec: WeightSpec;
  readonly bytes: Uint8Array;
}

/** Gives the bytes that a weight is read into; its length must be `length`. */
export type Allocate = (spec: WeightSpec, length: number) => Uint8Array;

/** A model at a place: its document, and its weights, which are read when they are asked for. */
export class ModelFile {
  private constructor(
    readonly store: ModelStore,
    /** The document of the model.json. Passes may change it; the weights stay where they lie. */
    readonly graph: Graph,
  ) {}

  /** Reads the model.json, and no weights. @throws SlothfulError `io`, `bad-model`, `bad-graph` */
  static async open(store: ModelStore): Promise<ModelFile> {
    return new ModelFile(store, Graph.parse(await store.text(), store.place));
  }

  /** Path or URL of the model.json. */
  get place(): string {
    return this.store.place;
  }

  /**
   * The stored bytes of weights, one at a time in the order of the manifest; files are read once, from their start to
   * their end. Bytes that `allocate` lends may be used until the next weight is asked for.
   *
   * @param wanted names of weights; the others are passed over
   * @throws SlothfulError `io`, `bad-model` where a file is shorter or longer than the manifest says
   */
  async *weights(
    wanted: ReadonlySet<string>,
    allocate: Allocate = (_, length) => new Uint8Array(length),
  ): AsyncGenerator<StoredWeight> {
    for (const group of this.graph.weightGroups) {
      if (group.weights.some(({ name }) => wanted.has(name))) yield* this.groupWeights(group, wanted, allocate);
    }
  }

  private async *groupWeights(
    group: WeightGroup,
    wanted: ReadonlySet<string>,
    allocate: Allocate,
  ): AsyncGenerator<StoredWeight> {
    const reader = this.reader(group);
    try {
      let offset = 0;
      /** Where the last weight that was read ends. */
      let read = 0;
      for (const spec of group.weights) {
        const length = storedBytes(spec);
        const text = length === undefined ? await readText(reader, offset, spec) : undefined;
        if (wanted.has(spec.name)) {
          yield { spec, bytes: text ?? (await readPlain(reader, offset, spec, length ?? 0, allocate)) };
        }
        const bytes = length ?? text?.length ?? 0;
        offset += bytes;
        if (bytes && wanted.has(spec.name)) read = offset;
      }
      if (read === offset) await reader.expectEnd(offset);
    } finally {
      await reader.close();
    }
  }

  /**
   * Reads the small constants (shapes, permutations, scales) of a graph from the shards, by a few positional reads, and
   * tells them to the graph. Constants written into the model.json are known without.
   *
   * @param graph this model's document, or one made from it
   * @throws SlothfulError `io`, `bad-model`
   */
  async loadConstants(graph: Graph = this.graph): Promise<void> {
    await readConstants(graph, (group) => this.reader(group));
  }

  private reader(group: WeightGroup): GroupReader {
    return new GroupReader(group.paths, (path) => this.store.open(path), this.place);
  }
}

/** Bytes of a weight from which on the files are asked before memory is: a manifest may claim anything. */
const LARGE = 2 ** 28;

async function readPlain(reader: GroupReader, offset: number, spec: WeightSpec, length: number, allocate: Allocate) {
  const what = `the weight "${spec.name}"`;
  if (!(Math.max(length, loadedBytes(spec)) <= LARGE)) await reader.expectRoom(offset + length, what);
  const target = allocate(spec, length);
  await reader.read(offset, target, what);
  return target;
}

/** A text weight, whose length only its bytes tell: for every element four bytes of length, then so many bytes. */
async function readText(reader: GroupReader, start: number, spec: WeightSpec): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let offset = start;
  const next = async (length: number) => {
    const part = await readPlain(reader, offset, spec, length, (_, bytes) => new Uint8Array(bytes));
    offset += length;
    parts.push(part);
    return part;
  };
  for (let index = 0; index < sizeOf(spec.shape); index++) {
    const length = await next(4);
    await next(new DataView(length.buffer).getUint32(0, true));
  }
  const bytes = new Uint8Array(offset - start);
  parts.reduce((at, part) => {
    bytes.set(part, at);
    return at + part.length;
  }, 0);
  return bytes;
}

/** Constants this close to each other are read together. */
const NEAR = 64 * 1024;

/** Neighbouring constants of one group and the span of bytes that holds them. */
interface ByteRun {
  readonly group: number;
  readonly start: number;
  end: number;
  readonly constants: WeightLocation[];
}

/** Reads the small constants of a graph that it does not know yet, and tells them to it. */
async function readConstants(graph: Graph, open: (group: Graph['weightGroups'][number]) => GroupReader): Promise<void> {
  const unknown = unknownConstants(graph);
  for (const [index, group] of graph.weightGroups.entries()) {
    const runs = coalesce(unknown.filter((constant) => constant.group === index));
    if (!runs.length) continue;
    const reader = open(group);
    try {
      for (const run of runs) await readRun(graph, run, reader);
    } finally {
      await reader.close();
    }
  }
}

function unknownConstants(graph: Graph): WeightLocation[] {
  const isWanted = ({ spec }: WeightLocation) =>
    isSmall(spec) && graph.node(spec.name)?.op === 'Const' && graph.constant(spec.name) === undefined;
  return [...locateWeights(graph.weightGroups).values()].filter(isWanted);
}

/** Constants come in the order of the manifest, and so of their offsets. */
function coalesce(constants: readonly WeightLocation[]): ByteRun[] {
  const runs: ByteRun[] = [];
  for (const constant of constants) {
    const last = runs.at(-1);
    const end = constant.offset + constant.bytes;
    if (last && constant.offset - last.end <= NEAR) {
      last.end = end;
      last.constants.push(constant);
    } else {
      runs.push({ group: constant.group, start: constant.offset, end, constants: [constant] });
    }
  }
  return runs;
}

async function readRun(graph: Graph, run: ByteRun, reader: GroupReader): Promise<void> {
  const bytes = new Uint8Array(run.end - run.start);
  await reader.read(run.start, bytes, `the constant "${run.constants[0]?.spec.name}"`);
  for (const { spec, offset, bytes: length } of run.constants) {
    const start = offset - run.start;
    const value = constantFromBytes(spec, bytes.subarray(start, start + length));
    if (value) graph.knowConstant(spec.name, value);
  }
}
