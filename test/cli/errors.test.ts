import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { slothfulHere as slothful } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';

const test = suite('bad input on the command line');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const { diffusers, ldm } = unetGoldens('ssd1b');

test.before(async () => {
  await convertCheckpoint(diffusers, at('model'));
  await copyFile(ldm, at('truncated.safetensors'));
  truncateSync(at('truncated.safetensors'), 900_000);
  writeFileSync(at('text.safetensors'), 'not a checkpoint at all');
  mkdirSync(at('broken'));
  writeFileSync(at('broken/model.json'), '{"format": "graph-model"');
  mkdirSync(at('dangling'));
  writeFileSync(at('dangling/model.json'), JSON.stringify(danglingModel()));
  mkdirSync(at('no-attention'));
  writeFileSync(at('no-attention/model.json'), JSON.stringify(softmaxModel()));
  writeFileSync(at('parameters.json'), '{"in_strenght": 3}');
});

function danglingModel() {
  return {
    modelTopology: {
      node: [
        { name: 'x', op: 'Placeholder' },
        { name: 'y', op: 'Relu', input: ['z'] },
      ],
    },
  };
}

function softmaxModel() {
  const node = [
    { name: 'x', op: 'Placeholder', attr: { shape: { shape: { dim: [{ size: '-1' }, { size: '10' }] } } } },
    { name: 'classes', op: 'Softmax', input: ['x'] },
  ];
  return { modelTopology: { node }, weightsManifest: [] };
}

const convert = (source: string, ...rest: string[]) => ['convert', source, at('out'), ...rest];
const patch = (...rest: string[]) => ['patch', at('model'), at('out'), ...rest];
const predict = (...rest: string[]) => [
  'predict',
  at('model'),
  '--inputs',
  at('none.safetensors'),
  '--out',
  at('out'),
  ...rest,
];

const CASES: ReadonlyArray<readonly [title: string, args: () => string[], stderr: RegExp]> = [
  ['no command', () => [], /^slothful: name a command$/],
  ['an unknown command', () => ['patsch'], /^slothful: .*patch/],
  [
    'an unknown flag',
    () => patch('--in-strenght', '3'),
    /^slothful: unknown argument "in-strenght"; did you mean --in-strength\?$/,
  ],
  ['a missing checkpoint', () => convert(at('none')), /none: does not exist; check the path/],
  [
    'a truncated checkpoint',
    () => convert(at('truncated.safetensors')),
    /truncated\.safetensors.*it is truncated or its header lies/,
  ],
  ['a file that is not a checkpoint', () => convert(at('text.safetensors')), /text\.safetensors/],
  ['a pickle', () => convert(at('model.ckpt')), /model\.ckpt/],
  ['a single file whose heads cannot be told', () => convert(ldm), /--config/],
  ['an existing output', () => ['convert', diffusers, at('model')], /model: is there already; .*--force/],
  ['an unknown dtype', () => convert(diffusers, '--dtype', 'int4'), /dtype.*int4/],
  ['a strength out of range', () => patch('--in-strength', '51'), /in_strength must be a number from 0 to 50, got 51/],
  ['a blend that is not a number', () => patch('--in-k-blend', 'much'), /--in-k-blend: needs a number, got/],
  [
    'an unknown mode',
    () => patch('--out-mode', '3D_AVG'),
    /out_mode must be one of 1D_AVG, 1D_MAX, 2D_AVG, 2D_MAX, got "3D_AVG"/,
  ],
  ['a flag of the other node', () => patch('--preset', 'simple', '--in-k-blend', '1'), /in_k_blend/],
  [
    'an unknown parameter in a file',
    () => patch('--params', at('parameters.json')),
    /parameters\.json.*in_strenght.*in_strength/,
  ],
  ['a parameter file that is not there', () => patch('--params', at('none.json')), /none\.json: cannot be read/],
  ['a model.json that is not JSON', () => ['patch', at('broken'), at('out')], /model\.json: is not JSON/],
  ['a dangling edge', () => ['patch', at('dangling'), at('out')], /node "y": reads "z", which is not there/],
  [
    'a graph without attention',
    () => ['patch', at('no-attention'), at('out')],
    /no self-attention to patch: .*"classes" because/,
  ],
  ['inputs that are not there', () => predict('--timestep', '601'), /none\.safetensors/],
  ['an unknown place of CUDA', () => ['setup-native', '--cuda', '12'], /cuda.*12.*auto.*pip.*system/],
  [
    'a TensorFlow that is not a release',
    () => ['setup-native', '--tensorflow', '2'],
    /--tensorflow: got "2"; give a rel/,
  ],
  ['a flag that setup-native does not have', () => ['setup-native', '--gpuu'], /"gpuu"; did you mean --gpu\?/],
  ['a backend that is not one', () => predict('--backend', 'cuda'), /backend.*cuda/],
];

for (const [title, args, stderr] of CASES) {
  test(`${title}: one line, exit code 1, nothing written`, async () => {
    const before = readdirSync(folder).sort();
    const result = await slothful(args());
    assert.is(result.code, 1, result.stderr);
    assert.is(result.stdout, '');
    const lines = result.stderr.trim().split('\n');
    assert.match(lines.at(-1) ?? '', stderr);
    assert.is(lines.length, 1, result.stderr);
    assert.equal(readdirSync(folder).sort(), before);
  });
}

test('missing tensors are named one by one', async () => {
  const { tensors, header } = readHeader(join(diffusers, 'diffusion_pytorch_model.safetensors'));
  const dropped = ['conv_in.bias', 'time_embedding.linear_2.weight'];
  mkdirSync(at('incomplete'));
  await copyFile(join(diffusers, 'config.json'), at('incomplete/config.json'));
  writeFileSync(at('incomplete/diffusion_pytorch_model.safetensors'), without(tensors, header, dropped));
  const { code, stderr } = await slothful(convert(at('incomplete')));
  assert.is(code, 1);
  assert.match(stderr, /lacks 2 of \d+ tensors: time_embedding\.linear_2\.weight, conv_in\.bias/);
});

interface Entry {
  data_offsets: [number, number];
}

function readHeader(path: string): { header: Record<string, Entry>; tensors: Buffer } {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__, ...header } = JSON.parse(bytes.subarray(8, 8 + length).toString());
  return { header, tensors: bytes.subarray(8 + length) };
}

/** The same file without some tensors, and without holes. */
function without(tensors: Buffer, header: Record<string, Entry>, dropped: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  let offset = 0;
  const kept = Object.entries(header).filter(([name]) => !dropped.includes(name));
  const entries = kept.map(([name, entry]) => {
    const [from, to] = entry.data_offsets;
    parts.push(tensors.subarray(from, to));
    offset += to - from;
    return [name, { ...entry, data_offsets: [offset - (to - from), offset] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

test.run();
