import type { JsonObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import {
  type AskedPasses,
  type PassParameters,
  parseParameters,
  passesInForce,
  type SlothfulOptions,
  type SlothfulParameters,
} from '../passes/index.ts';
import type { RunRequest } from '../pipeline/index.ts';
import { type Prompts, promptList } from '../text/index.ts';
import type { Axis, CellChange } from './axis.ts';

/** One combination of the values of the axes, ready to be run. */
export interface SweepCell {
  readonly column: number;
  readonly row: number;
  /** The values as they were written, by the names of the axes. */
  readonly values: Readonly<Record<string, string>>;
  readonly request: RunRequest;
  readonly prompt: string | undefined;
  /** Undefined: without Slothful Attention. */
  readonly parameters: SlothfulParameters | undefined;
  /** The other passes that act, with their parameters. */
  readonly passes: PassParameters;
}

/** What the axes change. */
export interface SweepBase {
  readonly request: RunRequest;
  readonly prompt: Prompts | undefined;
  /** The model's own parameters, or the node's. */
  readonly own: SlothfulOptions;
  /** What the command line asks for; goes over presets, and under the axes. */
  readonly changes: Readonly<Record<string, unknown>>;
  /** What each value of a preset axis stands for; undefined: no Slothful Attention. */
  readonly presets: ReadonlyMap<string, SlothfulParameters | undefined>;
  /** The model's, for the other passes that it has. */
  readonly metadata?: JsonObject | undefined;
  /** What the command line asks of other passes; under the axes. */
  readonly passes?: AskedPasses | undefined;
}

/**
 * Every combination of one or two axes, row by row.
 *
 * @param x across
 * @param y downwards
 * @throws SlothfulError `usage` for two axes of the same, `bad-parameter`
 */
export function sweepCells(x: Axis | undefined, y: Axis | undefined, base: SweepBase): SweepCell[] {
  if (!x && !y) throw new SlothfulError('usage', '--x', 'is missing', 'say what to go through: --x in_strength=0,3,6');
  if (x && y && x.name === y.name) throw new SlothfulError('usage', '--y', `goes through ${x.name} as --x does`);
  const rows = y?.values ?? [undefined];
  const columns = x?.values ?? [undefined];
  return rows.flatMap((below, row) =>
    columns.map((across, column) => {
      const values = {
        ...(x && across ? { [x.name]: across.text } : {}),
        ...(y && below ? { [y.name]: below.text } : {}),
      };
      return { column, row, values, ...combined([across?.change ?? {}, below?.change ?? {}], base) };
    }),
  );
}

function combined(changes: readonly CellChange[], base: SweepBase) {
  const request: RunRequest = Object.assign({ ...base.request }, ...changes.map((change) => change.request));
  const prompt = changes.reduce<string | undefined>(
    (found, change) => change.prompt ?? found,
    promptList(base.prompt)[0],
  );
  return { request, prompt, parameters: parametersOf(changes, base), passes: peersOf(changes, base) };
}

function parametersOf(changes: readonly CellChange[], base: SweepBase): SlothfulParameters | undefined {
  const preset = changes.find((change) => change.preset !== undefined)?.preset;
  const under = preset === undefined ? base.own : base.presets.get(preset);
  if (under === undefined) return undefined;
  const over = changes.map(({ parameters }) => parameters ?? {});
  return parseParameters(Object.assign({ ...under }, base.changes, ...over), 'parameters');
}

function peersOf(changes: readonly CellChange[], { metadata = {}, passes = {} }: SweepBase): PassParameters {
  const asked: Record<string, Readonly<Record<string, unknown>>> = { ...passes };
  for (const [name, values] of changes.flatMap((change) => Object.entries(change.passes ?? {}))) {
    asked[name] = { ...asked[name], ...values };
  }
  return passesInForce(metadata, asked);
}

/** What decides the plain run that a cell is compared with. */
export function plainKey({ request, prompt }: SweepCell): string {
  return JSON.stringify([request, prompt]);
}
