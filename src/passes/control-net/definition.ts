import { findSkips } from '../../attention/index.ts';
import { attr, type Endpoint, type Graph, type Pass } from '../../graph/index.ts';
import { type Entry, entryOf } from '../freeu/record.ts';
import { expectJoints } from '../joints.ts';
import { makePass } from '../make-pass.ts';
import { builtInPass } from '../registry.ts';

const NAME = 'control-net';

/** Name of the input for what is added to the middle block's output. */
export const MID_RESIDUAL = 'mid_block_res';

/** Name of the input for what is added to a skip connection; 0 is that of the first convolution. */
export function downResidual(index: number): string {
  return `down_block_res_${index}`;
}

/**
 * The pass that gives a UNet inputs for the residuals of ControlNets: `down_block_res_0`, ... [B, h, w, C] for the skip
 * connections, in the order in which the way down makes them, and `mid_block_res`. They are optional; what is not fed is
 * 0. A model without this pass pays nothing for it, which is why it is one.
 *
 * `await graph.transform(controlNetInputs())`; a second time it changes nothing.
 *
 * The way down itself goes on without the residuals, as in diffusers: only the skip connections carry them. FreeU comes after
 * the residuals, whichever was applied first, as in diffusers and ComfyUI.
 *
 * @throws SlothfulError on apply, `unsupported` where the graph has no skip connections
 * Source: diffusers, `UNet2DConditionModel.forward`, `down_block_additional_residuals`.
 */
export function controlNetInputs(): Pass {
  return makePass(CONTROL_NET);
}

/** The pass among its peers. */
export const CONTROL_NET = builtInPass({
  name: NAME,
  version: 1,
  summary: 'inputs for the residuals of ControlNets',
  parameters: {},
  effects: { changes: [], needs: [] },
  edit(graph) {
    if (graph.node(MID_RESIDUAL)?.op !== 'PlaceholderWithDefault') addInputs(graph);
  },
});

function addInputs(graph: Graph): void {
  const skips = expectJoints(findSkips(graph), 'the residuals of a ControlNet');
  const [deepest] = skips;
  const zero = graph.addConstant(graph.uniqueName('control_net/zero'), { dtype: 'float32', shape: [], values: [0] });
  addResidual(graph, entryOf(graph, deepest.joint, 'main', deepest.main), {
    name: MID_RESIDUAL,
    channels: deepest.channels.main,
    zero,
  });
  skips.forEach(({ joint, skip, channels }, index) => {
    const name = downResidual(skips.length - 1 - index);
    addResidual(graph, entryOf(graph, joint, 'skip', skip), { name, channels: channels.skip, zero });
  });
}

/** Puts `of + residual` in the place of `of` among the inputs of a node. */
function addResidual(
  graph: Graph,
  { node, of }: Entry,
  { name, channels = -1, zero }: { name: string; channels: number | undefined; zero: Endpoint },
): void {
  const residual = graph.add({
    name,
    op: 'PlaceholderWithDefault',
    inputs: [zero],
    attributes: { dtype: attr.type('float32'), shape: attr.shape([-1, -1, -1, channels]) },
  });
  const sum = graph.add({
    name: graph.uniqueName(`control_net/${name}/sum`),
    op: 'AddV2',
    inputs: [of, residual],
    attributes: { T: attr.type('float32') },
  });
  graph.rewire(node, of, sum);
}
