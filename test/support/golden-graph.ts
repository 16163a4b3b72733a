import { buildUNet, parseUNetConfig } from '../../converters/index.ts';
import { unetMetadata } from '../../converters/model/index.ts';
import { weightSpec } from '../../converters/nn/index.ts';
import type { Graph } from '../../src/graph/index.ts';
import { readJson } from './fixtures.ts';
import type { FamilyName } from './unet-goldens.ts';

/** A UNet of stock ops by its diffusers config, with the manifest that its weights would have; there are no weights. */
export function graphOfConfig(config: unknown): Graph {
  const parsed = parseUNetConfig(config);
  const { graph, weights } = buildUNet(parsed, 'test');
  const constants = [...graph.addedConstants].map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
  const specs = weights.map((plan) => weightSpec(plan, 'float16'));
  graph.setWeightGroups([{ paths: ['absent.bin'], weights: [...constants, ...specs] }]);
  graph.setMetadata(unetMetadata(parsed, { schedulerConfig: undefined, dataSpace: 'latent' }));
  return graph;
}

/** A real family as fixtures/families describes it. */
export interface FamilyFixture {
  readonly config: unknown;
  readonly parameters: number;
}

export function familyFixture(family: FamilyName): FamilyFixture {
  return readJson<FamilyFixture>(`families/${family}.json`);
}

/** The graph of the real, full-size UNet of a family. */
export function fullSizeGraph(family: FamilyName): Graph {
  return graphOfConfig(familyFixture(family).config);
}

/** The graph of the small golden checkpoint of a family. */
export function goldenGraph(family: FamilyName): Graph {
  return graphOfConfig(readJson(`unet/${family}/diffusers/config.json`));
}
