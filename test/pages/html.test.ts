import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Html, type HtmlPart, html, htmlPage, lines } from '../../src/pages/index.ts';

const test = suite('HTML templates');

const HOSTILE = `</title><script>alert("1")</script>&'`;

/** What is put between `<p title="` and `">`, and what comes of it. */
const PARTS: readonly (readonly [HtmlPart, string])[] = [
  ['plain', 'plain'],
  [HOSTILE, '&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;'],
  ['&amp;', '&amp;amp;'],
  [0, '0'],
  [1.5, '1.5'],
  ['', ''],
  [undefined, ''],
  [null, ''],
  [false, ''],
  [html`<b>${'<'}</b>`, '<b>&lt;</b>'],
  [['<', html`<i>`, ['>', 2]], '&lt;<i>&gt;2'],
  [new Html('&nbsp;'), '&nbsp;'],
  [lines(['<', html`<br>`]), '&lt;\n<br>'],
];

for (const [index, [part, expected]] of PARTS.entries()) {
  test(`part ${index} comes out as ${JSON.stringify(expected)}`, () => {
    assert.is(html`<p title="${part}">`.markup, `<p title="${expected}">`);
    assert.is(String(html`${part}${part}`), expected + expected);
  });
}

test('a page: nothing that is put into it becomes markup, and its data cannot end the script', () => {
  const fact = ['site', HOSTILE] as const;
  const page = htmlPage({
    title: HOSTILE,
    summary: HOSTILE,
    notes: [HOSTILE],
    body: [HOSTILE],
    data: { sites: [{ facts: [fact], at: [], states: [], series: [] }], steps: [] },
  });
  assert.is(page.match(/<script/g)?.length, 2, 'the data and the script of the page');
  assert.is(page.match(/<\/script>/g)?.length, 2);
  assert.is(page.match(/<\/title>/g)?.length, 1);
  const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page)?.[1] ?? '';
  assert.equal(JSON.parse(data).sites[0].facts, [fact]);
});

test('a page without data has no script and allows none', () => {
  const page = htmlPage({ title: 't', summary: 's', notes: [], body: [], style: '.own{}' });
  assert.not.match(page, /<script|script-src/);
  assert.match(page, /default-src &#39;none&#39;/);
  assert.match(page, /\.own\{\}<\/style>/);
});

test.run();
