import { parseMerges, type Vocabulary, vocabularyOfMerges } from './vocabulary.ts';

/**
 * OpenAI's vocabulary of CLIP, which Stable Diffusion 1.x, SDXL and SSD-1B share: for checkpoints of a single file, which
 * carry none. It is loaded when this is called, as a module of its own, so that a page that needs it not does without.
 */
export async function clipVocabulary(): Promise<Vocabulary> {
  const { CLIP_MERGES } = await import('./clip-merges.generated.ts');
  return vocabularyOfMerges(parseMerges(await inflated(CLIP_MERGES), "CLIP's merges"));
}

/** The text that was compressed with zlib and written in base64. */
function inflated(base64: string): Promise<string> {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(text).text();
}
