import type { MapBox } from './u-layout.ts';

/** What the head of a box says of its sites. */
interface BoxSite {
  readonly channels: number;
  readonly grid: readonly [number, number] | null;
}

/** `output 1: 32 x 32 tokens, 640 channels` */
export function boxHead({ block, level, cells }: MapBox, sites: readonly BoxSite[]): string {
  const site = sites[cells[0]?.site ?? -1];
  if (!site) return `${block} ${level}`;
  return `${block} ${level}: ${site.grid ? `${site.grid.join(' x ')}, ` : ''}${site.channels} ch`;
}
