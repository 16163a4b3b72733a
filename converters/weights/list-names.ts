/** How many names a message lists before it only counts. */
const LISTED = 12;

/** Names for a message: the first of them, and how many there are more. */
export function listNames(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `${names.slice(0, LISTED).join(', ')}${more}`;
}
