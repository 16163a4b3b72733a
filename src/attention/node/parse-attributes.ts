import { SlothfulError } from '../../errors.ts';
import { HIDDEN_FORMS, type NodeAttributes, OUTPUT_FORMS } from './contract.ts';

/**
 * Checks the attributes that a custom op's executor receives: decoded, text lower-cased by TF.js.
 *
 * @throws SlothfulError `bad-graph` naming the attribute
 */
export function parseAttributes(raw: Readonly<Record<string, unknown>>, place: string): NodeAttributes {
  const wrong = (name: keyof NodeAttributes, expected: string) =>
    new SlothfulError('bad-graph', place, `attribute "${name}" must be ${expected}, got ${String(raw[name])}`);
  const number = (name: keyof NodeAttributes, valid: (value: number) => boolean, expected: string): number => {
    const value = raw[name];
    if (typeof value !== 'number' || !valid(value)) throw wrong(name, expected);
    return value;
  };
  const bool = (name: keyof NodeAttributes): boolean => {
    const value = raw[name] ?? false;
    if (typeof value !== 'boolean') throw wrong(name, 'true or false');
    return value;
  };
  const form = <F extends string>(name: keyof NodeAttributes, forms: readonly F[]): F => {
    const value = forms.find((each) => each === (raw[name] ?? 'tokens'));
    if (value === undefined) throw wrong(name, `one of ${forms.join(', ')}`);
    return value;
  };
  return {
    heads: number('heads', (value) => Number.isInteger(value) && value > 0, 'an integer from 1'),
    scale: number('scale', Number.isFinite, 'a finite number'),
    site: number('site', (value) => Number.isInteger(value) && value >= 0, 'an integer from 0'),
    id: typeof raw.id === 'string' ? raw.id : '',
    cross: bool('cross'),
    queryBias: bool('queryBias'),
    keyBias: bool('keyBias'),
    valueBias: bool('valueBias'),
    transposeWeights: bool('transposeWeights'),
    hiddenForm: form('hiddenForm', HIDDEN_FORMS),
    contextForm: form('contextForm', HIDDEN_FORMS),
    outputForm: form('outputForm', OUTPUT_FORMS),
  };
}
