import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { channelsFirst, channelsLast } from '../../src/tensors/index.ts';

const test = suite('layouts of images');

/** torch.arange(24).reshape(2, 3, 2, 2).permute(0, 2, 3, 1).flatten() */
const LAST = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23];

test('channels to the end, and back to the front, of every image', () => {
  const first = Float32Array.from({ length: 24 }, (_, index) => index);
  assert.equal([...channelsLast(first, [2, 2, 2, 3])], LAST);
  assert.equal([...channelsFirst(Float32Array.from(LAST), [2, 2, 2, 3])], [...first]);
  // Rows and columns are told apart by their order alone.
  assert.equal([...channelsLast(first, [2, 4, 1, 3])], LAST);
});

test.run();
