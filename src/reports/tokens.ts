import type { SurveyedSite } from '../attention/index.ts';
import { type Endpoint, isConcrete, type ShapeTable } from '../graph/index.ts';
import type { Grid } from '../passes/slothful/index.ts';

/** How many tokens a site has at a size; undefined where it cannot be told, with the reason. */
export interface SiteTokens {
  /** Rows and columns of the queries. */
  readonly grid: Grid | undefined;
  /** Queries of one sample. */
  readonly tokens: number | undefined;
  /** Keys and values of one sample, before any pooling. */
  readonly contextTokens: number | undefined;
  readonly reason: string | undefined;
}

/** Counts the tokens of a site by the shapes of a graph at a size. */
export function siteTokens(site: SurveyedSite, shapes: ShapeTable, batch: number): SiteTokens {
  const grid = gridOf(site, shapes);
  const tokens = grid ? grid[0] * grid[1] : count(shapes, site.hiddenStates, site.hiddenForm, batch);
  const contextTokens = site.kind === 'self' ? tokens : count(shapes, site.context, site.contextForm, batch);
  const unknown = tokens === undefined ? site.hiddenStates : site.context;
  const reason = tokens === undefined || contextTokens === undefined ? shapes.reason(unknown) : undefined;
  return { grid, tokens, contextTokens, reason };
}

function gridOf({ grid }: SurveyedSite, shapes: ShapeTable): Grid | undefined {
  if (!grid) return undefined;
  const shape = grid.from === 'tensor' ? shapes.shape(grid.endpoint) : shapes.values(grid.endpoint);
  const [, rows, columns] = shape ?? [];
  return rows === undefined || columns === undefined ? undefined : [rows, columns];
}

function count(shapes: ShapeTable, of: Endpoint, form: SurveyedSite['hiddenForm'], batch: number): number | undefined {
  const dims = shapes.dims(of);
  if (!dims) return undefined;
  if (form === 'grid') return product(dims.slice(1, -1));
  return form === 'flat' ? product(dims.slice(0, -1), batch) : dims[1];
}

function product(dims: readonly (number | undefined)[], by = 1): number | undefined {
  return isConcrete(dims) ? dims.reduce((total, size) => total * size, 1) / by : undefined;
}
