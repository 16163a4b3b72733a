import {
  type AttentionRecord,
  type AttentionStage,
  CONTROL_INPUT,
  offRow,
  type PatchedSite,
  readAttentionRecord,
  type StageRow,
  sitesWithStage,
} from '../attention/index.ts';
import { type DeclaredParameters, isObject, type ParameterValues, readParameters } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { type Graph, type PassResult, recordedPasses } from '../graph/index.ts';
import { actsByRecord, type KeptTensor, type PassDefinition, type PassStep, rowsAt } from './definition.ts';
import { checkFeeds, ownedInputs, type PassInput, passInputs, recordedResult } from './pass-input.ts';
import { expectPass, findPass } from './registry.ts';

/** Parameters of a pass whose declaration is not known here. */
export type AnyParameters = ParameterValues<DeclaredParameters>;

/** A pass that acts while a graph runs, by a stage of attentions or by what its `edit` recorded, with the parameters in force. */
export interface AppliedPass {
  readonly definition: PassDefinition;
  readonly stage: AttentionStage | undefined;
  readonly parameters: AnyParameters;
  /** The attentions that have the stage, in the order of the control table. */
  readonly sites: readonly PatchedSite[];
  /** The inputs of the graph that are the pass's own. */
  readonly inputs: readonly PassInput[];
  /** What its `edit` recorded. */
  readonly result: PassResult;
}

/** What a patched model is run by: its attention nodes, and the passes that act. */
export interface ControlState {
  /** Without sites and columns where no pass acts on attentions. */
  readonly record: AttentionRecord;
  /** Name of the control input; where no pass acts on attentions, the one that it would have. */
  readonly control: string;
  readonly passes: readonly AppliedPass[];
  /** Rows of the control table: up to the last site that has a stage. 0: the graph has no control input. */
  readonly rows: number;
}

const NO_ATTENTION: AttentionRecord = { control: undefined, columns: [], top: undefined, deep: undefined, sites: [] };

/** What a caller says of a step. */
export interface ControlStep extends Omit<PassStep<unknown>, 'sites' | 'top' | 'deep' | 'parameters'> {}

/**
 * The passes that act while a graph runs, with their recorded parameters; undefined where it has none.
 *
 * @param place the model, for messages
 * @throws SlothfulError `bad-input` for a pass that is not known here, `bad-model`, `bad-parameter`
 */
export function appliedPasses(graph: Graph, place = 'model.json'): ControlState | undefined {
  const recorded = readAttentionRecord(graph, place);
  const record = recorded?.control === undefined ? NO_ATTENTION : recorded;
  const staged = new Set(record.columns.map((column) => column.split('.')[0] ?? ''));
  const acting = recordedPasses(graph).filter(({ name, result }) => actsInRuns(name, result));
  const names = [...new Set([...staged, ...acting.map(({ name }) => name)])];
  if (!names.length) return undefined;
  const passes = names.map((name) => appliedPass(graph, record, name, place));
  const rows = Math.max(0, ...passes.flatMap(({ sites }) => sites.map((site) => record.sites.indexOf(site) + 1)));
  return { record, control: record.control ?? CONTROL_INPUT, passes, rows };
}

/** Whether a pass without a stage goes on acting while the model runs. One that is not known is told by its inputs. */
export function actsInRuns(name: string, result: unknown): boolean {
  const definition = findPass(name);
  return ownedInputs(result).length > 0 || (definition !== undefined && actsByRecord(definition));
}

function appliedPass(graph: Graph, record: AttentionRecord, name: string, place: string): AppliedPass {
  const definition = expectPass(name, place);
  const isStaged = record.columns.some((column) => column.startsWith(`${name}.`));
  const stage = isStaged ? definition.stage : undefined;
  if (isStaged && !stage) throw new SlothfulError('bad-model', place, `records a stage of "${name}", which has none`);
  const at = `${place} userDefinedMetadata.passes "${name}"`;
  const result = recordedResult(graph, name) ?? {};
  const parameters = readParameters(definition.parameters, optionsOf(graph, name), at);
  const sites = isStaged ? sitesWithStage(graph, record, name) : [];
  return { definition, stage, parameters, sites, inputs: passInputs(graph, result, at), result };
}

function optionsOf(graph: Graph, name: string): unknown {
  const recorded = recordedPasses(graph).find((pass) => pass.name === name)?.options;
  // Version 0.1 recorded those of Slothful Attention in a second place too, which tools may have edited.
  const { slothful } = graph.metadata;
  return (name === 'slothful' && isObject(slothful) ? slothful.parameters : recorded) ?? {};
}

/** Changes of parameters by pass; `false` turns a pass off. */
export type PassChanges = Readonly<Record<string, Readonly<Record<string, unknown>> | false>>;

/**
 * The passes with some parameters changed: those that are not named stay as they are, those that are undefined get their
 * default back. A pass that is turned off is left out: its columns hold what leaves the attention as it is, and its inputs
 * are not fed.
 *
 * @throws SlothfulError `bad-parameter` for values out of range, or a pass that the model does not have
 */
export function changeParameters(state: ControlState, changes: PassChanges, place = 'parameters'): ControlState {
  for (const name of Object.keys(changes)) {
    if (state.passes.some(({ definition }) => definition.name === name)) continue;
    const cure = findPass(name) ? 'patch the model with it first' : 'bring the pass, and patch the model with it';
    throw new SlothfulError('bad-parameter', place, `the model does not have the pass "${name}"`, cure);
  }
  const passes = state.passes.flatMap((pass) => {
    const change = changes[pass.definition.name];
    if (change === false) return [];
    if (!change) return [pass];
    return [
      { ...pass, parameters: readParameters(pass.definition.parameters, { ...pass.parameters, ...change }, place) },
    ];
  });
  return { ...state, passes };
}

/** Rows of one pass in the place of its own: what a user's hook gives. */
export type PassHooks = ReadonlyMap<string, (step: PassStep<never>) => readonly StageRow[]>;

/**
 * The control table of a step, [rows, columns] row-major: asks every pass and checks its answer.
 *
 * @throws SlothfulError `bad-input` where a pass does not give one valid row a site
 */
export function controlTable(state: ControlState, facts: ControlStep, hooks?: PassHooks): Float32Array {
  const { record, passes } = state;
  const table = defaultTable(state);
  for (const pass of passes) {
    const { definition, stage, sites } = pass;
    if (!stage) continue;
    const first = record.columns.findIndex((column) => column.startsWith(`${stage.name}.`));
    const hook = hooks?.get(definition.name);
    const step = stepOf(state, pass, facts);
    const given: unknown = hook ? callHook(hook, step) : rowsAt(definition, step);
    const from = hook ? 'hook' : `rows of the pass "${definition.name}"`;
    checkRows(given, sites.length, from);
    given.forEach((row, index) => {
      const site = sites[index];
      if (site) table.set(checkRow(row, stage, from), record.sites.indexOf(site) * record.columns.length + first);
    });
  }
  return table;
}

/**
 * What the passes feed to inputs of their own at a step: asks every pass that has any, and checks its answer.
 *
 * @returns values by input, row-major; inputs that are not among them keep their defaults
 * @throws SlothfulError `bad-input` where a pass gives what is not for its inputs
 */
export function feedsOfPasses(state: ControlState, facts: ControlStep): Map<PassInput, Float32Array<ArrayBuffer>> {
  const feeds = state.passes.flatMap((pass) => {
    const { definition, inputs, result } = pass;
    const given: unknown = definition.feeds?.(stepOf(state, pass, facts), result);
    return [...checkFeeds(given, inputs, `feeds of the pass "${definition.name}"`)];
  });
  return new Map(feeds);
}

/**
 * What the passes keep of the model in a run, at one of its evaluations.
 *
 * @param evaluation of the run, from 0
 * @throws SlothfulError `bad-parameter` for parameters that the model cannot have
 */
export function keptByPasses(state: ControlState, evaluation: number): KeptTensor[] {
  return state.passes.flatMap(({ definition, parameters, result }) => {
    const kept = definition.keeps?.(evaluation, parameters, result);
    return kept ? [kept] : [];
  });
}

/**
 * By how much the run is steered away from the part of the batch that a pass perturbs, at a timestep; undefined where none
 * asks for such a part.
 */
export function steeringOf({ passes }: ControlState, timestep: number): number | undefined {
  const scales = passes.map(({ definition, parameters }) => definition.steers?.(timestep, parameters));
  return scales.find((scale) => scale !== undefined);
}

function stepOf({ record }: ControlState, { sites, parameters }: AppliedPass, facts: ControlStep) {
  return { ...facts, sites, top: record.top ?? 1, deep: record.deep ?? 1, parameters };
}

function callHook(hook: (step: PassStep<never>) => readonly StageRow[], step: PassStep<unknown>): unknown {
  return Reflect.apply(hook, undefined, [step]);
}

function defaultTable({ record: { columns }, rows }: ControlState): Float32Array {
  const stages = [...new Set(columns.map((column) => column.split('.')[0] ?? ''))];
  const row = stages.flatMap((name) => offRow(expectPass(name, 'control table').stage ?? { columns: [] }));
  return Float32Array.from({ length: rows * columns.length }, (_, index) => row[index % columns.length] ?? 0);
}

function checkRows(rows: unknown, sites: number, place: string): asserts rows is readonly unknown[] {
  if (Array.isArray(rows) && rows.length === sites) return;
  const got = Array.isArray(rows) ? `${rows.length} rows` : `no rows but ${typeof rows}`;
  const cure = 'return one row a site';
  throw new SlothfulError('bad-input', place, `returned ${got} for ${sites} sites`, cure);
}

function checkRow(row: unknown, { columns }: AttentionStage, place: string): StageRow & ArrayLike<number> {
  const isRow = Array.isArray(row) || row instanceof Float32Array || row instanceof Float64Array;
  if (isRow && row.length === columns.length && [...row].every((value) => Number.isFinite(value))) return row;
  const names = columns.map((column) => column.name).join(', ');
  const problem = 'returned something that is not a row';
  throw new SlothfulError('bad-input', place, problem, `give ${columns.length} finite numbers: ${names}`);
}
