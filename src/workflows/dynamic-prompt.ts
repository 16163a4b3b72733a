/** Blocks in one another that are looked into; people write two or three. */
const DEEPEST = 100;

/** A prompt as the page sends it. */
export interface SentPrompt {
  readonly text: string;
  /** Whether chance had a part in it: of each `{a|b}` the first was taken. */
  readonly isDrawn: boolean;
}

/**
 * What ComfyUI's page makes of a prompt before it sends it, in the widgets that are declared with `dynamicPrompts`: comments
 * are taken out, one of `{a|b}` is drawn, and `\{`, `\}` and `\|` stand for the letters themselves.
 *
 * Source: ComfyUI_frontend, formatUtil.ts, `processDynamicPrompt`.
 */
export function sentPrompt(written: string, depth = 0): SentPrompt {
  if (depth > DEEPEST) return { text: written, isDrawn: true };
  const text = withoutComments(written);
  let sent = '';
  let isDrawn = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') {
      // Behind a backslash at the end it writes what JavaScript does.
      sent += `\\${text[++at]}`;
    } else if (text[at] === '{') {
      const { options, end } = optionsAt(text, at + 1);
      const chosen = sentPrompt(options[0] ?? '', depth + 1);
      isDrawn ||= options.length > 1 || chosen.isDrawn;
      sent += chosen.text;
      at = end;
    } else sent += text[at];
  }
  return { text: sent.replace(/\\([{}|])/g, '$1'), isDrawn };
}

/** What stands between the bars of a block, and where it ends; one that is not closed goes on to the end of the text. */
function optionsAt(text: string, start: number): { readonly options: readonly string[]; readonly end: number } {
  const options: string[] = [];
  let option = '';
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const letter = text[at];
    if (letter === '\\') {
      option += `\\${text[++at]}`;
      continue;
    }
    if (letter === '}' && depth === 0) return { options: [...options, option], end: at };
    if (letter === '{') depth++;
    if (letter === '}') depth--;
    if (letter === '|' && depth === 0) {
      options.push(option);
      option = '';
    } else option += letter;
  }
  return { options: [...options, option], end: text.length };
}

/** As of C: behind two slashes to the end of the line, and between those with stars. A pattern would take long for many open ones. */
function withoutComments(text: string): string {
  const lastClosed = text.lastIndexOf('*/');
  const start = /\/[/*]/g;
  let kept = '';
  let at = 0;
  for (let found = start.exec(text); found; found = start.exec(text)) {
    const { index } = found;
    const isBlock = found[0] === '/*';
    if (isBlock && index + 2 > lastClosed) {
      start.lastIndex = index + 1;
      continue;
    }
    kept += text.slice(at, index);
    at = isBlock ? text.indexOf('*/', index + 2) + 2 : index + (/^.*/.exec(text.slice(index))?.[0].length ?? 0);
    start.lastIndex = at;
  }
  return kept + text.slice(at);
}
