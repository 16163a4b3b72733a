import { findUpJoints } from '../../attention/index.ts';
import type { NumberParameter, ParameterValues } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import { attr, type Endpoint, type Graph, type Pass } from '../../graph/index.ts';
import { expectJoints } from '../joints.ts';
import { makePass } from '../make-pass.ts';
import { addPassInput, type EditResult } from '../pass-input.ts';
import { builtInPass } from '../registry.ts';
import { strengthenBackbone } from './backbone.ts';
import { FREEU_NAME, readFreeuRecord } from './record.ts';
import { type Scope, scopesOf } from './scope.ts';
import { scaleSkip, type Waves, wavesOf } from './skip.ts';
import { type JointStages, type StagedJoint, stagedJoints } from './stages.ts';

const VARIANTS = ['original-v2', 'original-v1', 'comfyui-v2', 'comfyui-v1', 'diffusers'] as const;
type Variant = (typeof VARIANTS)[number];

const strength = (value: number, help: string): NumberParameter => {
  return { type: 'number', default: value, min: 0, max: 10, step: 0.01, help: `${help}; 1 changes nothing` };
};

/** FreeU's parameters, with the defaults of ComfyUI's FreeU_V2 node, which are the authors' for SDXL. */
export const FREEU_PARAMETERS = {
  b1: strength(1.3, 'strength of the backbone at the deepest joints'),
  b2: strength(1.4, 'strength of the backbone at the joints above'),
  s1: strength(0.9, 'low frequencies of the skip connections at the deepest joints'),
  s2: strength(0.2, 'low frequencies of the skip connections at the joints above'),
  variant: {
    type: 'choice',
    default: 'original-v2',
    choices: VARIANTS,
    help: 'whose rules: v2 strengthens the backbone by a map of its mean, v1 and diffusers evenly',
  },
} as const;

type FreeuParameters = ParameterValues<typeof FREEU_PARAMETERS>;
export type FreeuOptions = Partial<FreeuParameters>;

/** A row that changes nothing: b, s, even. */
const NEUTRAL = [1, 1, 0] as const;

const RULES: Readonly<Record<Variant, { readonly rule: keyof JointStages; readonly even: 0 | 1 }>> = {
  'original-v2': { rule: 'original', even: 0 },
  'original-v1': { rule: 'original', even: 1 },
  'comfyui-v2': { rule: 'comfyui', even: 0 },
  'comfyui-v1': { rule: 'comfyui', even: 1 },
  diffusers: { rule: 'diffusers', even: 1 },
};

/**
 * FreeU: before each up block's resnets the backbone is strengthened and the skip connection loses low frequencies. Stock ops
 * of TF.js that read an optional input `freeu` [joints, 3]; what is not fed leaves the model as it was.
 *
 * Where one of the four strengths is 0 the pass is off, as in diffusers; ComfyUI's variants take it as a number.
 * Source: Si et al., "FreeU: Free Lunch in Diffusion U-Net" (ChenyangSi/FreeU, MIT); diffusers (Apache-2.0).
 */
export const FREEU = builtInPass({
  name: FREEU_NAME,
  version: 1,
  summary: 'FreeU: stronger backbones and skip connections with less of their low frequencies',
  parameters: FREEU_PARAMETERS,
  effects: { changes: ['joints'], needs: [] },
  edit: (graph) => addFreeu(graph),
  feeds({ parameters }, result) {
    const { inputs, joints } = readFreeuRecord(result);
    const rows = joints.flatMap(({ stages }) => rowOf(parameters, stages));
    return Object.fromEntries(inputs.map((input) => [input, rows]));
  },
});

/**
 * The pass that puts FreeU into a UNet. A second time it only replaces the recorded parameters.
 *
 * `await graph.transform(freeu({ b1: 1.5, b2: 1.6, s1: 0.9, s2: 0.2 }))`, the authors' for SD1.5.
 *
 * @throws SlothfulError `bad-parameter`; on apply `unsupported` where the graph has no skip connections, or none of known width
 */
export function freeu(options: FreeuOptions = {}): Pass {
  return makePass(FREEU, options);
}

function rowOf({ b1, b2, s1, s2, variant }: FreeuParameters, stages: JointStages): readonly number[] {
  const { rule, even } = RULES[variant];
  const isOff = rule !== 'comfyui' && [b1, b2, s1, s2].includes(0);
  const stage = stages[rule];
  if (isOff || stage === 0) return NEUTRAL;
  return stage === 1 ? [b1, s1, even] : [b2, s2, even];
}

function addFreeu(graph: Graph): EditResult {
  const joints = expectJoints(stagedJoints(findUpJoints(graph)), 'FreeU');
  const neutral = joints.flatMap(() => NEUTRAL);
  const input = addPassInput(graph, { name: FREEU_NAME, shape: [joints.length, NEUTRAL.length], neutral });
  const scopeAt = scopesOf(graph, input.node);
  // Images of one block have one size.
  const waves = new Map<number, Waves>();
  const recorded = joints.map((joint, row) => {
    const scope = scopeAt(String(row));
    const skip = entry(scope, 'skip', joint.skip);
    const shared = waves.get(joint.block) ?? wavesOf(scope, skip);
    waves.set(joint.block, shared);
    return addToJoint(graph, { ...joint, skip }, { scope, input, row, waves: shared, before: joint });
  });
  return { inputs: [input.node], joints: recorded };
}

/** What a joint's nodes are made with. */
interface Site {
  readonly scope: Scope;
  readonly input: Endpoint;
  /** Of the input. */
  readonly row: number;
  readonly waves: Waves;
  /** What the joint read before. */
  readonly before: StagedJoint;
}

function addToJoint(graph: Graph, { joint, skip, channels, stages }: StagedJoint, site: Site) {
  const { scope, input, row, waves, before } = site;
  const main = entry(scope, 'main', before.main);
  const [backbone, low, even] = NEUTRAL.map((_, column) => cell(scope, input, row, column));
  if (!backbone || !low || !even || channels.main === undefined || channels.skip === undefined) {
    throw new SlothfulError('unsupported', `node "${joint}"`, 'joins feature maps whose channels are not known');
  }
  const strong = strengthenBackbone(scope, main, channels.main, { strength: backbone, even });
  const scaled = scaleSkip(scope, skip, channels.skip, waves, low);
  graph.rewire(joint, before.skip, scaled);
  graph.rewire(joint, before.main, strong);
  return { joint, main: main.node, skip: skip.node, stages };
}

/** A node by which a tensor enters FreeU, so that whoever comes later can change it before. */
function entry(scope: Scope, name: string, of: Endpoint): Endpoint {
  return scope.op(name, 'Identity', [of]);
}

/** One value of the input, [1, 1]. */
function cell({ op, ints }: Scope, input: Endpoint, row: number, column: number): Endpoint {
  const part = [input, ints([row, column], [2]), ints([1, 1], [2])];
  return op(`cell_${column}`, 'Slice', part, { Index: attr.type('int32') });
}
