import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  checkFinite,
  checkValues,
  decodeSafetensors,
  decodeStored,
  duplicateKey,
  encodeSafetensors,
  firstNonFinite,
  openSafetensors,
  readSafetensors,
  streamSafetensors,
  toFloatBytes,
  type WritableTensor,
  writeSafetensors,
} from '../../src/tensors/node.ts';
import { rejection, safetensorsBytes, temporaryFolder, thrown } from '../converters/support.ts';
import { fixturePath } from '../support/fixtures.ts';

const test = suite('safetensors');
const folder = temporaryFolder();

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** `JSON.parse` reads it, and `JSON.stringify` then has no stack left to show it. */
const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
const NESTED = '{"a":{"dtype":"F32","shape":[SHAPE],"data_offsets":SPAN}}';

function entry(dtype: unknown, shape: unknown, data_offsets: unknown) {
  return { dtype, shape, data_offsets };
}

function withLength(length: bigint, bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
}

const F32 = entry('F32', [2], [0, 8]);

/** What is wrong with a file, its bytes, and what the message must say. */
const HOSTILE: ReadonlyArray<readonly [what: string, bytes: Uint8Array, says: RegExp]> = [
  ['an empty file', new Uint8Array(0), /is empty/],
  ['half a length', new Uint8Array(5), /has 5 bytes/],
  ['a length and nothing behind it', withLength(1000n, new Uint8Array(8)), /1000 bytes, but only 0 bytes follow/],
  ['a header longer than the file', withLength(1000n, safetensorsBytes({})), /1000 bytes, but only 2 bytes follow/],
  ['a header past the cap', withLength(1n << 63n, safetensorsBytes({})), /9223372036854775808 bytes; 100000000 are/],
  ['no JSON object', safetensorsBytes('[]'), /does not start with "\{"/],
  ['leading blanks', safetensorsBytes(' {}'), /does not start with "\{"/],
  ['an empty header', safetensorsBytes(''), /does not start with "\{"/],
  ['broken JSON', safetensorsBytes('{"a":'), /header is not JSON/],
  ['JSON and then more', safetensorsBytes('{}{}'), /header is not JSON/],
  ['nesting a million deep', safetensorsBytes(`{"a":${'['.repeat(1e6)}`), /header is not JSON/],
  ['bytes that are not UTF-8', safetensorsBytes({ a: 1 }).fill(0xff, 10), /header is not JSON/],
  ['one tensor twice', safetensorsBytes(`{"a":${JSON.stringify(F32)},"a":${JSON.stringify(F32)}}`, 8), /"a" twice/],
  ['an escaped duplicate', safetensorsBytes(`{"a":1,"\\u0061":${JSON.stringify(F32)}}`, 8), /"a" twice/],
  ['one field twice', safetensorsBytes('{"a":{"dtype":"F32","dtype":"F16"}}'), /"dtype" twice/],
  ['metadata that is a list', safetensorsBytes({ __metadata__: [] }), /"__metadata__" is not an object/],
  ['metadata that is a number', safetensorsBytes({ __metadata__: { a: 1 } }), /not a text at "a"/],
  ['a tensor that is null', safetensorsBytes({ a: null }), /tensor "a": is not an object/],
  [
    'an unknown dtype',
    safetensorsBytes({ a: entry('F17', [2], [0, 8]) }, 8),
    /tensor "a": has the unknown dtype "F17"/,
  ],
  ['a dtype of Object', safetensorsBytes({ a: entry('constructor', [2], [0, 8]) }, 8), /unknown dtype "constructor"/],
  ['no shape', safetensorsBytes({ a: entry('F32', undefined, [0, 8]) }, 8), /has no "shape" list/],
  ['a negative size', safetensorsBytes({ a: entry('F32', [-2], [0, 8]) }, 8), /has the size -2/],
  ['half a size', safetensorsBytes({ a: entry('F32', [0.5], [0, 2]) }, 2), /has the size 0.5/],
  ['a size that is a text', safetensorsBytes({ a: entry('F32', ['2'], [0, 8]) }, 8), /has the size "2"/],
  ['an overflowing shape', safetensorsBytes({ a: entry('F32', [2 ** 40, 2 ** 40], [0, 8]) }, 8), /impossible shape/],
  ['an overflow that zero hides', safetensorsBytes({ a: entry('F32', [2 ** 40, 2 ** 40, 0], [0, 0]) }), /impossible/],
  ['half a byte', safetensorsBytes({ a: entry('F4', [3], [0, 1]) }, 1), /does not fill whole bytes/],
  [
    'a size nested deeper than the stack',
    safetensorsBytes(NESTED.replace('SHAPE', DEEP).replace('SPAN', '[0,8]'), 8),
    /size a list/,
  ],
  [
    'an offset that is',
    safetensorsBytes(NESTED.replace('SHAPE', '2').replace('SPAN', `[0,${DEEP}]`), 8),
    /data_offsets \[0,a list\]/,
  ],
  ['one offset', safetensorsBytes({ a: entry('F32', [2], [8]) }, 8), /no pair of "data_offsets"/],
  ['a negative offset', safetensorsBytes({ a: entry('F32', [2], [-8, 0]) }, 8), /data_offsets \[-8,0\]/],
  ['swapped offsets', safetensorsBytes({ a: entry('F32', [2], [8, 0]) }, 8), /data_offsets \[8,0\]/],
  ['a huge offset', safetensorsBytes({ a: entry('F32', [2], [0, 1e300]) }, 8), /data_offsets \[0,1e\+300\]/],
  ['truncated data', safetensorsBytes({ a: F32 }, 7), /ends at byte 8 of the data, but the file holds 7/],
  ['too short a span', safetensorsBytes({ a: entry('F32', [3], [0, 8]) }, 8), /F32 \[3\] takes 12 bytes, .* span 8/],
  ['overlap', safetensorsBytes({ a: F32, b: entry('F32', [2], [4, 12]) }, 12), /"b": starts at byte 4, inside of "a"/],
  ['the same bytes twice', safetensorsBytes({ a: F32, b: F32 }, 8), /"b": starts at byte 0, inside of "a"/],
  ['a hole', safetensorsBytes({ a: F32, b: entry('F32', [1], [12, 16]) }, 16), /"b": .* 4 bytes after "a" ends/],
  ['a hole at the start', safetensorsBytes({ a: entry('F32', [1], [4, 8]) }, 8), /4 bytes after the start ends/],
  ['bytes at the end', safetensorsBytes({ a: F32 }, 11), /3 bytes after "a" belong to no tensor/],
];

for (const [what, bytes, says] of HOSTILE) {
  test(`refuses ${what}`, async () => {
    const path = file('hostile.safetensors', bytes);
    const { code, message } = await rejection(openSafetensors(path));
    assert.is(code, 'bad-checkpoint');
    assert.match(message, says);
    assert.ok(message.startsWith(path), message);
    assert.not.match(message, /\n/);
  });
}

test('refuses what cannot be opened', async () => {
  assert.is((await rejection(openSafetensors(join(folder, 'none.safetensors')))).code, 'io');
  assert.match((await rejection(openSafetensors(folder))).message, /is not a file|cannot be opened/);
});

test('reads odd but true files', async () => {
  const header = {
    __metadata__: { format: 'pt', __proto__x: 'y' },
    scalar: entry('BF16', [], [0, 2]),
    empty: entry('I64', [3, 0], [2, 2]),
    __proto__x: entry('F8_E4M3', [2], [2, 4]),
    last: entry('F4', [2, 2], [4, 6]),
  };
  const text = `${JSON.stringify(header).replaceAll('__proto__x', '__proto__')}   `;
  const bytes = safetensorsBytes(text, 6);
  bytes.set([1, 2, 3, 4, 5, 6], bytes.length - 6);
  const open = await openSafetensors(file('odd.safetensors', bytes));
  assert.equal([...open.tensors.keys()], ['scalar', 'empty', '__proto__', 'last']);
  assert.is(open.metadata.get('format'), 'pt');
  assert.is(open.metadata.get('__proto__'), 'y');
  assert.equal([...(await open.read('scalar'))], [1, 2]);
  assert.equal([...(await open.read('empty'))], []);
  assert.equal([...(await open.read('__proto__'))], [3, 4]);
  assert.equal([...(await open.readRange('last', 1, 2))], [6]);
  assert.match((await rejection(open.read('none'))).message, /has no tensor "none"/);
  assert.is((await rejection(open.readRange('last', 1, 3))).code, 'bug');
  await open.close();
});

test('reads into memory that is given where it is long enough', async () => {
  const open = await openSafetensors(fixturePath('unet/sd15/goldens.safetensors'));
  const name = '24x40.encoder_hidden_states';
  const buffer = new Uint8Array(4096);
  const into = await open.read(name, buffer);
  assert.is(into.buffer, buffer.buffer);
  assert.is(into.byteLength, 2 * 11 * 24 * 4);
  assert.equal(into, await open.read(name, new Uint8Array(3)));
  const whole = readFileSync(open.path);
  const start = 8 + Number(whole.readBigUInt64LE(0)) + (open.tensors.get(name)?.begin ?? 0);
  assert.ok(Buffer.from(into).equals(whole.subarray(start, start + into.byteLength)));
  await open.close();
});

test('a file that shrinks after it was opened is an error, not zeros', async () => {
  const path = file('shrinks.safetensors', safetensorsBytes({ a: F32 }, 8));
  const open = await openSafetensors(path);
  truncateSync(path, open.bytes - 5);
  assert.match((await rejection(open.read('a'))).message, /tensor "a": the file ends at byte \d+, 5 bytes too early/);
  await open.close();
});

test('writes what it reads, and leaves nothing when it cannot', async () => {
  const path = join(folder, 'written.safetensors');
  const data = Float32Array.of(1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-40, 6);
  const tensors = new Map([
    ['b "quoted"\n', { shape: [2, 3], data }],
    ['a', { shape: [], data: Float32Array.of(7) }],
    ['none', { shape: [0], data: new Float32Array(0) }],
    ['part', { shape: [2], data: data.subarray(4) }],
  ]);
  await writeSafetensors(path, tensors);
  const open = await openSafetensors(path);
  assert.equal([...open.tensors.keys()].sort(), [...tensors.keys()].sort());
  for (const [name, { shape, data }] of tensors) {
    assert.equal(open.tensors.get(name)?.shape, shape);
    assert.ok(Buffer.from(await open.read(name)).equals(new Uint8Array(Float32Array.from(data).buffer)));
  }
  await open.close();
  assert.is((8 + Number(readFileSync(path).readBigUInt64LE(0))) % 8, 0);
  const before = readdirSync(folder).sort();
  const wrong = new Map([['a', { shape: [2], data: new Float32Array(3) }]]);
  assert.match((await rejection(writeSafetensors(path, wrong))).message, /shape \[2\] does not hold 3 values/);
  assert.is((await rejection(writeSafetensors(join(folder, 'no/where'), tensors))).code, 'io');
  assert.equal(readdirSync(folder).sort(), before);
});

const STORED = new Map<string, WritableTensor>([
  ['half', { dtype: 'F16', shape: [3], bytes: toFloatBytes(Float32Array.of(1, -2, 0.5), 'F16') }],
  ['brain', { dtype: 'BF16', shape: [1, 1], bytes: toFloatBytes(Float32Array.of(-3), 'BF16') }],
  ['floats', { shape: [2], data: Float32Array.of(9, 4).subarray(0) }],
]);

test('in memory as in files: floats of every dtype, and metadata', async () => {
  const path = join(folder, 'same.safetensors');
  await writeSafetensors(path, STORED, { format: 'pt' });
  const bytes = encodeSafetensors(STORED, { format: 'pt' });
  assert.ok(readFileSync(path).equals(bytes));
  const values = [...decodeSafetensors(readFileSync(path))].map(([name, { shape, data }]) => [name, shape, [...data]]);
  assert.equal(values, [
    ['half', [3], [1, -2, 0.5]],
    ['brain', [1, 1], [-3]],
    ['floats', [2], [9, 4]],
  ]);
  assert.equal([...(await readSafetensors(path))], [...decodeSafetensors(bytes)]);
  assert.equal(
    [...decodeStored(bytes).values()].map(({ dtype }) => dtype),
    ['F16', 'BF16', 'F32'],
  );
  const file = await openSafetensors(path);
  assert.is(file.metadata.get('format'), 'pt');
  await file.close();
});

test('values that were read are their own: changing them leaves the bytes and each other as they are', () => {
  const bytes = encodeSafetensors(STORED);
  const before = bytes.slice();
  for (const content of [bytes, Buffer.from(bytes.buffer)]) {
    for (const { data } of decodeSafetensors(content).values()) data.fill(7);
    assert.equal(bytes, before);
  }
});

test('memory is checked as files are', () => {
  const bytes = encodeSafetensors(STORED);
  assert.match(thrown(() => decodeSafetensors(bytes.subarray(0, 5), 'a.bin')).message, /^a.bin: has 5 bytes/);
  assert.match(thrown(() => decodeSafetensors(bytes.subarray(0, -1))).message, /the file holds|truncated/);
  const complex = encodeSafetensors(new Map([['wave', { dtype: 'C64', shape: [1], bytes: new Uint8Array(8) }]]));
  const { code, message } = thrown(() => decodeSafetensors(complex, 'a.bin'));
  assert.is(code, 'unsupported');
  assert.match(message, /^a.bin tensor "wave": is C64, which is not read as numbers; save it as F32/);
});

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

/** Bytes, little-endian, and the numbers that PyTorch reads in them. */
const NUMBERS: ReadonlyArray<readonly [dtype: string, bytes: readonly number[], values: readonly number[]]> = [
  ['BOOL', [0, 1], [0, 1]],
  ['U8', [0, 255], [0, 255]],
  ['I8', [127, 128], [127, -128]],
  ['U16', [0xff, 0xff], [65535]],
  ['I16', [0xff, 0xff, 0xe7, 0x03], [-1, 999]],
  ['U32', [0xff, 0xff, 0xff, 0xff], [4294967296]],
  ['I32', [0xfe, 0xff, 0xff, 0xff], [-2]],
  ['U64', [0, 0, 0, 0, 0, 0, 0, 0x80], [2 ** 63]],
  ['I64', [0xe7, 0x03, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [999, -1]],
  ['F64', [0, 0, 0, 0, 0, 0, 0xf8, 0xbf], [-1.5]],
  ['F8_E4M3', [0x38, 0xc0, 0x7e, 0x01, 0x7f], [1, -2, 448, 2 ** -9, nan]],
  ['F8_E5M2', [0x3c, 0xc0, 0x7b, 0x01, 0x7c, 0x7e], [1, -2, 57344, 2 ** -16, infinity, nan]],
  ['F8_E4M3FNUZ', [0x40, 0x7f, 0x80], [1, 240, nan]],
  ['F8_E5M2FNUZ', [0x40, 0x7f, 0x80], [1, 57344, nan]],
  ['F8_E8M0', [127, 130, 255], [1, 8, nan]],
];

test('data is read from every dtype that is a number', async () => {
  const tensors = NUMBERS.map(([dtype, bytes, values]): [string, WritableTensor] => {
    return [dtype, { dtype, shape: [values.length], bytes: Uint8Array.from(bytes) }];
  });
  const decoded = decodeSafetensors(encodeSafetensors(new Map(tensors)));
  for (const [dtype, , values] of NUMBERS) assert.equal([...(decoded.get(dtype)?.data ?? [])], values, dtype);
  const path = join(folder, 'numbers.safetensors');
  const complex: WritableTensor = { dtype: 'C64', shape: [1], bytes: new Uint8Array(8) };
  await writeSafetensors(path, new Map<string, WritableTensor>([...tensors, ['wave', complex]]));
  const wanted = await readSafetensors(path, (name) => name !== 'wave');
  assert.not(wanted.has('wave'));
  for (const [dtype, , values] of NUMBERS) assert.equal([...(wanted.get(dtype)?.data ?? [])], values, dtype);
});

const UNWRITABLE: ReadonlyArray<readonly [name: string, tensor: WritableTensor, says: RegExp]> = [
  ['__metadata__', { shape: [1], data: new Float32Array(1) }, /reserved/],
  ['a', { dtype: 'F17', shape: [1], bytes: new Uint8Array(4) }, /F17 \[1\] is not a tensor/],
  ['a', { dtype: 'F4', shape: [3], bytes: new Uint8Array(2) }, /F4 \[3\] is not a tensor/],
  ['a', { dtype: 'F32', shape: [-1], bytes: new Uint8Array(4) }, /is not a tensor/],
  ['a', { dtype: 'F16', shape: [3], bytes: new Uint8Array(4) }, /shape \[3\] does not hold 4 bytes of F16/],
];

for (const [name, tensor, says] of UNWRITABLE) {
  test(`refuses to write what a file cannot hold: ${says.source}`, async () => {
    const { code, message } = thrown(() => encodeSafetensors(new Map([[name, tensor]])));
    assert.is(code, 'bad-input');
    assert.match(message, says);
    const path = join(folder, 'unwritable.safetensors');
    assert.match((await rejection(writeSafetensors(path, new Map([[name, tensor]])))).message, says);
    assert.not(existsSync(path));
  });
}

test('streams pieces, tells how far it is, and leaves nothing when pieces are missing', async () => {
  const path = join(folder, 'streamed.safetensors');
  const pieces = () => [Uint8Array.of(1, 2, 3), Uint8Array.of(4)];
  const told: number[][] = [];
  const onProgress = (done: number, total: number) => told.push([done, total]);
  const bytes = await streamSafetensors(path, [{ name: 'a', dtype: 'U8', shape: [4], pieces }], { onProgress });
  assert.equal([...(decodeStored(readFileSync(path)).get('a')?.bytes ?? [])], [1, 2, 3, 4]);
  assert.is(readFileSync(path).length, bytes);
  assert.equal(
    told,
    [bytes - 4, bytes - 1, bytes].map((done) => [done, bytes]),
  );
  const short = [{ name: 'a', dtype: 'U8', shape: [5], pieces }];
  assert.match((await rejection(streamSafetensors(path, short))).message, /was given 4 bytes of its 5/);
  assert.is(readFileSync(path).length, bytes, 'what was there before stays');
});

test('finite or not', () => {
  const values = Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY);
  assert.is(firstNonFinite(values), 1);
  assert.is(firstNonFinite(values.subarray(0, 1)), -1);
  assert.match(thrown(() => checkFinite(values, 'x')).message, /x: value 1 is NaN/);
  assert.match(thrown(() => checkValues({ shape: [2], data: values }, 'x')).message, /has 3 values/);
});

test('what users are given: memory everywhere, files in Node', async () => {
  const [web, node] = [await import('../../src/index.ts'), await import('../../src/node.ts')];
  assert.is(web.decodeSafetensors, decodeSafetensors);
  assert.is(web.encodeSafetensors, encodeSafetensors);
  assert.is(node.decodeSafetensors, decodeSafetensors);
  assert.is(node.readSafetensors, readSafetensors);
  assert.is(node.writeSafetensors, writeSafetensors);
  assert.is(node.openSafetensors, openSafetensors);
  assert.not('readSafetensors' in web);
});

test('finds duplicate keys at their own level only', () => {
  assert.is(duplicateKey('{"a":{"b":1},"c":{"b":1,"a":["b","b"]}}'), undefined);
  assert.is(duplicateKey('{"a":[{"b":1},{"b":1},{"x":"\\"b\\":","b" : 1,"b"\n:2}]}'), 'b');
  assert.is(duplicateKey('{"\\\\":1,"\\\\" :2}'), '\\');
  assert.is(duplicateKey('{"__proto__":1,"__proto__":2}'), '__proto__');
});

test.run();
