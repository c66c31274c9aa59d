// html.test.mjs: what the server sends is valid HTML, isolates what was inserted, speaks with the digits of its language and
// never believes what somebody else wrote.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { HtmlValidate } from 'html-validate';
import { SOURCE } from '../lib/peygir.mjs';
import { House, LANGUAGES, digits, everyPage, visit } from './lib.mjs';

const CREDIT = 'credit-score-rating';
const OCR = 'document-ocr';
const HOSTILE = '</bdi></p><img src=x onerror="alert(1)"><script>alert(2)</script>&lt;b&gt; "\'`{{csrf}}';

let house;
before(async () => (house = await House.open()));
after(() => house?.close());

const as = (options, action) => visit(() => house, options, action);
const validator = new HtmlValidate({ extends: ['html-validate:standard', 'html-validate:a11y'] });

async function mistakesIn(html) {
  const { results } = await validator.validateString(html);
  return results.flatMap(({ messages }) => messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`));
}

// Every text a bot or a form put into a request: it is shown as it came.
async function foreignTexts(peygir, hashes) {
  const texts = new Set();
  const collect = (value) => {
    if (typeof value === 'string') texts.add(value.trim());
    else if (value && typeof value === 'object') Object.values(value).forEach(collect);
  };
  for (const hash of hashes) collect(await peygir.document(hash));
  return [...texts];
}

// Texts with Latin digits, but for those in another language or direction.
const latinDigits = (page) =>
  page.evaluate(() => {
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (/[0-9]/.test(node.data) && !node.parentElement.closest('[dir=ltr], script, style')) found.push(node.data.trim());
    }
    for (const element of document.querySelectorAll('[placeholder], [aria-label], [title]')) {
      const said = ['placeholder', 'aria-label', 'title'].map((name) => element.getAttribute(name) ?? '').join(' ');
      if (/[0-9]/.test(said)) found.push(said.trim());
    }
    return /[0-9]/.test(document.title) ? [...found, document.title] : found;
  });

// Where a text stands outside a <bdi>.
const notIsolated = (page, texts) =>
  page.evaluate((values) => {
    const found = [], walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (values.some((value) => node.data.includes(value)) && !node.parentElement.closest('bdi')) found.push(node.data.trim());
    }
    return found;
  }, texts);

function mistakesInSource(html) {
  const mistakes = [];
  if (/<script(?![^>]*\ssrc=)/i.test(html)) mistakes.push('a script in the page');
  if (/<style\b|<[^>]+\sstyle=/i.test(html)) mistakes.push('a style in the page');
  if (/<[a-z][^>]*\son[a-z]+=/i.test(html)) mistakes.push('a handler in an attribute');
  if (!/<title>[^<]+<\/title>/.test(html)) mistakes.push('no title');
  if ((html.match(/<h1\b/g) ?? []).length !== 1) mistakes.push('not exactly one h1');
  return mistakes;
}

async function walk(person) {
  const { page, peygir } = person, found = { invalid: [], source: [], latin: [], loose: [] }, hashes = new Set();
  await everyPage(person, async (name) => {
    const add = (list, texts) => list.push(...texts.map((text) => `${name}: ${text}`));
    const html = await person.answer.text();
    if (person.hash) hashes.add(person.hash);
    const foreign = name.endsWith('503') ? [] : await foreignTexts(peygir, hashes);
    add(found.invalid, await mistakesIn(html));
    add(found.source, mistakesInSource(html));
    add(found.latin, (await latinDigits(page)).filter((text) => !foreign.includes(text)));
    if (person.hash) add(found.loose, await notIsolated(page, [person.hash]));
  });
  return found;
}

describe('Every page', () => {
  for (const language of LANGUAGES) {
    let found = {};
    test(`can be reached without JavaScript (${language})`, as({ language, javascript: false }, async (person) => {
      found = await walk(person);
    }));
    test(`is valid HTML (${language})`, () => assert.deepEqual(found.invalid, []));
    test(`has one heading, a title, and no script or style in it (${language})`, () => assert.deepEqual(found.source, []));
    test(`shows the reference in <bdi> (${language})`, () => assert.deepEqual(found.loose, []));
    if (language === 'fa') test('shows Persian digits in Persian', () => assert.deepEqual(found.latin, []));
  }
});

test("nginx's own pages are valid HTML, and what they link to is there", async () => {
  const dir = path.join(SOURCE, 'nginx/errors'), mistakes = [];
  const files = fs.readdirSync(dir).filter((name) => name.endsWith('.html'));
  assert.ok(files.length > 0);
  for (const file of files) {
    const html = fs.readFileSync(path.join(dir, file), 'utf8');
    const links = [...html.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(([, link]) => link);
    const missing = links.filter((link) => !fs.existsSync(path.join(SOURCE, 'www', link)));
    const found = [...(await mistakesIn(html)), ...mistakesInSource(html), ...missing.map((link) => `${link} is not there`)];
    mistakes.push(...found.map((text) => `${file}: ${text}`));
  }
  assert.deepEqual(mistakes, []);
});

const foreign = (page) => page.locator('script:not([src^="/static/"]), img, b');

describe('What a bot says', () => {
  for (const language of LANGUAGES) {
    test(`stands in <bdi>: message, reason of a failure, values of a result (${language})`, as({ language, javascript: false }, async (person) => {
      const { page, peygir } = person;
      const hash = await person.requestHanging();
      const said = 'Page 3 از ۷ (three)';
      await house.report(hash, { progress: 40, step: 'recognizing', current_message: said });
      await person.openRequest('progress', hash);
      assert.ok((await person.text()).includes(said));
      assert.deepEqual(await notIsolated(page, [said]), []);
      await house.report(hash, { status: 'failed', error_data: { code: 'BAD-1', message: said, retryable: false } });
      await person.openRequest('result', hash);
      assert.ok((await person.text()).includes(said));
      assert.deepEqual(await notIsolated(page, [said, 'BAD-1']), []);

      const credit = await person.requestCredit('9990000182');
      await peygir.status(credit, 'completed');
      await person.openRequest('result', credit, CREDIT);
      const values = [digits(language, 742), 'B+'];
      const text = await person.text();
      for (const value of values) assert.ok(text.includes(value), `${value} is shown`);
      assert.deepEqual(await notIsolated(page, values), []);
    }));
  }

  for (const javascript of [true, false]) {
    const how = javascript ? 'by script' : 'by the server';
    test(`is shown as text when it is HTML, put there ${how}`, as({ javascript, clock: javascript }, async (person) => {
      const { page } = person;
      const hash = await person.requestHanging();
      await person.openRequest('progress', hash);
      assert.equal(await foreign(page).count(), 0);
      await house.report(hash, { progress: 40, step: 'recognizing', current_message: HOSTILE });
      if (javascript) await person.look();
      else await person.link('progress.refresh').click();
      await page.getByText(HOSTILE).filter({ visible: true }).first().waitFor();
      assert.equal(await foreign(page).count(), 0);
      await house.report(hash, { status: 'failed', error_data: { code: HOSTILE, message: HOSTILE, retryable: false } });
      if (javascript) await page.waitForURL(/\/result\//); // it moves on by itself
      else await person.openRequest('result', hash);
      assert.ok((await person.text()).includes(HOSTILE));
      assert.equal(await foreign(page).count(), 0);
      await page.goto('/requests');
      assert.equal(await foreign(page).count(), 0);
    }));
  }

  test('is text in a result too, and a link only when it leads to the web', as({}, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestOcr('file-html');
    await peygir.status(hash, 'completed');
    await person.openRequest('result', hash);
    assert.ok((await person.text()).includes('<h1>Scanned</h1><script>alert(3)</script>'));
    assert.equal(await page.locator('main h1').count(), 1);
    assert.equal(await page.locator('main script').count(), 0);
    assert.equal(await page.locator('a[href^="javascript:"]').count(), 0);
  }));

  test('comes back in a form as a value and nothing else', as({ javascript: false }, async (person) => {
    const { page } = person;
    await person.openForm(OCR);
    await person.fillIn(OCR, { file_id: '"><script>alert(4)</script>' });
    await person.submitButton(OCR).click();
    await page.locator('[aria-invalid=true]').first().waitFor();
    assert.equal(await person.field(OCR, 'file_id').inputValue(), '"><script>alert(4)</script>');
    assert.equal(await page.locator('main script').count(), 0);
  }));
});
