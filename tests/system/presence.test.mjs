// presence.test.mjs: which users of the host site are here, and when they were last: /api/internal/presence.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { OCR } from '../lib/demo.mjs';
import { isAlive, start, waitFor } from '../lib/peygir.mjs';
import { bearers, signedIn } from '../lib/programs.mjs';
import { Visitor } from '../lib/visitor.mjs';

const PRESENCE = '/api/internal/presence';
const SESSIONS = '/api/internal/sessions';
const DEVICES = '/account/sessions';
const SCAN = { file_id: 'scan-1', language: 'en' };
const ONLINE_MS = 60_000;
const MOST = 100;
const LONGEST = 128;

let peygir, bearer;

before(async () => {
  peygir = await start();
  bearer = await bearers(peygir);
});
after(() => peygir?.stop());

const site = () => new Visitor(peygir.base, { headers: bearer.site });
const asked = (query) => site().get(PRESENCE + query);
const queryOf = (...users) => `?${new URLSearchParams({ users: users.join(',') })}`;

async function presenceOf(...users) {
  const answer = await asked(queryOf(...users));
  assert.equal(answer.status, 200, answer.html);
  return answer.json.users;
}

const browser = (user) => signedIn(peygir, bearer, user);

// What is posted goes out after the answer.
const online = (user) => waitFor(async () => {
  const { [user]: found } = await presenceOf(user);
  return found.online && found;
}, { what: `${user} to be online` });

// As when a minute is over, and with it the 20 seconds in which nobody is told of again: a responder that remembers nothing.
async function aMinuteLater(user) {
  const old = peygir.kill('web', 'SIGTERM');
  await waitFor(() => !isAlive(old), { what: 'the responder to end' });
  await peygir.ready();
  await peygir.redis.del(`peygir:presence:${user}`);
}

const assertProblem = (answer, status) => {
  assert.equal(answer.status, status, answer.html);
  assert.equal(answer.type, 'application/problem+json');
  return answer.json;
};

describe('A user who is signed in', () => {
  test('is online from the link on, for a minute, and then last seen', async () => {
    assert.deepEqual(await presenceOf('sara'), { sara: { online: false, last_seen: null } });
    await browser('sara');
    const { last_seen } = await online('sara');
    assert.match(last_seen, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const left = await peygir.redis.pttl('peygir:presence:sara');
    assert.ok(left > 0 && left <= ONLINE_MS, String(left));
    await peygir.redis.del('peygir:presence:sara');
    assert.deepEqual(await presenceOf('sara'), { sara: { online: false, last_seen } });
  });

  test('is kept online by a page, and by a poll, which is no activity of a session', async () => {
    const person = await browser('reza');
    const hash = await person.request(OCR, SCAN);
    for (const path of [DEVICES, `/api/local-requests/${hash}/status`, `/services/${OCR}/progress/${hash}?auto=1`]) {
      await aMinuteLater('reza');
      assert.equal((await presenceOf('reza')).reza.online, false);
      assert.ok((await person.get(path)).status < 400, path);
      await online('reza');
    }
  });

  test('costs Redis nothing while the page looks again and again', async () => {
    const person = await browser('often');
    const hash = await person.request(OCR, SCAN);
    await online('often');
    await aMinuteLater('often');
    const told = [];
    const monitor = await peygir.redis.monitor();
    peygir.clients.push(monitor);
    monitor.on('monitor', (time, words) => told.push(words.join(' ')));
    for (let i = 0; i < 50; i++) await person.view(hash);
    await waitFor(async () => {
      await peygir.redis.ping('until here');
      return told.includes('ping until here');
    });
    const times = told.filter((line) => /^set peygir:presence:often /i.test(line)).length;
    assert.ok(times === 1 || times === 2, `${times} times; two when 20 seconds were over meanwhile`);
  });

  test('who signs out goes on being online until the minute is over', async () => {
    const person = await browser('leaver');
    await online('leaver');
    const page = await person.get(DEVICES);
    assert.equal((await person.send(page.form('/account/sign-out'))).status, 303);
    assert.equal((await person.get(DEVICES)).status, 403);
    assert.equal((await presenceOf('leaver')).leaver.online, true);
  });

  test('is not online because the host site asks about a session', async () => {
    const signedIn = await site().fetch(SESSIONS, { method: 'POST', body: '{"user_id":"absent"}', headers: { 'content-type': 'application/json' } });
    assert.equal((await site().get(`${SESSIONS}/current`, { 'peygir-session': signedIn.json.token })).status, 200);
    assert.deepEqual(await presenceOf('absent'), { absent: { online: false, last_seen: null } });
  });

  test('alone is looked at: visitors leave no trace', async () => {
    const known = await peygir.redis.zcard('peygir:presence');
    const visitor = peygir.visitor();
    const hash = await visitor.request(OCR, SCAN);
    await visitor.view(hash);
    assert.equal((await visitor.get('/requests')).status, 200);
    assert.equal(await peygir.redis.zcard('peygir:presence'), known);
  });
});

describe('A host site', () => {
  test('asks about many users at once, in its own order, about each once', async () => {
    const users = Array.from({ length: MOST }, (_, i) => `user-${i}`);
    assert.deepEqual(Object.keys(await presenceOf(...users)), users);
    assert.deepEqual(Object.keys(await presenceOf('b', 'a', 'b')), ['b', 'a']);
    assert.deepEqual(Object.keys(await presenceOf(...users, ...users.slice(0, 5))), users);
  });

  test('may write commas as they are or encoded, and ids in any letters', async () => {
    const ids = ['سارا', 'a b', 'a"b\\', 'x'.repeat(LONGEST)];
    await browser('سارا');
    await online('سارا');
    for (const comma of [',', '%2C']) {
      const { users } = (await asked(`?users=${ids.map(encodeURIComponent).join(comma)}`)).json;
      assert.deepEqual(Object.keys(users), ids);
      assert.deepEqual(ids.map((id) => users[id].online), [true, false, false, false]);
    }
  });

  test('is told what is wrong with the list, without what stands in it', async () => {
    const many = Array.from({ length: MOST + 1 }, (_, i) => `u${i}`).join(',');
    for (const query of ['', '?', '?users', '?users=', '?user=a', '?users=,', '?users=secret,', '?users=,secret', '?users=secret,,b', '?users=secret%0A', '?users=secret%7F',
      `?users=${'x'.repeat(LONGEST + 1)}`, `?users=${many}`]) {
      const { detail } = assertProblem(await asked(query), 422);
      assert.match(detail, /^users must be 1 to 100 user ids/, query);
      assert.doesNotMatch(detail, /secret/);
    }
  });

  test('is refused what is no text, and a list that comes twice', async () => {
    for (const query of ['?users=%FF', '?users=%ED%A0%80', '?users=%0', '?users=a%00', '?users=a&users=b']) assertProblem(await asked(query), 400);
  });

  test('needs a token of role site', async () => {
    for (const role of ['bot', 'api']) assertProblem(await new Visitor(peygir.base, { headers: bearer[role] }).get(PRESENCE + queryOf('a')), 403);
    const nobody = assertProblem(await peygir.visitor().get(PRESENCE + queryOf('a')), 401);
    assert.equal(nobody.users, undefined);
    const person = await browser('curious');
    assertProblem(await person.get(PRESENCE + queryOf('a')), 401);
    assertProblem(await site().fetch(PRESENCE + queryOf('a'), { method: 'POST', body: '' }), 405);
  });

  test('hears 503 while Redis is away, and the pages that need no user are there all the same', async () => {
    const pid = peygir.pid('redis');
    process.kill(pid, 'SIGSTOP');
    try {
      const answer = await asked(queryOf('a'));
      assertProblem(answer, 503);
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
      assert.equal((await peygir.visitor().get('/')).status, 200);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await peygir.ready();
    assert.equal((await presenceOf('a')).a.online, false);
  });
});
