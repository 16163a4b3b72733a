/**
 * The text of a file that others wrote: UTF-8, or what its mark of byte order says (Windows' shells write UTF-16), without
 * that mark. Bytes that are no text become U+FFFD.
 */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  return new TextDecoder(encoding).decode(bytes);
}
