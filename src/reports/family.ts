import type { SurveyedSite } from '../attention/index.ts';
import type { Graph } from '../graph/index.ts';

/** Which family of UNets a model is of, and what says so. */
export interface FamilyGuess {
  /** `sd15`, `sdxl`, `ssd1b`; null where nothing fits. */
  readonly name: string | null;
  readonly basis: string;
}

/** Self-attentions of each family: in input blocks, the middle, output blocks. */
const FAMILIES: ReadonlyArray<readonly [name: string, input: number, middle: number, output: number]> = [
  ['sd15', 6, 1, 9],
  ['sdxl', 24, 10, 36],
  ['ssd1b', 12, 0, 22],
];
const CONTEXTS: Readonly<Record<number, string>> = { 768: 'SD1.x', 1024: 'SD2.x', 2048: 'SDXL' };

/** The family that the metadata names, or else the one that has as many self-attentions in the same blocks. */
export function guessFamily({ metadata }: Graph, sites: readonly SurveyedSite[]): FamilyGuess {
  if (typeof metadata.family === 'string') return { name: metadata.family, basis: 'the metadata of the model says so' };
  const self = sites.filter(({ kind }) => kind === 'self');
  const count = (block: string) => self.filter((site) => site.block === block).length;
  const [input, middle, output] = [count('input'), count('middle'), count('output')];
  const counted = `${input} input, ${middle} middle and ${output} output self-attentions${contextText(sites)}`;
  const found = FAMILIES.find(([, ...counts]) => String(counts) === String([input, middle, output]));
  if (found) return { name: found[0], basis: `it has the family's ${counted}` };
  return { name: null, basis: `no family that is known has ${counted}` };
}

function contextText(sites: readonly SurveyedSite[]): string {
  const width = sites.find(({ kind }) => kind === 'cross')?.contextChannels;
  if (width === undefined) return '';
  const hint = CONTEXTS[width];
  return `, and a context of ${width} channels${hint ? ` (${hint})` : ''}`;
}
