import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertPipeline } from '../../converters/index.ts';
import { type LoadedModel, loadModel } from '../../src/node.ts';
import { decodeLatents, encodeImage } from '../../src/vae/index.ts';
import { fixturePath } from '../support/fixtures.ts';
import { testedBackend } from '../support/golden-suite.ts';
import { checkAgainst, goldenTensor, type PipelineName, pipelineFolder } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { goldenImage, goldenValues } from '../vae/support.ts';

const backend = testedBackend();
const test = suite(`text encoders, VAEs and TAESD on ${backend}`);

const folder = temporaryFolder();

test.before(async () => {
  await convertPipeline(pipelineFolder('sd15'), join(folder, 'sd15'), { taesd: fixturePath('pipeline/taesd') });
  await convertPipeline(pipelineFolder('sdxl'), join(folder, 'sdxl'));
});

/** A text encoder's outputs by the names of the goldens. */
const ENCODERS: ReadonlyArray<readonly [PipelineName, string, Readonly<Record<string, string>>]> = [
  ['sd15', 'text_encoder', { penultimate_norm: 'normed_states_3', last: 'normed_states_4', pooled: 'pooled' }],
  ['sdxl', 'text_encoder', { penultimate: 'hidden_states_2', last: 'normed_states_3', pooled: 'pooled' }],
  ['sdxl', 'text_encoder_2', { penultimate: 'hidden_states_3', last: 'normed_states_4', text_embeds: 'text_embeds' }],
];

for (const [name, part, outputs] of ENCODERS) {
  test(`${name} ${part}`, async () => {
    const model = await loadModel(join(folder, name, part), { backend });
    tf.tidy(() => {
      const results = model.execute({ input_ids: goldenTensor('text', `${name}.${part}.ids`) }, Object.values(outputs));
      for (const [golden, output] of Object.entries(outputs)) {
        const result = results[output];
        assert.ok(result, output);
        if (result) checkAgainst(result, 'text', `${name}.${part}.${golden}`);
      }
    });
    model.dispose();
  });
}

/** A decoder's or an encoder's cases by the name of the golden; of tiles their edge and their overlap. */
type Case = readonly [name: string, tile?: number, overlap?: number];

const DECODED: ReadonlyArray<readonly [PipelineName, string, string, readonly Case[]]> = [
  [
    'sd15',
    'vae_decoder',
    'vae',
    [
      ['sd15.decode.8x8'],
      ['sd15.decode.13x9'],
      ['sd15.decode.1x1'],
      ['sd15.decode.5x12'],
      ['sd15.tiled_decode.12x19', 8, 0.25],
      ['sd15.tiled_decode.9x17', 8, 0.25],
    ],
  ],
  ['sdxl', 'vae_decoder', 'vae', [['sdxl.decode.8x8'], ['sdxl.decode.13x9'], ['sdxl.tiled_decode.10x13', 6, 0.5]]],
  ['sd15', 'taesd_decoder', 'taesd', [['taesd.decode.8x8'], ['taesd.decode.5x7']]],
];

const ENCODED: ReadonlyArray<readonly [PipelineName, readonly Case[]]> = [
  [
    'sd15',
    [['sd15.encode.64x64'], ['sd15.encode.72x104'], ['sd15.encode.50x37'], ['sd15.tiled_encode.96x136', 8, 0.25]],
  ],
  ['sdxl', [['sdxl.encode.56x80']]],
];

function check({ shape, data }: { shape: readonly number[]; data: Float32Array }, section: string, name: string): void {
  tf.tidy(() => checkAgainst(tf.tensor(data, [...shape]), section, name));
}

async function withPart(name: PipelineName, part: string, use: (model: LoadedModel) => Promise<void>): Promise<void> {
  const model = await loadModel(join(folder, name, part), { backend });
  await use(model);
  model.dispose();
}

for (const [name, part, section, cases] of DECODED) {
  test(`${name} ${part}`, () =>
    withPart(name, part, async (model) => {
      for (const [golden, tile, overlap] of cases) {
        const tiling = tile === undefined ? undefined : { tile, overlap };
        const image = await decodeLatents(model, goldenValues(section, `${golden}.latent`), { tiling });
        check(image, section, `${golden}.sample`);
      }
    }));
}

for (const [name, cases] of ENCODED) {
  test(`${name} vae_encoder`, () =>
    withPart(name, 'vae_encoder', async (model) => {
      for (const [golden, tile, overlap] of cases) {
        const image = goldenImage('vae', `${golden}.image`);
        const tiling = tile === undefined ? undefined : { tile, overlap };
        const { mean, logvar } = await encodeImage(model, image, { tiling });
        check(mean, 'vae', `${golden}.mean`);
        check(logvar, 'vae', `${golden}.logvar`);
      }
    }));
}

test.run();
