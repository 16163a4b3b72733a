import {
  DEFAULT_PARAMETERS,
  parametersFromJson,
  type SlothfulParameters,
  simpleParameters,
} from '../../passes/slothful/index.ts';
import type { Axis } from '../../pipeline/index.ts';
import { readJson } from '../flags/parameter-flags.ts';

/**
 * What the values of an axis of presets stand for: `off`, the defaults of either node, or the parameters in a file (a
 * ComfyUI workflow will do). Undefined: without Slothful Attention.
 *
 * @throws SlothfulError `io`, `bad-input`, `bad-parameter`
 */
export async function readPresets(
  axes: ReadonlyArray<Axis | undefined>,
): Promise<Map<string, SlothfulParameters | undefined>> {
  const presets = new Map<string, SlothfulParameters | undefined>();
  const values = axes.flatMap((axis) => axis?.values ?? []);
  for (const { change } of values)
    if (change.preset !== undefined) presets.set(change.preset, await read(change.preset));
  return presets;
}

async function read(preset: string): Promise<SlothfulParameters | undefined> {
  if (preset === 'off') return undefined;
  if (preset === 'full') return DEFAULT_PARAMETERS;
  if (preset === 'simple') return simpleParameters({}, 'preset simple');
  return parametersFromJson(await readJson(preset), preset);
}
