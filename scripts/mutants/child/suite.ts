/** Stands for uvu's `suite` in the compiled copy: run.ts there runs the tests, and stops at the first that fails. */

type Handler = (context: object) => unknown;

interface Plan {
  readonly name: string;
  readonly tests: { readonly name: string; readonly handler: Handler }[];
  readonly before: Handler[];
  readonly after: Handler[];
  readonly beforeEach: Handler[];
  readonly afterEach: Handler[];
}

const asked: Plan[] = [];

/** The suites whose `run` was called since this was called last. */
export function takeSuites(): Plan[] {
  return asked.splice(0);
}

/** What the project's tests use of uvu: tests, and what goes before and after. */
export function suite(name: string) {
  const plan: Plan = { name, tests: [], before: [], after: [], beforeEach: [], afterEach: [] };
  const before = Object.assign((handler: Handler) => void plan.before.push(handler), {
    each: (handler: Handler) => void plan.beforeEach.push(handler),
  });
  const after = Object.assign((handler: Handler) => void plan.after.push(handler), {
    each: (handler: Handler) => void plan.afterEach.push(handler),
  });
  const put = (title: string, handler: Handler) => void plan.tests.push({ name: title, handler });
  return Object.assign(put, { before, after, run: () => void asked.push(plan) });
}
