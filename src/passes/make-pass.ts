import { type AttentionNodesOptions, attachStage, attentionNodes, type PatchedSite } from '../attention/index.ts';
import { type DeclaredParameters, readParameters } from '../documents/index.ts';
import type { Pass } from '../graph/index.ts';
import { actsByRecord, type PassDefinition } from './definition.ts';
import { recordedResult } from './pass-input.ts';
import { registerPass } from './registry.ts';

/**
 * Makes a pass of a definition and its parameters, for `graph.transform` and `patchModel`.
 *
 * Applied to a model that has the pass already it only replaces the recorded parameters: nothing of the graph depends on them.
 *
 * @param options any of the parameters; the rest are defaults
 * @throws SlothfulError `bad-parameter`; on apply `unsupported` where it does not go with what the model has been through, or
 *   there is no attention that it could act on
 * @example
 * await graph.transform(makePass(zeroMask, { strength: 1 }));
 */
export function makePass<T extends DeclaredParameters>(
  definition: PassDefinition<T>,
  options: unknown = {},
  nodes: AttentionNodesOptions = {},
): Pass {
  const { name, version, stage } = definition;
  const parameters = readParameters(definition.parameters, options, `${name}()`);
  const effects = stage?.effects ?? definition.effects;
  return {
    name,
    version,
    options: parameters,
    ...(effects ? { effects } : {}),
    ...(stage ? { requires: [attentionNodes(nodes)] } : {}),
    async apply(graph) {
      const known = actsByRecord(definition) ? recordedResult(graph, name) : undefined;
      const edited = known ?? (await definition.edit?.(graph, parameters));
      if (stage || actsByRecord(definition)) registerPass(definition);
      if (!stage) return edited;
      const sites = attachStage(graph, stage, (site) => selectsSite(definition, site));
      return { ...edited, sites: sites.map(({ id }) => id) };
    },
  };
}

function selectsSite(definition: Pick<PassDefinition, 'selects'>, site: PatchedSite): boolean {
  return definition.selects ? definition.selects(site) : site.kind === 'self';
}
