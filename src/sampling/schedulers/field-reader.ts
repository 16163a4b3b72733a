import { SlothfulError } from '../../errors.ts';

/** Reads the fields of a JSON object that came from outside; null counts as absent, as in diffusers' configs. */
export class FieldReader {
  readonly #fields: ReadonlyMap<string, unknown>;

  /** @throws SlothfulError `bad-parameter` where the value is no JSON object */
  constructor(
    value: unknown,
    readonly place: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new SlothfulError('bad-parameter', place, `expected an object, got ${show(value)}`);
    }
    this.#fields = new Map(Object.entries(value));
  }

  value(name: string): unknown {
    return this.#fields.get(name) ?? undefined;
  }

  has(name: string): boolean {
    return this.value(name) !== undefined;
  }

  /** A number from `min` to `max`; `fallback` where the field is absent. */
  number(name: string, min: number, max: number, fallback: number): number {
    const value = this.value(name) ?? fallback;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    // The least double stands for "above 0"; nobody wants to read it.
    const range = min === Number.MIN_VALUE ? `above 0, at most ${max}` : `from ${min} to ${max}`;
    throw this.#refuse(name, `a number ${range}`, value);
  }

  /** An integer from `min` to `max`; `fallback` where the field is absent. */
  integer(name: string, min: number, max: number, fallback: number): number {
    const value = this.value(name) ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw this.#refuse(name, `an integer from ${min} to ${max}`, value);
  }

  /** True or false; `fallback` where the field is absent. */
  boolean(name: string, fallback: boolean): boolean {
    const value = this.value(name) ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.#refuse(name, 'true or false', value);
  }

  /** One of `choices`; `fallback` where the field is absent. */
  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.value(name) ?? fallback;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw this.#refuse(name, `one of ${choices.join(', ')}`, value);
  }

  #refuse(name: string, expected: string, value: unknown): SlothfulError {
    return new SlothfulError('bad-parameter', this.place, `${name} must be ${expected}, got ${show(value)}`);
  }
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
}
