/** Why a piece of a graph is not what was looked for, and where. A value, not an exception: most softmaxes have one. */
export interface Problem {
  readonly problem: string;
  readonly node: string;
}

export function problem(node: string, text: string): Problem {
  return { problem: text, node };
}

export function isProblem(value: object | undefined): value is Problem {
  return value !== undefined && 'problem' in value;
}
