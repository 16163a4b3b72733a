import { constantFromBytes, type Graph, isSmall, locateWeights, type WeightLocation } from '../graph/index.ts';
import type { GroupReader } from './group-reader.ts';

/** Constants this close to each other are read together. */
const NEAR = 64 * 1024;

/** Neighbouring constants of one group and the span of bytes that holds them. */
interface Run {
  readonly group: number;
  readonly start: number;
  end: number;
  readonly constants: WeightLocation[];
}

/** Reads the small constants of a graph that it does not know yet, and tells them to it. */
export async function readConstants(
  graph: Graph,
  open: (group: Graph['weightGroups'][number]) => GroupReader,
): Promise<void> {
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
function coalesce(constants: readonly WeightLocation[]): Run[] {
  const runs: Run[] = [];
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

async function readRun(graph: Graph, run: Run, reader: GroupReader): Promise<void> {
  const bytes = new Uint8Array(run.end - run.start);
  await reader.read(run.start, bytes, `the constant "${run.constants[0]?.spec.name}"`);
  for (const { spec, offset, bytes: length } of run.constants) {
    const start = offset - run.start;
    const value = constantFromBytes(spec, bytes.subarray(start, start + length));
    if (value) graph.knowConstant(spec.name, value);
  }
}
