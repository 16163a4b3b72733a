import { isObject } from '../../src/documents/index.ts';

/** How a model answers and which noise it knows, as far as its file says. */
export interface SamplingFacts {
  readonly prediction_type?: 'epsilon' | 'v_prediction';
  /** The last timestep has nothing of the picture left. */
  readonly zero_snr?: boolean;
}

/** What a file says of sampling, by which words of it. */
interface Said<T> {
  readonly value: T;
  readonly by: string;
}

/** What is looked at. */
export interface SamplingSources {
  /** Names of all tensors: empty ones are marks. */
  readonly names: ReadonlySet<string>;
  readonly metadata: ReadonlyMap<string, string>;
  /** The scheduler's config beside the model, where there is one. */
  readonly schedulerConfig: unknown;
  /** What the file or folder is called. */
  readonly called: string;
}

/** Tensors that are no weights, but marks that ComfyUI looks for: of sampling, and of ControlNets that are differences. */
export const MARKS: ReadonlySet<string> = new Set([
  'v_pred',
  'ztsnr',
  'edm_mean',
  'edm_std',
  'edm_vpred.sigma_max',
  'edm_vpred.sigma_min',
  'difference',
]);

/** The words for what a model predicts. */
const WORDS = {
  v_prediction: ['v', 'v_pred', 'vpred', 'v_prediction', 'v-prediction', 'velocity'],
  epsilon: ['epsilon', 'eps', 'noise'],
} as const;

function predictionOf(text: string): SamplingFacts['prediction_type'] {
  const word = text.toLowerCase();
  return (['v_prediction', 'epsilon'] as const).find((each) => WORDS[each].some((known) => known === word));
}

/** Keys of `__metadata__` that name what a model predicts: of the ModelSpec standard, and of trainers. */
const PREDICTION_KEYS = ['modelspec.prediction_type', 'modelspec.predict_key', 'prediction_type'] as const;
const NAME_HINT = /v[-_. ]?pred(?:iction)?(?![a-z])/i;

const isTrue = (text: string) => /^(?:true|1|yes)$/i.test(text.trim());

/**
 * Reads what a file says of sampling outside of a config: a v-prediction model sampled as an epsilon one gives noise. A
 * config that says it goes first, as in diffusers; contradictions, and what only the name hints at, are told.
 *
 * Source: the marks and `__metadata__` that ComfyUI, the ModelSpec standard and kohya's scripts have.
 */
export function readSampling(sources: SamplingSources): { facts: SamplingFacts; notes: string[] } {
  const { names, schedulerConfig } = sources;
  const edm = [...names].find((name) => name.startsWith('edm_') && MARKS.has(name));
  const notes = edm ? [`is marked "${edm}": it was trained with EDM noise levels, which the samplers do not have`] : [];
  const predictions = saidOfPrediction(sources, notes);
  const [prediction] = predictions;
  const zero = saidOfZeroSnr(sources);
  notes.push(...contradictions(predictions));
  const configured = isObject(schedulerConfig) ? schedulerConfig.prediction_type : undefined;
  if (typeof configured === 'string') {
    if (prediction && prediction.value !== configured) {
      const other = `${prediction.by} ${prediction.value}`;
      notes.push(
        `its scheduler's config says ${configured.slice(0, 40)} and ${other}: it is taken for the former, --prediction-type says otherwise`,
      );
    }
    return { facts: {}, notes };
  }
  if (prediction || zero) notes.push(...factsInWords(prediction, zero));
  else if (NAME_HINT.test(sources.called)) {
    notes.push(
      'its name hints at v-prediction and nothing in it says so: it is taken for an epsilon model, --prediction-type v_prediction says otherwise',
    );
  }
  return {
    facts: {
      ...(prediction ? { prediction_type: prediction.value } : {}),
      ...(zero ? { zero_snr: zero.value } : {}),
    },
    notes,
  };
}

/** Each that says it, the weightiest first. */
function saidOfPrediction({ names, metadata }: SamplingSources, notes: string[]): Said<'epsilon' | 'v_prediction'>[] {
  const found: Said<'epsilon' | 'v_prediction'>[] = [];
  if (names.has('v_pred')) found.push({ value: 'v_prediction', by: 'the tensor "v_pred" says' });
  for (const key of PREDICTION_KEYS) {
    const text = metadata.get(key)?.trim();
    if (!text) continue;
    const value = predictionOf(text);
    const said = `${key} ${JSON.stringify(text.slice(0, 40))} in its __metadata__`;
    if (value) found.push({ value, by: `${said} means` });
    else notes.push(`has ${said}, which no sampler has: --prediction-type says what it answers`);
  }
  const kohya = metadata.get('ss_v_parameterization');
  if (kohya !== undefined) {
    const value = isTrue(kohya) ? 'v_prediction' : 'epsilon';
    found.push({ value, by: `ss_v_parameterization ${JSON.stringify(kohya.slice(0, 10))} in its __metadata__ means` });
  }
  if (/-768-v(?:\/|$)/.test(metadata.get('modelspec.architecture') ?? '')) {
    found.push({ value: 'v_prediction', by: 'modelspec.architecture in its __metadata__ means' });
  }
  return found;
}

function saidOfZeroSnr({ names, metadata }: SamplingSources): Said<boolean> | undefined {
  if (names.has('ztsnr')) return { value: true, by: 'the tensor "ztsnr" says' };
  const kohya = metadata.get('ss_zero_terminal_snr');
  return kohya !== undefined && isTrue(kohya) ? { value: true, by: 'ss_zero_terminal_snr says' } : undefined;
}

function contradictions(said: readonly Said<string>[]): string[] {
  const [first] = said;
  const other = said.find(({ value }) => value !== first?.value);
  if (!first || !other) return [];
  return [`${first.by} ${first.value} and ${other.by} ${other.value}: it is taken for the former`];
}

function factsInWords(prediction: Said<string> | undefined, zero: Said<boolean> | undefined): string[] {
  // Epsilon is what is taken anyway.
  if (prediction?.value !== 'v_prediction' && !zero) return [];
  const what = prediction?.value === 'v_prediction' ? 'a v-prediction model' : 'a model';
  const by = (prediction?.value === 'v_prediction' ? prediction : zero)?.by ?? '';
  const isMark = by.startsWith('the tensor');
  const where = isMark ? '' : ` (${by.replace(/ (?:means|says)$/, '')})`;
  return [`is marked as ${what}${zero ? ' with zero terminal SNR' : ''}${where}`];
}
