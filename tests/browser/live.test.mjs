// live.test.mjs: what happens to a request is on the screen at once, by the stream of events alone; and by looking, where there is none.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { waitFor } from '../lib/peygir.mjs';
import { House, visit } from './lib.mjs';

let house;
before(async () => (house = await House.open()));
after(() => house?.close());

const as = (options, action) => visit(() => house, options, action);
const viewers = async (hash) => (await house.peygir.redis.pubsub('NUMSUB', `local_request_updates:${hash}`))[1];

// A request that a bot has begun, its progress page open, and every look at the status in vain.
async function watching(person) {
  person.tolerate(/net::ERR_FAILED/);
  await person.page.route(/\/status$/, (route) => route.abort());
  const hash = await person.requestHanging();
  await house.peygir.status(hash, 'processing');
  await person.openRequest('progress', hash);
  await waitFor(async () => (await viewers(hash)) === 2, { what: 'push to listen, beside the worker' });
  return hash;
}

async function setHidden(page, hidden) {
  await page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}

describe('What happens to a request is on the screen at once', () => {
  test('step, message and bar move on though no look at the status gets through, and the end leads to the result', as({}, async (person) => {
    const { page } = person;
    const hash = await watching(person);
    await house.report(hash, { progress: 50, step: 'recognizing', current_message: 'Page three of seven' });
    await person.shown('Page three of seven').waitFor();
    assert.equal(await page.getByRole('progressbar').getAttribute('value'), '50');
    await person.act(hash, 'cancel');
    await page.waitForURL(/\/result\//);
    await person.sees('result.heading_cancelled');
  }));

  test('in two tabs alike', as({}, async (person) => {
    const hash = await watching(person);
    const second = await person.context.newPage();
    await second.route(/\/status$/, (route) => route.abort());
    await second.goto(person.page.url());
    await house.report(hash, { progress: 60, current_message: 'Page four of seven' });
    await person.shown('Page four of seven').waitFor();
    await second.getByText('Page four of seven').first().waitFor();
    await person.act(hash, 'cancel');
    await person.page.waitForURL(/\/result\//);
    await second.waitForURL(/\/result\//);
  }));

  test('what one tab learns, another shows whose stream and looks fail, hidden or not', as({}, async (person) => {
    const { page, context } = person;
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    const others = [await context.newPage(), await context.newPage()];
    for (const other of others) {
      await other.route(/\/(events|status)$/, (route) => route.abort());
      await other.goto(page.url());
    }
    await setHidden(others[1], true);
    await house.report(hash, { progress: 60, current_message: 'Page four of seven' });
    for (const other of others) await other.getByText('Page four of seven').first().waitFor();
    await person.act(hash, 'cancel');
    for (const tab of [page, ...others]) await tab.waitForURL(/\/result\//);
  }));

  test('where tabs cannot talk to each other, each looks for itself', as({ clock: true }, async (person) => {
    await person.context.addInitScript(() => delete window.BroadcastChannel);
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    await house.report(hash, { progress: 60, current_message: 'Page four of seven' });
    await person.shown('Page four of seven').waitFor();
    await person.act(hash, 'cancel');
    await person.page.waitForURL(/\/result\//);
  }));

  test('a hidden tab keeps no stream, and is told what it missed when it is seen again', as({}, async (person) => {
    const { page } = person;
    const hash = await watching(person);
    await setHidden(page, true);
    await waitFor(async () => (await viewers(hash)) === 1, { what: 'the stream to be closed' });
    await house.report(hash, { progress: 70, current_message: 'Page five of seven' });
    await setHidden(page, false);
    await person.shown('Page five of seven').waitFor();
    await person.act(hash, 'cancel');
    await page.waitForURL(/\/result\//);
  }));

  test('push is killed: the page comes back by itself and has missed nothing', as({}, async (person) => {
    const { page, peygir } = person;
    person.tolerate(/ERR_INCOMPLETE_CHUNKED_ENCODING|status of 50[24] .*\/events\)/);
    const hash = await watching(person);
    peygir.kill('push');
    await house.report(hash, { progress: 80, current_message: 'Page six of seven' });
    await page.unroute(/\/status$/); // a browser does not come back to a stream that was refused once; the page does, after a look
    await person.shown('Page six of seven').waitFor();
    await waitFor(async () => (await viewers(hash)) === 2, { timeout: 60_000, what: 'the page to listen again' });
    await person.act(hash, 'cancel');
    await page.waitForURL(/\/result\//);
  }));

  test('where no stream gets through, looks move the page on', as({ clock: true }, async (person) => {
    const { page } = person;
    person.tolerate(/net::ERR_FAILED/);
    await page.route(/\/events$/, (route) => route.abort());
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    await house.report(hash, { progress: 50, current_message: 'Page three of seven' });
    await person.look();
    await person.shown('Page three of seven').waitFor();
    await person.act(hash, 'cancel');
    await person.lookUntil(/\/result\//);
  }));

  test('where a proxy keeps back all of a stream, looks go on', as({ clock: true }, async (person) => {
    const { page } = person;
    let asked = 0;
    await page.route(/\/events$/, () => void asked++); // never answered
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    await waitFor(() => asked === 1, { what: 'the page to ask for a stream' });
    await house.report(hash, { progress: 50, current_message: 'Page three of seven' });
    await person.look();
    await person.shown('Page three of seven').waitFor();
    await person.act(hash, 'cancel');
    await person.lookUntil(/\/result\//);
  }));

  test('where one keeps back all but the beginning, the page does not believe in streams any more', as({ clock: true }, async (person) => {
    const { page } = person;
    await page.addInitScript(() => {
      window.EventSource = class extends EventTarget {
        constructor(url) {
          super();
          const now = fetch(url.replace(/events$/, 'status?by=stream')).then((answer) => answer.text());
          now.then((data) => this.dispatchEvent(new MessageEvent('update', { data })));
        }

        close() {}
      };
    });
    const hash = await person.requestHanging();
    const begun = page.waitForResponse(/by=stream$/);
    await person.openRequest('progress', hash);
    await (await begun).finished();
    await house.report(hash, { progress: 50, current_message: 'Page three of seven' });
    await person.lookFor(person.shown('Page three of seven')); // the watchdog
    for (let i = 0; i < 3; i++) {
      const looked = page.waitForResponse(/\/status$/);
      await page.clock.runFor(5_000);
      await (await looked).finished();
    }
    await person.act(hash, 'cancel');
    await person.lookUntil(/\/result\//);
  }));

  test('a failed request that is opened again has its result page move on, a hidden one when it is seen', as({ clock: true }, async (person) => {
    const { page, peygir, context } = person;
    const hash = await person.requestOcr('file-fail');
    await peygir.status(hash, 'failed');
    await waitFor(async () => (await peygir.cliJson('failed', 'list')).some(({ id }) => id === hash), { what: 'the job to be kept' });
    await person.openRequest('result', hash);
    await person.sees('result.heading_failed');
    assert.equal(await viewers(hash), 0);
    const second = await context.newPage();
    await second.goto(page.url());
    await setHidden(second, true);
    await house.without('worker', async () => {
      await peygir.cli('failed', 'retry', hash);
      await person.lookUntil(/\/progress\//);
      await second.waitForURL(/\/progress\//); // told by the first
    });
  }));

  test('one that fails again shows how', as({ clock: true }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestOcr('file-fail');
    const { revision } = await peygir.status(hash, 'failed');
    await waitFor(async () => (await peygir.cliJson('failed', 'list')).some(({ id }) => id === hash), { what: 'the job to be kept' });
    await person.openRequest('result', hash);
    await page.evaluate(() => (window.isFirst = true));
    await peygir.cli('failed', 'retry', hash);
    await waitFor(async () => (await peygir.status(hash, 'failed')).revision > revision, { what: 'another end' });
    await person.lookWhile(() => page.waitForFunction(() => !window.isFirst, null, { timeout: 500 }), 'another result page');
    await page.waitForURL(/\/result\//);
  }));
});
