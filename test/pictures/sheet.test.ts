import { PNG } from 'pngjs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { contactSheet, enlarge, latentPreviews } from '../../src/pictures/index.ts';
import { encodePng, pngAddress } from '../../src/pictures/node.ts';
import { drawText, textHeight, textWidth, wrapText } from '../../src/pictures/text.ts';
import type { Picture } from '../../src/sampling/index.ts';

const test = suite('pictures');

function plain(width: number, height: number, colour: readonly number[] = [255, 255, 255, 255]): Picture {
  const rgba = Uint8ClampedArray.from({ length: width * height * 4 }, (_, index) => colour[index % 4] ?? 0);
  return { width, height, rgba };
}

/** A picture as text, its dark pixels as #. */
function shown({ width, height, rgba }: Picture): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => ((rgba[(y * width + x) * 4] ?? 0) < 128 ? '#' : '.')).join(''),
  );
}

test('text is drawn by the font', () => {
  const target = plain(11, 8);
  drawText(target, ['Ag'], { left: 0, top: 0, scale: 1 });
  assert.equal(shown(target), [
    '..#........',
    '.#.#.......',
    '#...#..###.',
    '#...#.#..##',
    '#####.#..##',
    '#...#..##.#',
    '#...#.....#',
    '.......###.',
  ]);
});

test('text is scaled, centred and cut at the edges', () => {
  const target = plain(14, 6);
  drawText(target, ['.'], { left: 0, top: -8, scale: 2, width: 14 });
  assert.equal(shown(target), [
    '..............',
    '..............',
    '......####....',
    '......####....',
    '......####....',
    '......####....',
  ]);
});

test('a letter that the font lacks is a box', () => {
  const target = plain(5, 8);
  drawText(target, ['é'], { left: 0, top: 0, scale: 1 });
  assert.equal(shown(target).slice(0, 2), ['#####', '#...#']);
});

const WRAPPED: readonly (readonly [text: string, letters: number, lines: string[]])[] = [
  ['red apple', 9, ['red apple']],
  ['red apple', 8, ['red', 'apple']],
  ['in_strength', 6, ['in_', 'streng', 'th']],
  ['a b c', 1, ['a', 'b', 'c']],
  ['', 5, []],
];
for (const [text, letters, lines] of WRAPPED) {
  test(`"${text}" in lines of ${letters}`, () => {
    const width = letters * 6 - 1;
    assert.equal(wrapText(text, width, 1), lines);
    for (const line of lines) assert.ok(textWidth(line, 1) <= width);
  });
}

test('lines have a height', () => {
  assert.equal([textHeight([], 2), textHeight(['a'], 2), textHeight(['a', 'b'], 2)], [0, 16, 36]);
});

test('a sheet has a place for every picture, and labels beside them', () => {
  const red = plain(4, 2, [255, 0, 0, 255]);
  const rows = [{ label: 'one', pictures: [red, undefined] }, { pictures: [red] }];
  const made = contactSheet({ columns: ['x', 'y'], rows }, 40);
  // Enlarged 10 times: 40 x 20; the label is 3 letters, 34 wide; one line of titles, 16 high.
  assert.equal([made.width, made.height], [16 + 34 + 2 * 48, 8 + 16 + 8 + 2 * 28]);
  const at = (x: number, y: number) => [...made.rgba.subarray((y * made.width + x) * 4, (y * made.width + x) * 4 + 4)];
  assert.equal(at(16 + 34, 32), [255, 0, 0, 255]);
  assert.equal(at(16 + 34 + 39, 32 + 19), [255, 0, 0, 255]);
  assert.equal(at(16 + 34 + 40, 32 + 19), [255, 255, 255, 255]);
  assert.equal(at(16 + 34 + 48, 32), [255, 255, 255, 255]);
  assert.equal(at(16 + 34, 32 + 28), [255, 0, 0, 255]);
});

test('a title makes room for itself, and one picture alone needs none', () => {
  const rows = [{ pictures: [plain(100, 100)] }];
  const bare = contactSheet({ rows }, 100);
  assert.equal([bare.width, bare.height], [116, 116]);
  const titled = contactSheet({ title: 'a title that is long', rows }, 100);
  assert.equal([titled.width, titled.height], [116, 116 + textHeight(['', '', ''], 2) + 16]);
});

test('pixels are blown up', () => {
  const large = enlarge(plain(1, 2, [1, 2, 3, 255]), 3);
  assert.equal([large.width, large.height, large.rgba[20]], [3, 6, 1]);
});

test('PNG files can be read again, with their alpha only where there is one', () => {
  for (const [alpha, type] of [
    [255, 2],
    [40, 6],
  ] as const) {
    const bytes = Buffer.from(encodePng(plain(3, 2, [10, 20, 30, alpha])));
    const read = PNG.sync.read(bytes);
    assert.equal([read.width, read.height], [3, 2]);
    assert.equal([...read.data.subarray(0, 4)], [10, 20, 30, alpha]);
    assert.is(bytes[25], type);
  }
  assert.match(pngAddress(plain(1, 1)), /^data:image\/png;base64,iVBORw0KGgo/);
});

test('latents are shown as about what they will be', () => {
  const latents = Float32Array.from([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -3]);
  const [sd, ...more] = latentPreviews(latents, 2, 2, 'sd15');
  assert.is(more.length, 0);
  assert.equal([...(sd?.rgba ?? [])], [128, 128, 128, 255, 165, 154, 154, 255, 128, 128, 128, 255, 198, 231, 255, 255]);
  const [xl] = latentPreviews(latents.subarray(0, 8), 1, 2, 'sdxl');
  assert.equal([...(xl?.rgba ?? [])], [150, 140, 130, 255, 210, 200, 190, 255]);
});

test.run();
