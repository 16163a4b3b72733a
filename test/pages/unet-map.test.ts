import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { layOutMap, type MapSite } from '../../src/pages/html/unet-map-layout.ts';

const test = suite('the map of a UNet');

const site = (block: MapSite['block'], level: number): MapSite => ({
  id: `${block}.${level}.0.0`,
  kind: 'self',
  block,
  level,
});

test('levels without an attention are rows too, down to the deepest', () => {
  const { boxes } = layOutMap([site('input', 1), site('middle', 3), site('output', 0)]);
  assert.equal(
    boxes.map(({ block, level }) => `${block} ${level}`),
    ['input 0', 'output 0', 'input 1', 'output 1', 'input 2', 'output 2', 'input 3', 'output 3', 'middle 3'],
  );
});

test('a level that no UNet has takes no more room than another', () => {
  const { boxes, width, height } = layOutMap([site('input', 0), site('input', 1e8), site('middle', 1e8)]);
  assert.is(boxes.filter(({ block }) => block === 'input').length, 17);
  assert.is(boxes.filter(({ cells }) => cells.length).length, 3);
  assert.ok(width < 3000 && height < 3000, `${width} x ${height}`);
});

test.run();
