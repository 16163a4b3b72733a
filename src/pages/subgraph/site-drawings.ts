import { surveyGraph } from '../../attention/index.ts';
import type { Graph } from '../../graph/index.ts';
import type { RunSize } from '../../reports/size.ts';
import { type Drawing, drawSite } from './extract.ts';
import { findSite } from './find-site.ts';

/** A graph in which a site is to be drawn. */
export interface DrawnModel {
  readonly graph: Graph;
  /** What the drawing is called besides the site: `before`. */
  readonly label: string;
}

/**
 * One site in several graphs: before and after a patch, or in two models.
 *
 * @param text how the user names the site; see `findSite`. The id that it has in the first graph is looked for in the others
 * @throws SlothfulError `usage` where a graph has no such site
 */
export function drawSites(models: readonly DrawnModel[], text: string, size?: Partial<RunSize>): Drawing[] {
  let wanted = text;
  return models.map(({ graph, label }) => {
    const site = findSite(surveyGraph(graph).sites, wanted, label);
    wanted = site.id;
    return drawSite(graph, site, `${site.id} ${label}`, size);
  });
}
