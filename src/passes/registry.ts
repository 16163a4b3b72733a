import { registerStage } from '../attention/index.ts';
import { type DeclaredParameters, isObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import type { PassDefinition } from './definition.ts';

const builtIn = new Map<string, PassDefinition>();
const known = new Map<string, PassDefinition>();

/** Makes a pass of the toolkit's own known: its name is taken. @returns the same definition */
export function builtInPass<const T extends DeclaredParameters>(definition: PassDefinition<T>): PassDefinition<T> {
  builtIn.set(definition.name, definition);
  registerPass(definition);
  return definition;
}

/**
 * Makes a pass known by its name, to loading, plans, reports, sweeps and the command line. Passes of the toolkit are known
 * already; one of a user's own is registered by `use: [pass]` and `--use FILE`.
 *
 * @param value the definition; from outside, so it is checked
 * @param place where it is from, for messages
 * @returns the same definition
 * @throws SlothfulError `bad-input` where it is not the definition of a pass, or a pass of the toolkit has the name
 */
export function registerPass(value: unknown, place = 'a pass'): PassDefinition {
  if (!isDefinition(value, place)) throw wrong(place, 'is not the definition of a pass');
  const { name, stage } = value;
  const own = builtIn.get(name);
  if (own && own !== value) throw wrong(place, `a pass of the toolkit is named "${name}"`, 'give it another name');
  known.set(name, value);
  if (stage) registerStage(stage);
  return value;
}

/** Every pass that is known, those of the toolkit first. */
export function passDefinitions(): readonly PassDefinition[] {
  return [...known.values()];
}

/** The pass of a name; undefined where none is known. */
export function findPass(name: string): PassDefinition | undefined {
  return known.get(name);
}

/** @throws SlothfulError `bad-input` where no pass has the name */
export function expectPass(name: string, place: string): PassDefinition {
  const found = findPass(name);
  if (found) return found;
  throw wrong(place, `there is no pass "${name}"`, `known are ${[...known.keys()].join(', ')}; --use brings others`);
}

/** Checks what a file that a user brings exports; TypeScript's users have the type. */
function isDefinition(value: unknown, place: string): value is PassDefinition {
  if (!isObject(value)) throw wrong(place, 'is not an object', 'export the definition as the default');
  const { name, version, summary, parameters, stage } = value;
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]*$/.test(name)) {
    throw wrong(place, 'its name must be of lower case letters, digits and hyphens');
  }
  if (!Number.isInteger(version)) throw wrong(place, 'its version must be an integer');
  if (typeof summary !== 'string') throw wrong(place, 'its summary must be a text');
  if (!isObject(parameters)) throw wrong(place, 'its parameters must be an object, {} where it has none');
  for (const [parameter, spec] of Object.entries(parameters)) checkParameter(spec, `${place} parameter "${parameter}"`);
  if (stage !== undefined) checkStage(stage, name, `${place} stage`);
  for (const method of ['selects', 'rows', 'explain', 'edit', 'feeds', 'keeps', 'steers', 'foresee'])
    checkFunction(value[method], `${place} ${method}`);
  if (value.feeds && !value.edit) throw wrong(place, 'it has feeds, and no edit that adds inputs to feed');
  if (value.keeps && !value.edit) throw wrong(place, 'it keeps tensors, and has no edit that records which');
  return true;
}

function checkParameter(spec: unknown, place: string): void {
  if (!isObject(spec)) throw wrong(place, 'is not an object');
  const { type, help, default: value, min, max, choices, maxLength } = spec;
  if (typeof help !== 'string') throw wrong(place, 'needs a line of help');
  if (type === 'number' || type === 'integer') {
    const numbers = [value, min, max].every((each) => typeof each === 'number');
    if (!numbers) throw wrong(place, `a ${type} needs default, min and max`);
  } else if (type === 'choice') {
    if (!Array.isArray(choices)) throw wrong(place, 'a choice needs choices');
  } else if (type === 'text') {
    const isBounded = typeof value === 'string' && typeof maxLength === 'number';
    if (!isBounded) throw wrong(place, 'a text needs default and maxLength');
  } else if (type !== 'boolean') throw wrong(place, 'its type must be number, integer, boolean, choice or text');
}

const STAGE_FUNCTIONS = [
  'isOff',
  'size',
  'unattended',
  'tokens',
  'query',
  'keysValues',
  'logitsMask',
  'attend',
  'output',
];

function checkStage(stage: unknown, pass: string, place: string): void {
  if (!isObject(stage)) throw wrong(place, 'is not an object');
  const { name, order, columns, effects } = stage;
  if (name !== pass) throw wrong(place, `its name must be that of the pass, "${pass}"`);
  if (typeof order !== 'number') throw wrong(place, 'its order must be a number');
  const isColumn = (column: unknown) =>
    isObject(column) && typeof column.name === 'string' && typeof column.default === 'number';
  if (!Array.isArray(columns) || !columns.length || !columns.every(isColumn)) {
    throw wrong(place, 'its columns must be a list of { name, default }, one or more');
  }
  const isEffects = isObject(effects) && Array.isArray(effects.changes) && Array.isArray(effects.needs);
  if (!isEffects) throw wrong(place, 'its effects must be { changes: [...], needs: [...] }');
  for (const method of STAGE_FUNCTIONS) checkFunction(stage[method], `${place} ${method}`);
}

function checkFunction(value: unknown, place: string): void {
  if (value !== undefined && typeof value !== 'function') throw wrong(place, 'must be a function');
}

function wrong(place: string, problem: string, cure?: string): SlothfulError {
  return new SlothfulError('bad-input', place, problem, cure);
}
