import * as assert from 'uvu/assert';
import { type ErrorCode, SlothfulError } from '../../src/errors.ts';

/** Runs `action`, which must fail with a SlothfulError of this code whose one-line message matches. */
export async function failsWith(code: ErrorCode, message: RegExp, action: () => unknown): Promise<void> {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  assert.instance(thrown, SlothfulError, `expected a SlothfulError, got ${String(thrown)}`);
  if (!(thrown instanceof SlothfulError)) return;
  assert.is(thrown.code, code, thrown.message);
  assert.match(thrown.message, message, `${message} does not match: ${thrown.message}`);
  assert.not.match(thrown.message, /\n/);
}
