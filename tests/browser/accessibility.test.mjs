// accessibility.test.mjs: every page for everybody: axe-core, one live region, both directions, narrow screens, the
// keyboard alone, paper. With SCREENSHOTS=DIRECTORY it saves what every page looks like.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import axe from 'axe-core';
import {
  CODE, DESKTOP, House, LANGUAGES, MOBILE, NATIONAL_CODE, PHONE, digits, everyPage, saveScreenshot, stepLabel, visit,
} from './lib.mjs';

const CREDIT = 'credit-score-rating';
const OCR = 'document-ocr';
const NARROW = { width: 320, height: 640 };
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

let house;
before(async () => (house = await House.open()));
after(() => house?.close());

const as = (options, action) => visit(() => house, options, action);

// --- what is true on every page ---

async function violations(page, runOnly) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(`${axe.source};0`);
  const options = { runOnly, resultTypes: ['violations'], preload: false };
  const found = await page.evaluate((how) => window.axe.run(document, how), options);
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary ?? ''}`));
}

// Each width and each colour scheme has one look that is examined for everything; the other two differ in colours only.
const COLOURS = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };
const looks = [
  ['desktop, light', DESKTOP, 'light', TAGS],
  ['desktop, dark', DESKTOP, 'dark', COLOURS],
  ['phone, dark', PHONE, 'dark', TAGS],
  ['phone, light', PHONE, 'light', COLOURS],
];

// What axe says about the page that is open now, in every look.
async function inEveryLook(page, name, language) {
  const found = [];
  for (const [look, viewport, colorScheme, rules] of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await saveScreenshot(page, `${name}-${language}-${look}`);
    found.push(...(await violations(page, rules)).map((text) => `(${look}) ${text}`));
  }
  return found;
}

// What sticks out of a narrow screen.
async function tooWide(page) {
  await page.setViewportSize(NARROW);
  const wide = await page.evaluate(() => {
    const root = document.documentElement, width = root.clientWidth;
    if (root.scrollWidth <= width) return [];
    const out = ({ left, right }) => right > width + 1 || left < -1;
    const culprits = [...document.querySelectorAll('body *')].filter((element) => out(element.getBoundingClientRect()));
    return [`the page is ${root.scrollWidth} px wide`, ...culprits.map((element) => `${element.localName}.${element.className}`)];
  });
  await page.setViewportSize(DESKTOP);
  return wide;
}

const politeRegions = (page) =>
  page.evaluate(() => document.querySelectorAll('[aria-live=polite], [role=status]:not([aria-live]), [role=log]:not([aria-live]), output').length);

// nginx's own pages are plain and in both languages: no script, no live region.
const isNginx = (name) => ['error-404-static', 'error-414'].includes(name);

async function walk(person) {
  const { page, language } = person, found = { pages: [], axe: [], regions: [], language: [], wide: [] };
  await everyPage(person, async (name) => {
    const add = (list, texts) => list.push(...texts.map((text) => `${name}: ${text}`));
    found.pages.push(name);
    add(found.axe, await inEveryLook(page, name, language));
    add(found.wide, await tooWide(page));
    if (isNginx(name)) return;
    const regions = await politeRegions(page), says = await person.document();
    if (regions !== 1) add(found.regions, [`${regions} polite live regions`]);
    if (says.language !== language || says.direction !== (language === 'fa' ? 'rtl' : 'ltr')) add(found.language, [JSON.stringify(says)]);
  });
  return found;
}

describe('Every page', () => {
  for (const language of LANGUAGES) {
    let found = {};
    test(`can be reached, in ${language}, without an error in the console`, as({ language }, async (person) => {
      await person.context.grantPermissions(['notifications']); // for a button that is not there otherwise
      found = await walk(person);
      assert.equal(new Set(found.pages).size, found.pages.length);
    }));
    test(`has no violation that axe-core knows, light and dark, wide and narrow (${language})`, () => assert.deepEqual(found.axe, []));
    test(`has exactly one polite live region (${language})`, () => assert.deepEqual(found.regions, []));
    test(`names its language and its direction (${language})`, () => assert.deepEqual(found.language, []));
    test(`does not scroll sideways at 320 px (${language})`, () => assert.deepEqual(found.wide, []));
  }
});

describe('The progress page', () => {
  for (const language of LANGUAGES) {
    test(`tells its bar's name and value to everybody (${language})`, as({ language, clock: true }, async (person) => {
      const { page } = person;
      const hash = await person.requestHanging();
      await person.openRequest('progress', hash);
      const bar = page.getByRole('progressbar', { name: person.words('progress.label'), exact: true });
      await bar.waitFor();
      assert.equal(await bar.count(), 1);
      const value = await bar.evaluate((element) => [element.value ?? Number(element.getAttribute('aria-valuenow')), element.max]);
      assert.deepEqual(value, [30, 100]);
      await house.report(hash, { progress: 50, step: 'recognizing' });
      await person.look();
      await page.waitForFunction(() => document.querySelector('progress').value === 50);
      const current = page.locator('li[aria-current=step]');
      assert.equal(await current.count(), 1);
      assert.ok((await current.innerText()).includes(stepLabel(language, OCR, 'recognizing')));
      await person.act(hash, 'cancel');
    }));
  }
});

describe('The keyboard alone', () => {
  const focused = (locator) => locator.evaluate((element) => element === document.activeElement);

  // Tab until the focus is there.
  async function tabTo(page, locator) {
    for (let i = 0; i < 40; i++) {
      if (await focused(locator)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`the Tab key does not reach ${locator}`);
  }

  test('is enough for the whole journey, cancelling included', as({ clock: true }, async (person) => {
    const { page, peygir } = person;
    await page.goto('/');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.localName), 'main', 'the first stop skips to the content');
    const service = page.locator('main').getByRole('link').first();
    await tabTo(page, service);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/services\//);
    await page.goto(`/services/${CREDIT}`);
    await tabTo(page, person.field(CREDIT, 'mobile'));
    await page.keyboard.type(MOBILE);
    await page.keyboard.press('Tab');
    await page.keyboard.type(NATIONAL_CODE);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/(progress|otp)\/req_/);
    await peygir.status(person.hash, 'otp_required');
    await person.lookUntil(/\/otp\//);
    await tabTo(page, page.getByLabel(person.words('otp.label'), { exact: true }));
    await page.keyboard.type(CODE);
    await page.keyboard.press('Enter');
    await person.lookUntil(/\/result\//);
    await person.sees('result.heading_completed');

    await person.openRequest('progress', await person.requestHanging());
    const cancel = page.locator('summary').filter({ hasText: person.words('progress.cancel') });
    await tabTo(page, cancel);
    await page.keyboard.press('Enter');
    await tabTo(page, person.button('progress.cancel_confirm'));
    await page.keyboard.press('Enter');
    await person.sees('result.heading_cancelled');
  }));

  test('always shows where it is', as({ language: 'fa' }, async (person) => {
    const { page } = person;
    await page.goto(`/services/${OCR}`);
    const bare = [];
    for (let stops = 0; stops < 20; stops++) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const element = document.activeElement, style = getComputedStyle(element);
        return { at: element.outerHTML.slice(0, 80), body: element === document.body, outline: style.outlineStyle, shadow: style.boxShadow };
      });
      if (stop.body) break;
      if (stop.outline === 'none' && stop.shadow === 'none') bare.push(stop.at);
    }
    assert.deepEqual(bare, []);
  }));
});

describe('Paper', () => {
  test('has the result and its reference, and nothing that one can only click', as({ language: 'fa' }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    await person.act(hash, 'otp', { otp: CODE });
    await peygir.status(hash, 'completed');
    await person.openRequest('result', hash, CREDIT);
    await person.button('result.print').waitFor();
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    for (const element of await page.locator('nav, button, .skip, main a.button').all()) {
      assert.equal(await element.isVisible(), false, `${await element.evaluate((e) => e.outerHTML)} is printed`);
    }
    const text = await person.text();
    assert.ok(text.includes(hash), 'the reference is printed');
    assert.ok(text.includes(digits('fa', 742)), 'the result is printed');
    const ink = await page.locator('dd').first().evaluate((element) => {
      const paper = getComputedStyle(document.body).backgroundColor, card = getComputedStyle(element.closest('section')).backgroundColor;
      return { paper, card, text: getComputedStyle(element).color };
    });
    const light = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
    assert.ok(/rgba\(.*, 0\)/.test(ink.paper) || light(ink.paper) > 200, `paper is ${ink.paper}`);
    assert.ok(/rgba\(.*, 0\)/.test(ink.card) || light(ink.card) > 200, `a card on paper is ${ink.card}`);
    assert.ok(light(ink.text) < 100, `ink is ${ink.text}`);
    await saveScreenshot(page, 'print-fa');
  }));
});
