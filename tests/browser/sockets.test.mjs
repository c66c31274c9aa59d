// sockets.test.mjs: WebSockets of a real browser: its Content-Security-Policy lets a page of the site open one, and a page of another origin gets none.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { House, visit } from './lib.mjs';

let house;
before(async () => (house = await House.open()));
after(() => house?.close());

const as = (options, action) => visit(() => house, options, action);

// In the page: what it hears is kept in window.heard.
const connect = (page, url, ...topics) => page.evaluate(([address, subscribe]) => {
  window.heard = [];
  window.socket = new WebSocket(address);
  window.socket.onopen = () => window.socket.send(JSON.stringify({ subscribe }));
  window.socket.onmessage = ({ data }) => window.heard.push(JSON.parse(data));
  window.socket.onclose = ({ code }) => (window.closeCode = code);
}, [url, topics]);
const hears = async (page, member, value) => {
  const found = await page.waitForFunction(([name, wanted]) => window.heard.find((message) => message[name] === wanted), [member, value]);
  return found.jsonValue();
};
const addressOf = (person) => new URL('/ws', person.peygir.base.replace(/^http/, 'ws')).href;

describe('A WebSocket of a browser', () => {
  test('tells a page of the site what happens to the visitor\'s request, to its end', as({}, async (person) => {
    const { page } = person;
    const hash = await person.requestHanging();
    const topic = `request:${hash}`;
    await page.goto('/requests');
    await connect(page, addressOf(person), topic);
    await hears(page, 'subscribed', topic);
    await house.report(hash, { progress: 50, current_message: 'Page three of seven' });
    await page.waitForFunction(() => window.heard.some(({ data }) => data?.current_message === 'Page three of seven'));
    await person.act(hash, 'cancel');
    await hears(page, 'ended', topic);
    const updates = await page.evaluate(() => window.heard.filter(({ event }) => event === 'update').map(({ data }) => data));
    assert.equal(updates.at(-1).is_cancelled, true);
    assert.equal(await page.evaluate(() => window.socket.readyState), 1, 'the connection stays');
  }));

  test('tells a user what is for them', as({}, async (person) => {
    const { page, peygir } = person;
    await page.goto(await house.signIn('sara'));
    await connect(page, addressOf(person), 'notifications');
    await hears(page, 'subscribed', 'notifications');
    await peygir.redis.publish('peygir:notifications:user:sara', JSON.stringify({ type: 'notification', user_id: 'sara', message: 'Your parcel is here' }));
    const { data } = await hears(page, 'event', 'message');
    assert.equal(data.message, 'Your parcel is here');
  }));

  test('is refused to a page of another origin, though the browser sends the cookie along', as({}, async (person) => {
    const { page } = person;
    const cookies = [];
    const other = http.createServer((request, response) => {
      cookies.push(request.headers.cookie ?? '');
      response.end('<!doctype html><title>elsewhere</title>');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const hash = await person.requestHanging();
      await page.goto(`http://127.0.0.1:${other.address().port}/`);
      assert.match(cookies[0], /peygir_session=/, 'for the browser it is one site');
      person.tolerate(/WebSocket connection to .* failed: .* Unexpected response code: 403/);
      await connect(page, addressOf(person), `request:${hash}`);
      await page.waitForFunction(() => window.closeCode);
      assert.deepEqual(await page.evaluate(() => [window.closeCode, window.heard]), [1006, []]);
      assert.ok(person.trouble.some((text) => /Unexpected response code: 403/.test(text)), person.trouble.join('\n'));
      await person.act(hash, 'cancel');
    } finally {
      other.closeAllConnections();
      other.close();
    }
  }));
});
