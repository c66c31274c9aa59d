// notify.test.mjs: who wants it is told by the browser that the code is needed or the work has ended: once, and only while nobody looks.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { waitFor } from '../lib/peygir.mjs';
import { CODE, House, LANGUAGES, PHONE, saveScreenshot, title, visit } from './lib.mjs';

const CREDIT = 'credit-score-rating';
const OCR = 'document-ocr';

let house;
before(async () => (house = await House.open()));
after(() => house?.close());

const as = (options, action) => visit(() => house, options, (person, t) => recorded(person).then(() => action(person, t)));
const viewers = async (hash) => (await house.peygir.redis.pubsub('NUMSUB', `local_request_updates:${hash}`))[1];
const listened = (hash, yes) =>
  waitFor(async () => (await viewers(hash)) === (yes ? 2 : 1), { what: yes ? 'push to listen, beside the worker' : 'push to listen no more' });

// A browser that writes down what it would show (person.notices), says `person.answer` when it is asked, and whose tabs can be hidden.
async function recorded(person) {
  const { context } = person;
  person.notices = [];
  person.says = 'granted';
  await context.exposeBinding('recordNotice', ({ page }, notice) => void person.notices.push({ page, ...notice }));
  await context.exposeBinding('askPerson', () => person.says);
  await context.addInitScript(() => {
    Object.defineProperty(document, 'hidden', { get: () => sessionStorage.getItem('hidden') === 'yes' });
    window.Notification = class extends EventTarget {
      static get permission() {
        return localStorage.getItem('permission') ?? 'default';
      }

      static async requestPermission() {
        localStorage.setItem('permission', await window.askPerson());
        return Notification.permission;
      }

      constructor(heading, options) {
        super();
        if (Notification.permission === 'granted') window.recordNotice({ heading, ...options });
        window.notice = this;
      }

      close() {
        this.closed = true;
      }
    };
  });
}

const hide = (page, hidden) =>
  page.evaluate((value) => {
    sessionStorage.setItem('hidden', value);
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden ? 'yes' : 'no');

async function anotherTab(person, url = person.page.url()) {
  const page = await person.context.newPage();
  await page.goto(url);
  return page;
}

const buttonOn = (page, person) => page.getByRole('button', { name: person.words('notify.label'), exact: true });

const pressed = (page, person, value) =>
  buttonOn(page, person).and(page.locator(`[aria-pressed=${value}]`)).waitFor();

async function press(person) {
  await buttonOn(person.page, person).click();
  await pressed(person.page, person, true);
}

const noticeOf = (person, slug, hash, key) => ({
  heading: `${title(person.language, slug)} – ${person.words('site.name')}`,
  body: person.words(key),
  tag: hash,
  renotify: true,
  lang: person.language,
  dir: person.language === 'fa' ? 'rtl' : 'ltr',
});

// A tab that hears nothing looks every thirty seconds.
const noticed = (person, count, what = 'a notice') => waitFor(() => person.notices.length >= count, { what, timeout: 45_000 });
const shown = (person) => person.notices.map(({ page, ...notice }) => notice);

// The end that a bot reports which knows only Redis.
const fail = (hash) => house.report(hash, { status: 'failed', error_data: { code: 'X', message: 'No such page', retryable: false } });

// A request that hangs, its page open and notices switched on.
async function waiting(person) {
  const hash = await person.requestHanging();
  await person.openRequest('progress', hash);
  await press(person);
  return hash;
}

describe('The button for notices', () => {
  for (const language of LANGUAGES) {
    test(`is a switch that this browser remembers, in all tabs (${language})`, as({ language }, async (person) => {
      const { page } = person;
      const hash = await waiting(person);
      await saveScreenshot(page, `notify-on-${language}`);
      await page.reload();
      await pressed(page, person, true);
      const second = await anotherTab(person);
      await pressed(second, person, true);
      await buttonOn(page, person).click();
      await pressed(second, person, false);
      await page.setViewportSize(PHONE);
      await saveScreenshot(page, `notify-off-${language}-phone`);
      await person.act(hash, 'cancel');
    }));
  }

  test('gives way to a sentence when the browser says no, and is not offered again', as({}, async (person) => {
    const { page } = person;
    person.says = 'denied';
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    await buttonOn(page, person).click();
    await person.shown(person.words('notify.refused')).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.part), 'notify-hint');
    await page.reload();
    await page.locator('[data-part=notify]').waitFor({ state: 'hidden' });
    await person.act(hash, 'cancel');
  }));

  test('stays up when the question is not answered', as({}, async (person) => {
    person.says = 'default';
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    await buttonOn(person.page, person).click();
    await pressed(person.page, person, false);
    await person.act(hash, 'cancel');
  }));

  const lacking = {
    'there are no notices': () => delete window.Notification,
    'only service workers may show them': () => (window.Notification = class { static permission = 'default'; constructor() { throw new TypeError(); } }),
    'there are no locks': () => delete Navigator.prototype.locks,
    'nothing can be stored': () => delete window.localStorage,
  };
  for (const [why, take] of Object.entries(lacking)) {
    test(`is not there where ${why}, and nothing breaks`, as({}, async (person) => {
      const hash = await person.requestHanging();
      await person.context.addInitScript(take);
      await person.openRequest('progress', hash);
      await house.report(hash, { current_message: 'Page three of seven' });
      await person.shown('Page three of seven').waitFor();
      assert.equal(await buttonOn(person.page, person).count(), 0);
      await person.act(hash, 'cancel');
    }));
  }

  test('is not there without JavaScript', visit(() => house, { javascript: false }, async (person) => {
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    assert.equal(await buttonOn(person.page, person).count(), 0);
    await person.act(hash, 'cancel');
  }));
});

describe('A notice', () => {
  for (const language of LANGUAGES) {
    test(`comes when the code is needed and when the result is there, and leads to them (${language})`, as({ language }, async (person) => {
      const { page, peygir } = person;
      const hash = await house.without('worker', async () => {
        const made = await person.requestCredit();
        await person.openRequest('progress', made, CREDIT);
        await press(person);
        await hide(page, true);
        return made;
      });
      await peygir.status(hash, 'otp_required');
      await noticed(person, 1, 'a notice about the code');
      await page.evaluate(() => {
        window.focus = () => {
          sessionStorage.setItem('hidden', 'no');
          document.dispatchEvent(new Event('visibilitychange'));
        };
        window.notice.dispatchEvent(new Event('click'));
      });
      await page.waitForURL(/\/otp\//);
      await pressed(page, person, true);
      await hide(page, true);
      await person.act(hash, 'otp', { otp: CODE });
      await peygir.status(hash, 'completed');
      await noticed(person, 2, 'a notice about the result');
      const expected = [['otp.heading'], ['result.heading_completed']].map(([key]) => noticeOf(person, CREDIT, hash, key));
      assert.deepEqual(shown(person), expected);
    }));
  }

  test('is one, however many hidden tabs there are, and one of them has a stream', as({}, async (person) => {
    const hash = await waiting(person), tabs = [person.page, await anotherTab(person), await anotherTab(person)];
    for (const tab of tabs) await hide(tab, true);
    let asked = 0;
    person.context.on('request', (request) => (asked += request.url().endsWith('/events')));
    await listened(hash, true);
    await fail(hash);
    await noticed(person, 1);
    const [{ page: bell }] = person.notices;
    for (const tab of tabs.filter((one) => one !== bell)) await tab.waitForURL(/\/result\//);
    assert.match(bell.url(), /\/progress\//);
    assert.ok(asked <= 1, `${asked} streams`);
    await hide(bell, false);
    await bell.waitForURL(/\/result\//);
    assert.deepEqual(shown(person), [noticeOf(person, OCR, hash, 'result.heading_failed')]);
  }));

  test('does not come while a tab of the request is seen', as({}, async (person) => {
    const hash = await waiting(person);
    await hide(person.page, true);
    await listened(hash, true);
    const second = await anotherTab(person);
    await second.waitForFunction(async () => (await navigator.locks.query()).pending.length > 0);
    await fail(hash);
    await second.waitForURL(/\/result\//);
    await person.page.waitForURL(/\/result\//);
    assert.deepEqual(person.notices, []);
  }));

  test('does not come to who switched it off, and a hidden tab keeps no stream then', as({}, async (person) => {
    const hash = await waiting(person), second = await anotherTab(person);
    await hide(second, true);
    await buttonOn(person.page, person).click();
    await pressed(second, person, false);
    await hide(person.page, true);
    await listened(hash, false);
    await fail(hash);
    await hide(person.page, false);
    await person.page.waitForURL(/\/result\//);
    await second.waitForURL(/\/result\//);
    assert.deepEqual(person.notices, []);
  }));

  test('comes by a look where another request has the stream', as({ clock: true }, async (person) => {
    const { page } = person, other = await waiting(person);
    await hide(page, true);
    await listened(other, true);
    const hash = await person.requestHanging(), second = await anotherTab(person, `/services/${OCR}/progress/${hash}`);
    await hide(second, true);
    await listened(hash, false);
    await fail(hash);
    await waitFor(async () => {
      await second.clock.runFor(5_000);
      return person.notices.length > 0;
    }, { timeout: 30_000, what: 'a notice' });
    assert.deepEqual(shown(person), [noticeOf(person, OCR, hash, 'result.heading_failed')]);
    await person.act(other, 'cancel');
  }));
});
