import { buildUNet, parseUNetConfig } from '../../../converters/index.ts';
import { weightSpec } from '../../../converters/nn/index.ts';
import { chooseBackend } from '../../../src/node.ts';
import { appliedPasses, slothful } from '../../../src/passes/index.ts';
import { controlTensor, hooksOf } from '../../../src/runtime/control.ts';
import { type FamilyName, readFamily } from '../../checkpoint/family.ts';
import { type Finding, plainFinding } from '../finding.ts';
import type { Row } from '../row.ts';

const MOST_MILLISECONDS = 0.2;
const STEPS = 50;

/** What the hook costs a step: the strides of all sites, and the control table that is fed. */
export const hookRow: Row = {
  name: 'hook',
  describe: 'what the hook and its control table cost a step',
  fullSize: false,
  async run({ families }) {
    await chooseBackend({ backend: 'cpu' });
    const findings: Finding[] = [];
    for (const family of families) findings.push(await measure(family));
    return findings;
  },
};

/** The median is held against the target as well as the least: a run has 20 steps, and most of them are not warm. */
async function measure(family: FamilyName): Promise<Finding> {
  const { config } = await readFamily(family);
  const { graph, weights } = buildUNet(parseUNetConfig(config, family), 'bench');
  graph.setWeightGroups([{ paths: ['weights.bin'], weights: weights.map((plan) => weightSpec(plan, 'float16')) }]);
  await graph.transform(slothful());
  const state = appliedPasses(graph);
  if (!state) throw new Error('the graph was not patched');
  const times = Array.from({ length: STEPS }, (_, index) => {
    const start = performance.now();
    const facts = { timestep: 999 - index, sigma: undefined, latent: { height: 128, width: 128 }, stepIndex: index };
    controlTensor(state, facts, hooksOf(undefined)).dispose();
    return performance.now() - start;
  });
  const details = {
    sites: state.passes[0]?.sites.length ?? 0,
    'first ms': times[0] ?? Number.NaN,
    'slowest ms': Math.max(...times),
  };
  return plainFinding('hook', `${family}: a step`, times, 'ms', { target: MOST_MILLISECONDS, details });
}
