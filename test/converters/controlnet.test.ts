import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-wasm';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkpointKind, convertCheckpoint, convertControlNet } from '../../converters/index.ts';
import { ldmNames } from '../../converters/unet/ldm-names.ts';
import { locate } from '../../src/attention/index.ts';
import { readModel } from '../../src/models/node.ts';
import { loadControlNet } from '../../src/node.ts';
import { controlNetInputs, slothful } from '../../src/passes/index.ts';
import { changedControlNet } from '../support/changed-controlnet.ts';
import { companion, companionInputs, companionTensor, goldenInput } from '../support/companion-goldens.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference } from '../support/numbers.ts';
import { serveFolder } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { floats, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('ControlNets');

const NETS = [
  { name: 'controlnet_sd15', family: 'sd15', residuals: 12, blocks: 4 },
  { name: 'controlnet_sdxl', family: 'sdxl', residuals: 9, blocks: 3 },
] as const;

/** The scale that is in the goldens' residuals. */
const SCALE = 0.7;

test.before(async () => {
  await tf.setBackend('wasm');
});

for (const { name, family, residuals } of NETS) {
  test(`${name}: loads with tf.loadGraphModel, and its residuals are those of diffusers`, async () => {
    const model = join(temporaryFolder(), 'model');
    const summary = await convertControlNet(companion(name), model);
    assert.is(summary.kind, 'controlnet');
    assert.is(summary.family, family);
    const server = await serveFolder(model, { range: true });
    const graphModel = await loadGraphModel(`${server.url}/model.json`);
    await server.close();
    const names = [...Array.from({ length: residuals }, (_, index) => `down_block_res_${index}`), 'mid_block_res'];
    const goldens = [...Array.from({ length: residuals }, (_, index) => `${name}.down.${index}`), `${name}.mid`];
    tf.tidy(() => {
      const { sample, ...rest } = companionInputs({ checkpoint: family, timestep: 601, params: null, out: '' });
      const nhwc = (tensor: tf.Tensor) => tf.transpose(tensor, [0, 2, 3, 1]);
      const feeds = {
        ...rest,
        timestep: tf.tensor1d([601]),
        sample: nhwc(sample),
        image: nhwc(goldenInput(`${name}.image`)),
      };
      const outputs = graphModel.execute(feeds, names);
      if (!Array.isArray(outputs)) throw new Error('several outputs are expected');
      outputs.forEach((output, index) => {
        const expected = companionTensor(goldens[index] ?? '');
        const actual = tf.transpose(tf.mul(output, SCALE), [0, 3, 1, 2]);
        assert.equal(actual.shape, expected.shape);
        const difference = largestDifference(actual.dataSync(), expected.data);
        assert.ok(difference <= 1e-4, `${goldens[index]} differs by ${difference}`);
      });
    });
    graphModel.dispose();
  });

  test(`${name}: its self-attentions have the names that they have in the UNet`, async () => {
    const folder = temporaryFolder();
    await convertControlNet(companion(name), join(folder, 'net'));
    await convertCheckpoint(unetGoldens(family).diffusers, join(folder, 'unet'));
    const [net, unet] = [await selfSites(join(folder, 'net')), await selfSites(join(folder, 'unet'))];
    assert.equal(
      net.sites,
      unet.sites.filter((site) => !site.startsWith('output.')),
    );
    assert.is(net.top, unet.top);
    assert.is(net.deep, unet.deep);
    await net.graph.transform(slothful());
    assert.is([...net.graph.nodes].filter(({ op }) => op === 'Softmax').length, 0);
  });
}

for (const { name, family, residuals } of NETS) {
  test(`${name}: patched itself, it gives the same where nothing pools, and another where something does`, async () => {
    const model = join(temporaryFolder(), 'model');
    await convertControlNet(companion(name), model);
    const net = await loadControlNet(model, { backend: 'wasm', slothful: true });
    tf.tidy(() => {
      const { sample, ...rest } = companionInputs({ checkpoint: family, timestep: 601, params: null, out: '' });
      const nhwc = (tensor: tf.Tensor) => tf.transpose(tensor, [0, 2, 3, 1]);
      const inputs = { ...rest, sample: nhwc(sample), image: nhwc(goldenInput(`${name}.image`)) };
      const runs = [net.predict(inputs, { scale: SCALE, sigma: 0 }), net.predict(inputs, { scale: SCALE })] as const;
      const [exact, pooled] = runs.map((run) => {
        assert.is(Object.keys(run).length, residuals + 1);
        const actual = tf.transpose(run[`down_block_res_${residuals - 1}`] ?? tf.zeros([1, 1, 1, 1]), [0, 3, 1, 2]);
        return largestDifference(actual.dataSync(), companionTensor(`${name}.down.${residuals - 1}`).data);
      });
      assert.ok(exact !== undefined && exact <= 1e-4, `differs by ${exact}`);
      assert.ok(pooled !== undefined && pooled > 1e-4 && Number.isFinite(pooled), `differs by ${pooled}`);
    });
    net.dispose();
  });
}

async function selfSites(model: string) {
  const { graph, ...file } = await readModel(model).then(async (read) => {
    await read.loadConstants(read.graph);
    return read;
  });
  assert.ok(file);
  const { sites, top, deep } = locate(graph);
  const self = sites.filter(({ kind }) => kind === 'self');
  return { graph, top, deep, sites: self.map(({ id, scope, heads, level }) => `${id} ${scope} ${heads} ${level}`) };
}

/** The name that a single LDM file would have for a tensor of a ControlNet. */
function ldmName(name: string, blocks: number): string {
  const { toLdm } = ldmNames({ blocks, layers: 2, upAttention: [] });
  const hint = name.replace(
    /^controlnet_cond_embedding\.(?:(conv_in)|(conv_out)|blocks\.(\d+))\./,
    (_, first, last, block) => {
      return `input_hint_block.${first ? 0 : last ? 14 : 2 * Number(block) + 2}.`;
    },
  );
  if (hint !== name) return `control_model.${hint}`;
  const zero = name
    .replace(/^controlnet_down_blocks\.(\d+)\./, 'zero_convs.$1.0.')
    .replace(/^controlnet_mid_block\./, 'middle_block_out.0.');
  return `control_model.${zero === name ? toLdm(name) : zero}`;
}

for (const { name, blocks } of NETS) {
  test(`${name}: a single LDM file gives the same model, to the byte`, async () => {
    const folder = temporaryFolder();
    const weights = readTensors(readFileSync(companion(`${name}/diffusion_pytorch_model.safetensors`)));
    const single = join(folder, 'single.safetensors');
    writeTensors(single, new Map([...weights].map(([key, tensor]) => [ldmName(key, blocks), tensor])));
    const config: unknown = JSON.parse(readFileSync(companion(`${name}/config.json`), 'utf8'));
    assert.is(await checkpointKind(single), 'controlnet');
    await convertControlNet(companion(name), join(folder, 'a'));
    await convertControlNet(single, join(folder, 'b'), { config });
    for (const file of ['model.json', 'weights-00001.bin']) {
      assert.ok(readFileSync(join(folder, 'a', file)).equals(readFileSync(join(folder, 'b', file))), file);
    }
  });
}

test('without a config, tensors alone tell an SD1.x ControlNet', async () => {
  const folder = temporaryFolder();
  const source = join(folder, 'alone.safetensors');
  writeFileSync(source, readFileSync(companion('controlnet_sd15/diffusion_pytorch_model.safetensors')));
  await convertControlNet(source, join(folder, 'model'));
  const { userDefinedMetadata } = JSON.parse(readFileSync(join(folder, 'model', 'model.json'), 'utf8'));
  assert.equal(userDefinedMetadata.image, { input: 'image', channels: 3, downscale: 8 });
  assert.is(userDefinedMetadata.kind, 'controlnet');
  assert.equal(
    userDefinedMetadata.unet.down.map(({ width }: { width: number }) => width),
    [16, 32, 48, 48],
  );
});

test('tells UNets from ControlNets', async () => {
  assert.is(await checkpointKind(companion('controlnet_sdxl')), 'controlnet');
  assert.is(await checkpointKind(unetGoldens('sd15').diffusers), 'unet');
  assert.is(await checkpointKind(unetGoldens('sd15').ldm), 'unet');
  await failsWith('bad-checkpoint', /it looks like a LoRA/, () =>
    checkpointKind(companion('lora_sd15_peft.safetensors')),
  );
});

const one = floats([1], [1]);

const REFUSED: ReadonlyArray<
  readonly [
    what: string,
    code: 'unsupported' | 'bad-checkpoint',
    message: RegExp,
    source: () => string | Promise<string>,
  ]
> = [
  [
    'a UNet',
    'bad-checkpoint',
    /holds no ControlNet among its \d+ tensors; give a plain ControlNet of/,
    () => unetGoldens('ssd1b').diffusers,
  ],
  [
    'a LoRA',
    'bad-checkpoint',
    /holds no ControlNet among its 256 tensors: it looks like a LoRA/,
    () => companion('lora_sd15_peft.safetensors'),
  ],
  [
    'a ControlNet Union',
    'unsupported',
    /is a ControlNet Union/,
    () =>
      changedControlNet((tensors) => {
        tensors.set('task_embedding', one);
      }),
  ],
  [
    'a Control-LoRA',
    'unsupported',
    /is a Control-LoRA/,
    () =>
      changedControlNet((tensors) => {
        tensors.set('lora_controlnet', one);
      }),
  ],
  [
    'the config of a UNet',
    'unsupported',
    /describes a "UNet2DConditionModel", not a ControlNetModel/,
    () =>
      changedControlNet((_, config) => {
        config._class_name = 'UNet2DConditionModel';
      }),
  ],
  [
    'a tensor that is missing',
    'bad-checkpoint',
    /lacks 1 of 340 tensors: controlnet_down_blocks\.3\.weight/,
    () =>
      changedControlNet((tensors) => {
        tensors.delete('controlnet_down_blocks.3.weight');
      }),
  ],
  [
    'a tensor of another shape',
    'bad-checkpoint',
    /wrong shape: controlnet_mid_block\.bias is \[1\], expected \[48\]/,
    () =>
      changedControlNet((tensors) => {
        tensors.set('controlnet_mid_block.bias', one);
      }),
  ],
  [
    'a hint network that does not fit',
    'bad-checkpoint',
    /wrong shape: controlnet_cond_embedding\.blocks\.2\.weight/,
    () =>
      changedControlNet((tensors) => {
        tensors.set('controlnet_cond_embedding.blocks.2.weight', floats([5, 5, 3, 3], new Float32Array(225)));
      }),
  ],
  [
    'a tensor too many',
    'unsupported',
    /does not use: extra/,
    () =>
      changedControlNet((tensors) => {
        tensors.set('extra', one);
      }),
  ],
];

for (const [what, code, message, source] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const out = join(temporaryFolder(), 'model');
    const path = await source();
    await failsWith(code, message, () => convertControlNet(path, out));
    assert.not(existsSync(out));
  });
}

test('a ControlNet given as a UNet is refused by name', async () => {
  await failsWith('bad-checkpoint', /it looks like a ControlNet/, () =>
    convertCheckpoint(companion('controlnet_sd15'), join(temporaryFolder(), 'model')),
  );
});

test('inputs for residuals: a second time nothing, with Slothful Attention in either order, never without skips', async () => {
  const model = join(temporaryFolder(), 'model');
  await convertCheckpoint(unetGoldens('sd15').diffusers, model);
  const read = async () => {
    const file = await readModel(model);
    await file.loadConstants(file.graph);
    return file.graph;
  };
  const once = await (await read()).transform(controlNetInputs());
  const twice = await once.clone().transform(controlNetInputs());
  assert.equal(twice.toJson(), once.toJson());
  const inputs = [...once.nodes].filter(({ op }) => op === 'PlaceholderWithDefault').map(({ name }) => name);
  assert.equal(inputs.sort(), ['mid_block_res', ...Array.from({ length: 12 }, (_, i) => `down_block_res_${i}`)].sort());
  const before = await (await read()).transform(controlNetInputs(), slothful());
  const after = await (await read()).transform(slothful(), controlNetInputs());
  const names = (graph: typeof before) => [...graph.nodes].map(({ name }) => name).sort();
  assert.equal(names(before), names(after));
  assert.equal(before.metadata.slothful, after.metadata.slothful);
  const net = join(temporaryFolder(), 'net');
  await convertControlNet(companion('controlnet_sd15'), net);
  const { graph } = await readModel(net);
  await failsWith('unsupported', /no concatenation that joins a skip connection/, () =>
    graph.transform(controlNetInputs()),
  );
});

test.run();
