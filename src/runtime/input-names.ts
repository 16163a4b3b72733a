import { SlothfulError } from '../errors.ts';

/** The inputs of Stable Diffusion's UNets as diffusers calls them, with the names that other exporters give them. */
const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  sample: ['latent', 'latents', 'latent_model_input', 'noisy_latents', 'latent_sample', 'x'],
  timestep: ['timesteps', 't', 'time_step'],
  encoder_hidden_states: ['context', 'text_embeddings', 'encoder_states'],
  text_embeds: ['pooled_prompt_embeds', 'add_text_embeds', 'added_cond_kwargs_text_embeds'],
  time_ids: ['add_time_ids', 'added_cond_kwargs_time_ids'],
};

/** A name without what exporters put around it: the number of its output, the name of its signature. */
export function bareName(name: string): string {
  return name.replace(/:\d{1,3}$/, '').replace(/^serving_default_/, '');
}

/** What diffusers calls an input of this name; undefined where it has none like it. */
export function usualName(name: string): string | undefined {
  const bare = bareName(name).toLowerCase();
  return Object.keys(SPELLINGS).find((usual) => usual === bare || SPELLINGS[usual]?.includes(bare));
}

/** An input with all the names that it may be fed by: ours first, then the model's own. */
export interface Spelled {
  readonly name: string;
  readonly ownName: string;
  readonly node: string;
}

/**
 * What a caller gives, by the names of the inputs: in the spelling of diffusers, or as the model calls them. What is no input
 * keeps its name.
 *
 * @throws SlothfulError `bad-input` for two spellings of one input
 */
export function byInputNames<T>(
  given: Readonly<Record<string, T | undefined>>,
  inputs: readonly Spelled[],
): Record<string, T> {
  const found: Record<string, T> = {};
  const spelled = new Map<string, string>();
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const name = inputOf(key, inputs)?.name ?? key;
    const other = spelled.get(name);
    if (other !== undefined) {
      const problem = `is the same input of the model as "${other}"`;
      throw new SlothfulError('bad-input', `input "${key}"`, problem, 'give it once');
    }
    spelled.set(name, key);
    found[name] = value;
  }
  return found;
}

function inputOf(key: string, inputs: readonly Spelled[]): Spelled | undefined {
  const bare = bareName(key);
  const usual = usualName(key);
  return (
    inputs.find(({ name }) => name === key) ??
    inputs.find(({ ownName, node }) => ownName === key || node === key) ??
    inputs.find(({ name, ownName, node }) => [name, bareName(ownName), bareName(node)].includes(bare)) ??
    inputs.find(({ name }) => name === usual)
  );
}
