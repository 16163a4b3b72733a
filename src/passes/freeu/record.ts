import {
  constant,
  type DocumentOf,
  either,
  foreignObject,
  list,
  object,
  readDocument,
  text,
} from '../../documents/index.ts';
import type { Endpoint, Graph, PassResult } from '../../graph/index.ts';
import { recordedResult } from '../pass-input.ts';

/** Name of the pass. */
export const FREEU_NAME = 'freeu';

const STAGE = either([constant(0), constant(1), constant(2)]);

/** What a model says of the FreeU in it. */
const RECORD = foreignObject({
  inputs: list(text({ description: 'the input that carries a row a joint: b, s, and 1 for an even backbone' })),
  joints: list(
    object({
      joint: text({ description: 'the concatenation' }),
      main: text({ description: 'the node by which what comes from below enters FreeU' }),
      skip: text({ description: 'the node by which the skip connection enters' }),
      stages: object({ original: STAGE, comfyui: STAGE, diffusers: STAGE }),
    }),
    { description: 'that FreeU acts on, in the order of the rows' },
  ),
});
export type FreeuRecord = DocumentOf<typeof RECORD>;

/** Reads what FreeU recorded. @throws SlothfulError `bad-model` */
export function readFreeuRecord(result: PassResult): FreeuRecord {
  const place = `userDefinedMetadata.passes "${FREEU_NAME}" result`;
  return readDocument(RECORD, result, { place, code: 'bad-model', cure: 'patch the converted model again' });
}

/** Where a tensor of a joint is read: its reader, and what that reads. */
export interface Entry {
  readonly node: string;
  readonly of: Endpoint;
}

/**
 * Where what comes to a joint is to be changed so that FreeU sees the change: at the node by which it enters FreeU, or at the
 * joint itself where FreeU does not act.
 *
 * @param of what the joint reads
 */
export function entryOf(graph: Graph, joint: string, side: 'main' | 'skip', of: Endpoint): Entry {
  const result = recordedResult(graph, FREEU_NAME);
  const own = result && readFreeuRecord(result).joints.find((each) => each.joint === joint);
  const input = own && graph.node(own[side])?.inputs[0];
  return own && input ? { node: own[side], of: input } : { node: joint, of };
}
