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
});
