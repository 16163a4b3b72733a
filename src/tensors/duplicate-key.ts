/** The index just past the string that starts at `start` (at its opening quote). The text is valid JSON. */
function skipString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Whether the token after a string is a colon, that is, whether the string was a key. */
function isKey(text: string, end: number): boolean {
  let at = end;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at] === ':';
}

/**
 * Finds a key that is twice in one object, which `JSON.parse` silently takes the last of: two readers of one file could
 * then see two different models.
 *
 * @param text valid JSON of any depth
 * @returns the first such key, or undefined
 */
export function duplicateKey(text: string): string | undefined {
  const scopes: Set<string>[] = [];
  for (let at = 0; at < text.length; ) {
    const char = text[at];
    if (char === '"') {
      const end = skipString(text, at);
      if (isKey(text, end)) {
        const key: unknown = JSON.parse(text.slice(at, end));
        const scope = scopes.at(-1);
        if (typeof key === 'string' && scope?.has(key)) return key;
        if (typeof key === 'string') scope?.add(key);
      }
      at = end;
      continue;
    }
    if (char === '{') scopes.push(new Set());
    else if (char === '}') scopes.pop();
    at++;
  }
  return undefined;
}
