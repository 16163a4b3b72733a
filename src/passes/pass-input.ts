import { isObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { attr, type Endpoint, type Graph, type PassResult, readShape, recordedPasses } from '../graph/index.ts';

/**
 * An optional input of the graph that a pass owns. Callers do not see it: it is fed by what the pass says of a step, and
 * where nothing is fed its default leaves the model as it was.
 */
export interface PassInput {
  readonly name: string;
  readonly shape: readonly number[];
}

/** What a pass's `edit` says of its work, to be recorded; `inputs` are those that the pass owns from now on. */
export interface EditResult extends PassResult {
  /** Names of inputs that `addPassInput` made. */
  readonly inputs?: readonly string[];
}

/** What a pass feeds its inputs at a step: values by name, row-major. What it leaves out keeps its default. */
export type PassFeeds = Readonly<Record<string, ArrayLike<number>>>;

/**
 * Gives a graph an input that a pass owns, float32. It stays out of the signature, so that callers who feed inputs by
 * position are not disturbed. The name may get a number where it is taken: name it in the result of `edit` as it is here.
 *
 * @param neutral the default, row-major: the values with which the pass changes nothing
 */
export function addPassInput(
  graph: Graph,
  { name: wanted, shape, neutral }: PassInput & { readonly neutral: readonly number[] },
): Endpoint {
  const name = graph.uniqueName(wanted);
  const value = { dtype: 'float32', shape: [...shape], values: [...neutral] } as const;
  return graph.add({
    name,
    op: 'PlaceholderWithDefault',
    inputs: [graph.addConstant(graph.uniqueName(`${name}/default`), value)],
    attributes: { dtype: attr.type('float32'), shape: attr.shape(shape) },
  });
}

/** Names of the inputs that a recorded pass owns; none where its record says nothing of it. */
export function ownedInputs(result: unknown): readonly string[] {
  const names = isObject(result) ? result.inputs : undefined;
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

/** What a pass recorded of its work on a graph; undefined where the graph has not been through it. */
export function recordedResult(graph: Graph, pass: string): PassResult | undefined {
  return recordedPasses(graph).find(({ name }) => name === pass)?.result;
}

/**
 * The inputs that a pass owns in a graph.
 *
 * @param place the model and the pass, for messages
 * @throws SlothfulError `bad-model` where the graph does not have what is recorded
 */
export function passInputs(graph: Graph, result: PassResult, place: string): PassInput[] {
  return ownedInputs(result).map((name) => {
    const node = graph.node(name);
    const shape = node?.op === 'PlaceholderWithDefault' ? readShape(node.attributes, 'shape') : undefined;
    if (shape) return { name, shape };
    throw new SlothfulError('bad-model', place, `its input "${name}" is not in the graph`, 'patch the model again');
  });
}

/**
 * What a pass feeds, by its inputs, checked.
 *
 * @throws SlothfulError `bad-input` for values that are not those of an input of the pass's
 */
export function checkFeeds(
  feeds: unknown,
  inputs: readonly PassInput[],
  place: string,
): Map<PassInput, Float32Array<ArrayBuffer>> {
  const given = Object.entries(isObject(feeds) ? feeds : {});
  return new Map(
    given.map(([name, values]) => {
      const input = inputs.find((each) => each.name === name);
      if (!input) throw new SlothfulError('bad-input', place, `fed "${name}", which is no input of the pass`);
      const count = input.shape.reduce((product, size) => product * size, 1);
      const isList = Array.isArray(values) || values instanceof Float32Array || values instanceof Float64Array;
      const numbers = Float32Array.from(isList ? values : []);
      if (numbers.length === count && numbers.every((value) => Number.isFinite(value)))
        return [input, numbers] as const;
      const problem = `fed "${name}" something that is not [${input.shape.join(', ')}]`;
      throw new SlothfulError('bad-input', place, problem, `give ${count} finite numbers`);
    }),
  );
}
