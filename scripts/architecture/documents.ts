/** What is generated: two pictures, and the parts of docs/architecture.md and README.md that tell the rooms. */
import { readFileSync } from 'node:fs';
import { roomsPicture, wayPicture } from './pictures.ts';
import { ENTRY, folderOf, ROOMS, roomEdges } from './rooms.ts';

const ROOT = new URL('../../', import.meta.url);

/** Every generated file as it has to be: its path from the checkout's root, and its text. */
export function architectureFiles(): Map<string, string> {
  return new Map([
    ['docs/figures/rooms.svg', roomsPicture()],
    ['docs/figures/way.svg', wayPicture()],
    ['docs/architecture.md', withPart('docs/architecture.md', roomTable())],
    ['README.md', withPart('README.md', roomList())],
  ]);
}

const START = '<!-- npm run architecture -->\n';
const END = '<!-- end -->\n';

/** A document with its generated part, which lies between two comments, in its place. */
function withPart(path: string, part: string): string {
  const text = readFileSync(new URL(path, ROOT), 'utf8').replaceAll('\r\n', '\n');
  const [before, rest = ''] = text.split(START);
  const after = rest.slice(rest.indexOf(END));
  if (!after.startsWith(END)) throw new Error(`${path} has no generated part between its comments`);
  return `${before}${START}${part}${after}`;
}

/** One line a room. */
function roomList(): string {
  const folders = ROOMS.map(({ name, about }) => ({ folder: `${folderOf(name)}/`, about }));
  const width = Math.max(...folders.map(({ folder }) => folder.length)) + 1;
  return `\`\`\`\n${folders.map(({ folder, about }) => `${folder.padEnd(width)}${about}`).join('\n')}\n\`\`\`\n`;
}

/** Which rooms each room imports. */
function roomTable(): string {
  const rows = [...roomEdges()].map(([room, others]) => {
    const name = room === ENTRY ? '`src/index.ts`, `src/node.ts`' : `\`${folderOf(room)}\``;
    return `| ${name} | ${others.join(', ') || 'none'} |`;
  });
  return `| room | imports |\n|---|---|\n${rows.join('\n')}\n`;
}
