import {
  type DocumentOf,
  either,
  flag,
  isObject,
  type JsonObject,
  named,
  number,
  readParameters,
  table,
  text as words,
} from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import type { Pass } from '../graph/index.ts';
import { actsInRuns } from './applied.ts';
import { makePass } from './make-pass.ts';
import { expectPass } from './registry.ts';
import { SLOTHFUL } from './slothful/definition.ts';

/** Passes beside Slothful Attention by name, each with all its parameters: what reports and records have of them. */
export const PASS_PARAMETERS = named(
  'passes',
  table(table(either([number(), flag(), words()])), {
    description: 'the other passes that act, with their parameters',
  }),
);
export type PassParameters = DocumentOf<typeof PASS_PARAMETERS>;

/** Some parameters of some passes, by the names of the passes. */
export type AskedPasses = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * The passes beside Slothful Attention that act in a run, with all their parameters: those that the model has, by the
 * parameters that it records or else the defaults, and those that are asked for, over them.
 *
 * @param metadata the model's
 * @throws SlothfulError `bad-input` for a pass that is not known, `bad-parameter`
 */
export function passesInForce(metadata: JsonObject, asked: AskedPasses = {}, place = 'passes'): PassParameters {
  const recorded = new Map(recordedActing(metadata));
  const names = new Set([...recorded.keys(), ...Object.keys(asked)]);
  names.delete(SLOTHFUL.name);
  return Object.fromEntries(
    [...names].map((name) => {
      const { parameters } = expectPass(name, place);
      const values = { ...recorded.get(name), ...asked[name] };
      const read = Object.entries(readParameters(parameters, values, `${place} "${name}"`));
      return [name, Object.fromEntries(read.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))];
    }),
  );
}

/** The recorded options of passes that act while the model runs, by a stage or by what their `edit` recorded, by name. */
function recordedActing({ passes, attention }: JsonObject): [string, JsonObject][] {
  const columns = isObject(attention) && Array.isArray(attention.columns) ? attention.columns : [];
  const staged = new Set(columns.map((column) => String(column).split('.')[0]));
  return (Array.isArray(passes) ? passes.filter(isObject) : []).flatMap(
    ({ name, options, result }): [string, JsonObject][] => {
      const isActing = typeof name === 'string' && (staged.has(name) || actsInRuns(name, result));
      return isActing ? [[name, isObject(options) ? options : {}]] : [];
    },
  );
}

/** Whether passes in force perturb a part of the batch: one that guidance has the model compute beside the others. */
export function perturbs(inForce: PassParameters): boolean {
  return Object.entries(inForce).some(([name, own]) => expectPass(name, 'passes').steers?.(0, own) !== undefined);
}

/** The passes that put parameters in force into a model as it loads. */
export function passesOf(inForce: PassParameters): Pass[] {
  return Object.entries(inForce).map(([name, parameters]) => makePass(expectPass(name, 'passes'), parameters));
}

/**
 * Reads `name` or `name,key=value,key=value`: a pass and some of its parameters.
 *
 * @param flag where it was written, for messages
 * @throws SlothfulError `bad-input` for a pass that is not known, `usage`, `bad-parameter`
 */
export function parsePassOption(
  text: string,
  flag: string,
): [name: string, parameters: Readonly<Record<string, unknown>>] {
  const [name = '', ...settings] = text.split(',').map((part) => part.trim());
  const { parameters } = expectPass(name, flag);
  const values = settings.map((setting) => {
    const [key = '', value] = setting.split('=').map((part) => part.trim());
    if (value === undefined) {
      throw new SlothfulError('usage', flag, `cannot read "${setting}"`, `write --pass ${name},parameter=value`);
    }
    const parameter = key.replaceAll('-', '_');
    return [parameter, valueOfText(value, parameters[parameter])] as const;
  });
  const given = Object.fromEntries(values);
  readParameters(parameters, given, `${flag} ${name}`);
  return [name, given];
}

/** A text as the type that a parameter has; what it is not is left as it is, and refused where it is checked. */
export function valueOfText(text: string, parameter: { readonly type: string } | undefined): unknown {
  if (parameter?.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  const isNumber = parameter?.type === 'number' || parameter?.type === 'integer';
  return isNumber && text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}
