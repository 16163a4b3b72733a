import { layOutMap, type MapSite } from './u-layout.ts';
import { type MapOptions, uMap } from './u-map.ts';

/** A map with what stands around it. */
export interface MapSection extends MapOptions {
  readonly title: string;
  /** HTML above the map: a slider, figures. */
  readonly controls?: string;
  /** HTML: what the colours mean. */
  readonly legend: string;
}

/** Wider maps have the panel of the chosen site below, not beside. */
const MOST_BESIDE = 700;

/** The section with the UNet as a U and the panel of the chosen site. */
export function mapSection(
  sites: readonly MapSite[],
  { title, controls = '', legend, ...options }: MapSection,
): string {
  const wide = layOutMap(sites).width > MOST_BESIDE ? ' wide' : '';
  return `<section class="figure"><h2>${title}</h2>
${controls}<p class="quiet">${legend} <span class="help">Arrow keys move between cells.</span></p>
<div class="side${wide}"><div class="scroll">${uMap(sites, options)}</div>
<div class="detail"><h2>Chosen site</h2><dl id="detail"></dl></div></div></section>`;
}

/** The legend's entry for cross-attentions. */
export const CROSS_LEGEND = '<span class="swatch" style="background:var(--cross)"></span>cross-attention.';
