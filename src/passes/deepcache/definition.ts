import { findUpJoints, type UpJoint } from '../../attention/index.ts';
import {
  type DocumentOf,
  foreignObject,
  list,
  object,
  type ParameterValues,
  readDocument,
  text,
} from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import { attr, type Graph, type Pass, type PassResult } from '../../graph/index.ts';
import { entryOf } from '../freeu/record.ts';
import { expectJoints } from '../joints.ts';
import { makePass } from '../make-pass.ts';
import { builtInPass } from '../registry.ts';

/** Name of the pass. */
const NAME = 'deepcache';

/** DeepCache's parameters: its authors' `cache_interval` and `cache_branch_id`. They show results of an interval of 3. */
export const DEEPCACHE_PARAMETERS = {
  interval: {
    type: 'integer',
    default: 3,
    min: 1,
    max: 1000,
    step: 1,
    help: 'every so many evaluations the whole model runs; 1 turns the pass off',
  },
  branch: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 99,
    step: 1,
    help: 'the skip connection that the others go on from, 0 the shallowest: the larger, the more of the model runs',
  },
} as const;

type Parameters = ParameterValues<typeof DEEPCACHE_PARAMETERS>;
export type DeepCacheOptions = Partial<Parameters>;

/** What a model says of the DeepCache in it. */
const RECORD = foreignObject({
  states: list(
    object({
      node: text({ description: 'whose output is the state that can be kept: feed it, and what made it does not run' }),
      joint: text({ description: 'the concatenation that joins it with a skip connection' }),
    }),
    { description: 'by branch: 0 is the last joint of the way up, whose skip connection is the shallowest' },
  ),
});
type DeepCacheRecord = DocumentOf<typeof RECORD>;

/**
 * DeepCache: in most evaluations of a run only the shallow end of the UNet runs, and what comes up to it from the deeper blocks
 * is that of the last full evaluation. Time embedding, text and all skip connections that are used are those of the present.
 *
 * The graph gets a node for every state that can be kept. Plain TF.js can run it too: ask for such a node beside the output,
 * and feed it in the next calls. Evaluations are counted, not steps: a sampler of the second order asks the model twice a step.
 *
 * Source: Ma, Fang, Wang, "DeepCache: Accelerating Diffusion Models for Free"; horseee/DeepCache 0.1.1 (Apache-2.0).
 */
export const DEEPCACHE = builtInPass({
  name: NAME,
  version: 1,
  summary: 'DeepCache: the deep blocks run only every few evaluations of the model',
  parameters: DEEPCACHE_PARAMETERS,
  effects: { changes: ['evaluations'], needs: [] },
  edit(graph, parameters) {
    const states = addStates(graph);
    stateOf({ states }, parameters);
    return { states };
  },
  foresee: (graph) => ({ states: findStates(graph) }),
  keeps(evaluation, parameters, result) {
    const { node } = stateOf(readRecord(result), parameters);
    const { interval } = parameters;
    return interval === 1 ? undefined : { node, reuse: evaluation % interval !== 0 };
  },
});

/**
 * The pass that puts DeepCache into a UNet. A second time it only replaces the recorded parameters.
 *
 * `await graph.transform(deepCache({ interval: 3 }))`
 *
 * @throws SlothfulError `bad-parameter`, also for a branch that the model does not have; on apply `unsupported` where the graph
 *   has no skip connections
 */
export function deepCache(options: DeepCacheOptions = {}): Pass {
  return makePass(DEEPCACHE, options);
}

function readRecord(result: PassResult): DeepCacheRecord {
  const place = `userDefinedMetadata.passes "${NAME}" result`;
  return readDocument(RECORD, result, { place, code: 'bad-model', cure: 'patch the converted model again' });
}

function stateOf({ states }: DeepCacheRecord, { branch }: Parameters): DeepCacheRecord['states'][number] {
  const state = states[branch];
  if (state) return state;
  const problem = `must be 0 to ${states.length - 1} in this model, got ${branch}`;
  throw new SlothfulError('bad-parameter', `${NAME} branch`, problem);
}

/** What a graph without the pass makes of each state. */
function findStates(graph: Graph): DeepCacheRecord['states'] {
  return jointsOf(graph).map(({ joint, main }) => ({ node: main.node, joint }));
}

/**
 * A node for what comes from below to each joint of the way up. It is what the joint itself joins, so that FreeU, which is
 * different at every step of the original, acts on kept states too.
 */
function addStates(graph: Graph): DeepCacheRecord['states'] {
  return jointsOf(graph).map((joint, branch) => ({ node: addState(graph, joint, branch), joint: joint.joint }));
}

/** The joints of the way up by branch. @throws SlothfulError `unsupported` where there are none */
function jointsOf(graph: Graph): UpJoint[] {
  return expectJoints(findUpJoints(graph), 'DeepCache').toReversed();
}

function addState(graph: Graph, { joint, main }: UpJoint, branch: number): string {
  const { node, of } = entryOf(graph, joint, 'main', main);
  const state = graph.add({
    name: graph.uniqueName(`${NAME}/state_${branch}`),
    op: 'Identity',
    inputs: [of],
    attributes: { T: attr.type('float32') },
  });
  graph.rewire(node, of, state);
  return state.node;
}
