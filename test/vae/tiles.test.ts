import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Values } from '../../src/sampling/index.ts';
import { cutTile, type Edge, planTiles, TileJoiner, type Tiling } from '../../src/vae/tiles.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('tiles');

/** A plan in short: `start+size` of every stretch. */
function described(rows: Edge, columns: Edge, tiling?: Tiling) {
  const plan = planTiles(rows, columns, 8, tiling);
  const list = (spans: typeof plan.rows, space: 'latent' | 'pixels') =>
    spans.map((span) => `${span[space].start}+${span[space].size}`).join(' ');
  return {
    blend: plan.blend,
    rows: list(plan.rows, 'latent'),
    columns: list(plan.columns, 'latent'),
    pixels: list(plan.columns, 'pixels'),
  };
}

const whole = (latent: number): Edge => ({ latent, pixels: 8 * latent });

type Planned = ReturnType<typeof described>;

const PLANS: ReadonlyArray<readonly [what: string, rows: Edge, columns: Edge, Tiling | undefined, Planned]> = [
  ['no tiling', whole(12), whole(19), undefined, { blend: 0, rows: '0+12', columns: '0+19', pixels: '0+152' }],
  ['just a tile', whole(8), whole(8), { tile: 8 }, { blend: 2, rows: '0+8', columns: '0+8', pixels: '0+64' }],
  ['less than a tile', whole(3), whole(7), { tile: 8 }, { blend: 2, rows: '0+3', columns: '0+7', pixels: '0+56' }],
  [
    'one edge above a tile, which cuts the other too, as diffusers does',
    whole(8),
    whole(9),
    { tile: 8 },
    { blend: 2, rows: '0+8 6+2', columns: '0+8 6+3', pixels: '0+64 48+24' },
  ],
  [
    'a tiny last tile',
    whole(13),
    whole(19),
    { tile: 8, overlap: 0.25 },
    { blend: 2, rows: '0+8 6+7 12+1', columns: '0+8 6+8 12+7 18+1', pixels: '0+64 48+64 96+56 144+8' },
  ],
  [
    'half a tile in common',
    whole(6),
    whole(13),
    { tile: 6, overlap: 0.5 },
    { blend: 3, rows: '0+6 3+3', columns: '0+6 3+6 6+6 9+4 12+1', pixels: '0+48 24+48 48+48 72+32 96+8' },
  ],
  [
    'nothing in common',
    whole(4),
    whole(9),
    { tile: 4, overlap: 0 },
    { blend: 0, rows: '0+4', columns: '0+4 4+4 8+1', pixels: '0+32 32+32 64+8' },
  ],
  [
    'a share that is no exact number',
    whole(10),
    whole(11),
    { tile: 10, overlap: 0.9 },
    {
      ...{ blend: 9, rows: '0+10 1+9 2+8 3+7 4+6 5+5 6+4 7+3 8+2 9+1' },
      columns: '0+10 1+10 2+9 3+8 4+7 5+6 6+5 7+4 8+3 9+2 10+1',
      pixels: '0+80 8+80 16+72 24+64 32+56 40+48 48+40 56+32 64+24 72+16 80+8',
    },
  ],
  [
    'pixels that are no whole latents: none of its own for what is left over',
    { latent: 6, pixels: 50 },
    { latent: 12, pixels: 100 },
    { tile: 8 },
    { blend: 2, rows: '0+6', columns: '0+8 6+6', pixels: '0+64 48+52' },
  ],
];

for (const [what, rows, columns, tiling, expected] of PLANS) {
  test(`plan: ${what}`, () => assert.equal(described(rows, columns, tiling), expected));
}

for (const tiling of [
  { tile: 0 },
  { tile: -8 },
  { tile: 2.5, overlap: 0.4 },
  { tile: Number.NaN },
  { tile: Number.POSITIVE_INFINITY },
  { tile: 10, overlap: 0.25 },
  { tile: 8, overlap: 1 },
  { tile: 8, overlap: -0.25 },
  { tile: 8, overlap: Number.NaN },
]) {
  test(`refuses tiles of ${tiling.tile} with an overlap of ${tiling.overlap}`, () =>
    failsWith('bad-parameter', /^tiling: tiles of .* latent pixels with an overlap of/, () =>
      planTiles(whole(20), whole(20), 8, tiling),
    ));
}

/** One row of pixels of one channel. */
function row(...values: number[]): Values {
  return { shape: [1, 1, values.length, 1], data: Float32Array.from(values) };
}

function column(...values: number[]): Values {
  return { shape: [1, values.length, 1, 1], data: Float32Array.from(values) };
}

test('what neighbours have in common goes from the one to the other, beginning with the first alone', () => {
  const target = row(0, 0, 0, 0, 0, 0, 0, 0, 0);
  const joiner = new TileJoiner(target, 4);
  joiner.add(row(0, 0, 0, 0, 0, 0), 0, 0, 0);
  joiner.add(row(8, 8, 8, 8, 8, 8), 1, 0, 2);
  assert.equal([...target.data.slice(0, 8)], [0, 0, 0, 2, 4, 6, 8, 8]);
  // A tile that is shorter than what is in common is mixed over all its length, with the last pixels of its neighbour.
  joiner.add(row(0, 0), 2, 0, 6);
  assert.equal([...target.data.slice(5, 8)], [6, 8, 4]);
});

test('rows are mixed before columns, and with tiles that were mixed themselves', () => {
  const target = { shape: [1, 3, 3, 1], data: new Float32Array(9) };
  const joiner = new TileJoiner(target, 1);
  const square = (value: number): Values => ({ shape: [1, 2, 2, 1], data: new Float32Array(4).fill(value) });
  joiner.add(square(1), 0, 0, 0);
  joiner.add(square(2), 1, 0, 1);
  joiner.add(square(3), 0, 1, 0);
  joiner.add(square(4), 1, 1, 1);
  // One pixel in common is the first neighbour's alone.
  assert.equal([...target.data], [1, 1, 2, 1, 1, 2, 3, 3, 4]);
});

test('no more than a row of tiles is looked back at: a column goes on below', () => {
  const target = column(0, 0, 0, 0, 0, 0);
  const joiner = new TileJoiner(target, 2);
  joiner.add(column(0, 0, 0, 0), 0, 0, 0);
  joiner.add(column(4, 4, 4, 4), 0, 2, 0);
  assert.equal([...target.data], [0, 0, 0, 2, 4, 4]);
});

test('a tile is cut out with all its channels, as a copy', () => {
  const image = { shape: [1, 2, 3, 2], data: Float32Array.from({ length: 12 }, (_, index) => index) };
  const tile = cutTile(image, { start: 1, size: 1 }, { start: 1, size: 2 });
  assert.equal(tile.shape, [1, 1, 2, 2]);
  assert.equal([...tile.data], [8, 9, 10, 11]);
  tile.data[0] = -1;
  assert.is(image.data[8], 8);
});

test.run();
