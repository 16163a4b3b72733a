import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ExecutedAttention, recordAttention, SlothfulAttention } from '../../src/kernels/index.ts';
import { controlRow, DEFAULT_PARAMETERS, encodeControl } from '../../src/passes/index.ts';
import { useBackend } from '../support/backend.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { plainAttention } from '../support/plain-attention.ts';

const test = suite('SlothfulAttention as a layer');

test('goes through its configuration and back', () => {
  const layer = new SlothfulAttention({
    name: 'a',
    heads: 4,
    hiddenForm: 'flat',
    outputForm: 'heads',
    site: 3,
    id: 'x',
  });
  const config = JSON.parse(JSON.stringify(layer.getConfig()));
  const again = SlothfulAttention.fromConfig(SlothfulAttention, config);
  assert.instance(again, SlothfulAttention);
  assert.equal(again.getConfig(), layer.getConfig());
  assert.is(config.scale, null);
  assert.is(new SlothfulAttention({ heads: 4, scale: 0.25 }).getConfig().scale, 0.25);
  assert.is(tf.serialization.getRegisteredName(SlothfulAttention), 'Custom>SlothfulAttention');
});

test('refuses an invalid configuration', () => {
  const broken = JSON.parse('{"name":"a","heads":2,"hiddenForm":"rows"}');
  assert.throws(
    () => SlothfulAttention.fromConfig(SlothfulAttention, broken),
    /a: attribute "hiddenForm" must be one of/,
  );
  assert.throws(
    () => new SlothfulAttention({ name: 'b', heads: 1.5 }),
    /b: attribute "heads" must be an integer from 1/,
  );
});

test('the scale defaults to one over the root of the head width', async () => {
  await useBackend('cpu');
  const x = pseudoRandom(1 * 6 * 8);
  const eye = () => tf.eye(8);
  const size = { batch: 1, heads: 2, queries: 6, keys: 6, width: 4 };
  const out = tf.tidy(() => {
    const result = new SlothfulAttention({ heads: 2 }).apply([tf.tensor3d(x, [1, 6, 8]), eye(), eye(), eye()]);
    return result instanceof tf.Tensor ? [...result.dataSync()] : [];
  });
  assert.ok(largestDifference(out, plainAttention(x, x, x, size, 0.5)) < 1e-6);
});

const shapes: [ConstructorParameters<typeof SlothfulAttention>[0], (number | null)[], (number | null)[]][] = [
  [{ heads: 2 }, [null, 16, 6], [null, 16, 8]],
  [{ heads: 2, outputForm: 'heads' }, [null, 16, 6], [null, 16, 2, 4]],
  [{ heads: 2, outputForm: 'flat' }, [1, 16, 6], [16, 8]],
  [{ heads: 2, outputForm: 'flat' }, [null, 16, 6], [null, 8]],
  [{ heads: 2, hiddenForm: 'flat', outputForm: 'flat' }, [null, 6], [null, 8]],
  [{ heads: 2, hiddenForm: 'flat', outputForm: 'tokens' }, [32, 6], [null, null, 8]],
  [{ heads: 2, hiddenForm: 'grid', outputForm: 'grid' }, [1, 4, 4, 6], [1, 4, 4, 8]],
  [{ heads: 2, outputForm: 'grid' }, [1, 16, 6], [1, null, null, 8]],
];

for (const [config, hidden, output] of shapes) {
  test(`output shape of ${JSON.stringify(config)} for [${hidden}]`, () => {
    const layer = new SlothfulAttention(config);
    assert.equal(layer.computeOutputShape([hidden, [6, 8], [6, 8], [6, 8]]), output);
    assert.equal(layer.computeOutputShape([hidden, ...Array(3).fill([6, 2, 4])]), output);
    assert.equal(layer.computeOutputShape([hidden, ...Array(3).fill([1, 1, 6, 8])]), output);
  });
}

test('recordings end with their run, an error or not, and do not nest', async () => {
  await useBackend('cpu');
  const layer = new SlothfulAttention({ heads: 1, id: 's' });
  const x = tf.ones([1, 4, 2]);
  const run = () => {
    layer.apply([x, tf.ones([2, 2]), tf.ones([2, 2]), tf.ones([2, 2])]);
  };
  const fail = () => {
    throw new Error('stop');
  };
  const [outer, inner]: ExecutedAttention[][] = [[], []];
  tf.tidy(() => {
    const answer = recordAttention(
      (record) => outer?.push(record),
      () => {
        run();
        recordAttention((record) => inner?.push(record), run);
        assert.throws(() => recordAttention(run, fail), /stop/);
        run();
        return 7;
      },
    );
    assert.is(answer, 7);
    run();
  });
  assert.is(outer?.length, 2);
  assert.is(inner?.length, 1);
  assert.is(inner?.[0]?.id, 's');
  x.dispose();
});

test('the defaults at the first step, as the README tells: 4 x 6 tokens to 2 x 2', async () => {
  await useBackend('cpu');
  const control = encodeControl([controlRow(DEFAULT_PARAMETERS, 'input', 5.86)]);
  const layer = new SlothfulAttention({ heads: 1 });
  const records: ExecutedAttention[] = [];
  tf.tidy(() => {
    const weight = tf.ones([2, 2]);
    const inputs = [
      tf.ones([2, 24, 2]),
      weight,
      weight,
      weight,
      tf.tensor2d(control, [1, 7]),
      tf.tensor1d([2, 4, 6, 2]),
    ];
    recordAttention(
      (record) => records.push(record),
      () => layer.apply(inputs),
    );
  });
  assert.equal(
    records.map(({ tokens, kvTokens, pooled }) => [tokens, kvTokens, pooled]),
    [[24, 4, true]],
  );
});

test.run();
