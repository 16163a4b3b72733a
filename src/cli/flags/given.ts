/** The fields that have a value: what a user gave, of all that can be given. */
export function givenOf<T extends object>(fields: T): Partial<T> {
  const given: Partial<T> = { ...fields };
  for (const key in given) if (given[key] === undefined) delete given[key];
  return given;
}
