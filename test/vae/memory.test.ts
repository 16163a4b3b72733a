import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PlannedGraph } from '../../converters/nn/index.ts';
import { buildTaesd } from '../../converters/taesd/index.ts';
import { buildVaeDecoder, buildVaeEncoder } from '../../converters/vae/index.ts';
import type { Graph } from '../../src/graph/index.ts';
import { chooseTiling, decodeBytes, type Tiling } from '../../src/vae/index.ts';
import { heldBytes } from '../../src/vae/memory.ts';
import { failsWith } from '../support/errors.ts';
import { eachBackend } from './support.ts';

const test = suite('memory of decoding');

/** The document of a model as it is converted, without the bytes of its weights. */
function documentOf(kind: string, { graph, weights }: PlannedGraph): Graph {
  const specs = weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const }));
  graph.setWeightGroups([{ paths: [], weights: specs }]);
  const vae = { scaling_factor: 1, latent_channels: 4, image_channels: 3, downscale: 8 };
  graph.setMetadata({ kind, vae });
  return graph;
}

const USUAL = {
  ...{ widths: [128, 256, 512, 512], layers: 2, groups: 32, latentChannels: 4, imageChannels: 3 },
  ...{ quantConv: true, postQuantConv: true, scalingFactor: 0.18215, sampleSize: 512 },
};
const DECODER = documentOf('vae_decoder', buildVaeDecoder(USUAL, 'test'));
const ENCODER = documentOf('vae_encoder', buildVaeEncoder(USUAL, 'test'));
const TINY = { width: 64, latentChannels: 4, imageChannels: 3 };
const TAESD = documentOf('taesd_decoder', buildTaesd('decoder', TINY, 'test'));

const square = (edge: number) => ({ rows: edge, columns: edge });
const KIB = 2 ** 10;
const GIB = 2 ** 30;

/** What is held at the widest place, by hand: maps of 4 bytes a value, or twice the logits of the attention. */
const HELD: ReadonlyArray<readonly [what: string, Graph, edge: number, bytes: number]> = [
  ['3.5 maps of 256 channels', DECODER, 8, 3.5 * KIB * 64 ** 2],
  ['3.5 maps of 256 channels', DECODER, 128, 3.5 * KIB * 1024 ** 2],
  ['4 maps of 128 channels', ENCODER, 64, 2 * KIB * 512 ** 2],
  ['3 maps of 64 channels', TAESD, 64, 0.75 * KIB * 512 ** 2],
];

for (const [what, graph, edge, bytes] of HELD) {
  test(`${graph.metadata.kind} of ${edge}x${edge} latents holds ${what}`, () => {
    const held = heldBytes(graph, square(edge));
    // Beside the maps there are the moments of a norm.
    assert.ok(held >= bytes && held < 1.001 * bytes, `${held} bytes in the place of ${bytes}`);
  });
}

test('the attention overtakes: its logits are the square of the latents', () => {
  const logits = 4 * (192 * 192) ** 2;
  const held = heldBytes(DECODER, square(192));
  assert.ok(held > 2 * logits && held < 2.2 * logits, `${held / logits} times the logits`);
});

test('what is estimated is more than what is held, and grows with the pixels', () => {
  const estimate = (rows: number, columns: number) => decodeBytes(DECODER, { rows, columns });
  assert.ok(estimate(64, 64) > heldBytes(DECODER, square(64)));
  assert.is(estimate(32, 128), estimate(128, 32));
  const step = estimate(64, 96) - estimate(64, 64);
  assert.ok(Math.abs(estimate(64, 128) - estimate(64, 96) - step) < 1);
});

test('TF.js holds as much where it runs, on every backend', async () => {
  for (const name of ['sd15', 'taesd'] as const) {
    await eachBackend(name, 'decoder', async (decoder, backend) => {
      const before = tf.memory().numBytes;
      const { peakBytes } = await tf.profile(() =>
        tf.tidy(() => void decoder.execute({ latent: tf.zeros([1, 9, 7, 4]) })),
      );
      const held = peakBytes - before;
      const told = heldBytes(decoder.graph, { rows: 9, columns: 7 });
      assert.ok(Math.abs(told / held - 1) < 0.03, `${name} on ${backend}: ${held} bytes, and ${told} were told`);
    });
  }
});

const CHOSEN: ReadonlyArray<readonly [Graph, rows: number, columns: number, gib: number, tile: number | undefined]> = [
  [DECODER, 64, 64, 2, undefined],
  [DECODER, 64, 64, 1, 40],
  [DECODER, 64, 96, 2, 88],
  [DECODER, 128, 128, 6, undefined],
  [DECODER, 128, 128, 4, 112],
  [DECODER, 128, 128, 2, 72],
  [DECODER, 128, 128, 1, 40],
  [DECODER, 128, 128, 0.25, 32],
  [DECODER, 128, 128, 0, 32],
  [DECODER, 32, 32, 0, undefined],
  [DECODER, 8, 33, 0, 32],
  [DECODER, 32, 256, 2, 176],
  [ENCODER, 128, 128, 2, 96],
  [TAESD, 128, 128, 2, undefined],
];

for (const [graph, rows, columns, gib, tile] of CHOSEN) {
  test(`${graph.metadata.kind}, ${rows}x${columns} latents in ${gib} GiB: ${tile ? `tiles of ${tile}` : 'whole'}`, () => {
    const expected: Tiling | undefined = tile === undefined ? undefined : { tile, overlap: 0.25 };
    assert.equal(chooseTiling(graph, { rows, columns }, gib * GIB), expected);
  });
}

test('no other model is estimated', async () => {
  const other = documentOf('text_encoder', buildTaesd('decoder', TINY, 'test'));
  await failsWith('bad-input', /is a text_encoder, and a VAE's decoder is needed/, () => decodeBytes(other, square(8)));
});

test.run();
