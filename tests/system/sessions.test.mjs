// sessions.test.mjs: users whom the host site signs in: links, devices, limits; and data that people delete at once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CODE, CREDIT, GOOD, OCR, enter, progressPath, resultPath, untilCode } from '../lib/demo.mjs';
import { open as openStream } from '../lib/events.mjs';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { start, waitFor } from '../lib/peygir.mjs';
import { timed } from '../lib/wait.mjs';
import { Visitor } from '../lib/visitor.mjs';

const SESSIONS = '/api/internal/sessions';
const DEVICES = '/account/sessions';
const SCAN = { file_id: 'scan-1', language: 'en' };
const HANGING = { file_id: 'file-hang', language: 'en' };
const MOST = 3;
const IDLE_S = 600;
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
const CHROME = 'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36';

let peygir;
let sessions; // the database of sessions
const bearer = {};

before(async () => {
  peygir = await start({ env: { SESSION_MAX_PER_USER: String(MOST), SESSION_IDLE: String(IDLE_S) } });
  sessions = peygir.connect();
  peygir.clients.push(sessions);
  await sessions.select(2);
  for (const role of ['site', 'bot', 'api']) {
    const { token } = await peygir.cliJson('token', 'create', '--role', role, role);
    bearer[role] = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  }
});
after(() => peygir?.stop());

// --- what a host site does ---

const site = () => new Visitor(peygir.base, { headers: bearer.site });
const asked = (path, body, headers) => site().fetch(path, { method: 'POST', body: JSON.stringify(body), headers });

async function signIn(user_id, more = {}) {
  const answer = await asked(SESSIONS, { user_id, ...more });
  assert.equal(answer.status, 201, answer.html);
  return answer.json;
}

const current = (token) => site().get(`${SESSIONS}/current`, { 'peygir-session': token });
const revoke = async (body) => (await asked(`${SESSIONS}/revoke`, body)).json.revoked;

// A browser that comes in by a link of the host site.
async function browser(user_id, agent = FIREFOX, person = peygir.visitor({ headers: { 'user-agent': agent } })) {
  const { token, enter_url } = await signIn(user_id);
  const answer = await person.get(enter_url);
  assert.equal(answer.status, 303, answer.text);
  assert.equal(person.cookies.get('peygir_session'), token);
  person.csrf = undefined; // it is a new one
  return person;
}

const cookieOf = (person) => person.cookies.get('peygir_session');
const isSignedIn = async (person) => (await person.get(DEVICES)).status === 200;
const keyOf = async (token) => `peygir:session:${await digestOf(token)}`;

async function digestOf(text) {
  const { createHash } = await import('node:crypto');
  return createHash('sha256').update(text).digest('hex');
}

// As if nobody had done anything for so long.
async function letRest(token, seconds) {
  const key = await keyOf(token), session = JSON.parse(await sessions.get(key));
  session.last_activity -= seconds * 1000;
  await sessions.set(key, JSON.stringify(session), 'KEEPTTL');
}

describe('A host site', () => {
  test('signs a user in with a token of role site, and nobody else does', async () => {
    const { token, enter_url } = await signIn(42, { role: 'member', email: 'sara@example.org', metadata: { plan: 'gold', n: [1.50, {}] } });
    assert.match(token, /^[0-9a-f]{64}$/);
    assert.match(enter_url, /^\/enter\?ticket=[0-9a-f]{64}$/);
    const who = await current(token);
    assert.equal(who.status, 200, who.html);
    const { user_id, role, email, metadata } = who.json;
    assert.deepEqual({ user_id, role, email, metadata }, { user_id: '42', role: 'member', email: 'sara@example.org', metadata: { plan: 'gold', n: [1.5, {}] } });
    for (const role of ['bot', 'api']) assert.equal((await asked(SESSIONS, { user_id: 'x' }, bearer[role])).status, 403);
    const nobody = await fetch(peygir.base + SESSIONS, { method: 'POST', body: '{"user_id":"x"}', headers: { 'content-type': 'application/json' } });
    assert.equal(nobody.status, 401);
  });

  test('gets JSON also of a session that another program stored with metadata that are none', async () => {
    const token = '5e'.repeat(32);
    await sessions.set(await keyOf(token), `{"user_id":"theirs","created_at":${Date.now()},"metadata":{plan:'gold'}}`, 'PX', 60000);
    const who = await current(token);
    assert.deepEqual([who.status, who.json.user_id, who.json.metadata], [200, 'theirs', "{plan:'gold'}"]);
  });

  test('asks who a visitor is by header or cookie; 404 when it is nobody', async () => {
    const { token } = await signIn('asked');
    const byCookie = await site().get(`${SESSIONS}/current`, { cookie: `peygir_session=${token}` });
    assert.equal(byCookie.json.user_id, 'asked');
    for (const none of ['', 'x', '0'.repeat(64), token.slice(1)]) assert.equal((await current(none)).status, 404);
    assert.equal((await site().get(`${SESSIONS}/current`)).status, 404);
    const visitor = peygir.visitor();
    await visitor.request(OCR, SCAN);
    assert.equal((await current(cookieOf(visitor))).json.user_id, null);
  });

  test('does not keep a session awake by asking', async () => {
    const { token } = await signIn('sleeper');
    await letRest(token, 120);
    const seen = (await current(token)).json.last_activity;
    assert.equal((await current(token)).json.last_activity, seen);
  });

  test('cannot be made to send people to another site (ASVS v4.0.3-5.1.5)', async () => {
    const elsewhere = ['//evil.example', '/\\evil.example', '\\\\evil.example', 'https://evil.example/', 'javascript:alert(1)', 'requests',
      '/\t/evil.example', '/a\r\nset-cookie: b=c', '/\u007f', '/é', '', `/${'a'.repeat(1024)}`];
    for (const next of elsewhere) {
      const answer = await asked(SESSIONS, { user_id: 'x', next });
      assert.equal(answer.status, 422, next);
      assert.equal(answer.type, 'application/problem+json');
      assert.match(answer.json.detail, /^next must be/);
    }
    for (const next of ['/', '/requests?lang=en', `/services/${OCR}#main`]) {
      const answer = await peygir.visitor().get((await signIn('x', { next })).enter_url);
      assert.deepEqual([answer.status, answer.location], [303, next]);
    }
  });

  test('is told what is wrong with a body, by member and without its value', async () => {
    const bodies = [[], 5, {}, { user_id: '' }, { user_id: 'a\nb' }, { user_id: 'a'.repeat(129) }, { user_id: 1.5 }, { user_id: true }, { user_id: null },
      { user_id: 'u', role: 5 }, { user_id: 'u', email: 'secret-value' }, { user_id: 'u', metadata: [] }, { user_id: 'u', metadata: 'secret-value' },
      { user_id: 'u', metadata: { a: 'a'.repeat(2048) } }, { user_id: 'u', next: 5 }, { user_id: 'u', secret: 1 }];
    for (const body of bodies) {
      const answer = await asked(SESSIONS, body);
      assert.equal(answer.status, 422, JSON.stringify(body));
      assert.match(answer.json.detail, /must be|Known members/);
      assert.doesNotMatch(answer.html, /secret-value/);
    }
    for (const body of [{}, [], { token: 5 }, { user_id: '' }, { token: 'a', user_id: 'b' }, { users: 'a' }]) {
      assert.equal((await asked(`${SESSIONS}/revoke`, body)).status, 422, JSON.stringify(body));
    }
  });

  test('ends one session, or all of a user, with effect at the next request (ASVS v4.0.3-3.3.3)', async () => {
    const one = await browser('ended'), two = await browser('ended');
    assert.equal(await revoke({ token: cookieOf(one) }), 1);
    assert.equal(await revoke({ token: cookieOf(one) }), 0);
    assert.deepEqual([await isSignedIn(one), await isSignedIn(two)], [false, true]);
    await browser('ended');
    assert.equal(await revoke({ user_id: 'ended' }), 2);
    assert.equal(await isSignedIn(two), false);
    assert.equal(await sessions.exists('peygir:user_sessions:ended'), 0);
  });
});

describe('A link of the host site', () => {
  test('works once; used or expired it says so on a clear page and signs nobody in', async () => {
    const { enter_url } = await signIn('linked', { next: '/requests' });
    const first = peygir.visitor(), second = peygir.visitor();
    assert.equal((await first.get(enter_url)).location, '/requests');
    const ttl = await sessions.pttl(`peygir:ticket:${await digestOf((await signIn('linked')).enter_url.split('=')[1])}`);
    assert.ok(ttl > 50_000 && ttl <= 60_000, `${ttl} ms`);
    for (const link of [enter_url, '/enter', '/enter?ticket=x', `/enter?ticket=${'0'.repeat(64)}`]) {
      const answer = await second.get(link);
      assert.equal(answer.status, 410);
      assert.match(answer.text, /sign in again/);
      assert.equal(second.cookies.has('peygir_session'), false);
    }
    const inPersian = await peygir.visitor({ language: 'fa' }).get(enter_url);
    assert.match(inPersian.text, /دوباره وارد شوید/);
  });

  test('is not used up by a program that only looks what is there', async () => {
    const { enter_url } = await signIn('previewed');
    assert.equal((await peygir.visitor().fetch(enter_url, { method: 'HEAD' })).status, 200);
    assert.equal((await peygir.visitor().get(enter_url)).status, 303);
  });

  test('of twenty at once leads in exactly one', async () => {
    const { enter_url } = await signIn('raced');
    const answers = await Promise.all(Array.from({ length: 20 }, () => peygir.visitor().get(enter_url)));
    assert.equal(answers.filter(({ status }) => status === 303).length, 1);
    assert.equal(answers.filter(({ status }) => status === 410).length, 19);
  });

  test('is in no log, and neither ticket nor token is in Redis', async () => {
    const { token, enter_url } = await signIn('logged');
    await peygir.visitor().get(enter_url);
    const [, ticket] = enter_url.split('=');
    const { enter_url: open } = await signIn('logged');
    const written = peygir.logs() + (await peygir.dump());
    for (const secret of [token, ticket, open.split('=')[1]]) assert.equal(written.includes(secret), false);
  });

  test("is not in nginx's log either when nobody is there to open it, and opens afterwards", async () => {
    const { enter_url } = await signIn('early');
    await peygir.withoutWeb(async () => {
      for (const url of [enter_url, '/requests']) assert.equal((await peygir.visitor().get(url)).status, 502);
    });
    assert.match(peygir.log('nginx-error'), /GET \/requests /);
    assert.equal(peygir.logs().includes(enter_url.split('=')[1]), false);
    assert.equal((await peygir.visitor().get(enter_url)).status, 303);
  });

  test('sets a cookie that scripts cannot read, Lax, and Secure with the __Host- prefix on HTTPS (ASVS v4.0.3-3.4.1 to 3.4.4)', async () => {
    const person = peygir.visitor();
    await person.get((await signIn('cookie')).enter_url);
    assert.match(person.setCookies.at(-1), /^peygir_session=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Lax$/);
    const [, query] = (await signIn('cookie')).enter_url.split('?');
    const answer = await exchange(peygir.file('web.sock'), fcgi('GET', `/enter?${query}`, { HTTPS: 'on' }));
    assert.match(answer.headers['set-cookie'].join('\n'), /^__Host-peygir_session=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  });
});

describe('A visitor who signs in', () => {
  test('gets a new token, and the old one is worth nothing (ASVS v4.0.3-3.2.1)', async () => {
    const person = peygir.visitor();
    await person.request(OCR, SCAN);
    const before_ = cookieOf(person);
    await browser('rotated', FIREFOX, person);
    assert.notEqual(cookieOf(person), before_);
    const thief = peygir.visitor();
    thief.cookies.set('peygir_session', before_);
    assert.equal((await thief.get('/requests')).text.includes('req_'), false);
    assert.equal(await sessions.exists(await keyOf(before_)), 0);
  });

  test('keeps what was asked for before, and what was opened from there goes on', async () => {
    const person = peygir.visitor();
    const hash = await untilCode(peygir, person);
    await browser('keeper', FIREFOX, person);
    assert.equal((await person.view(hash)).status, 'otp_required');
    assert.ok((await person.get('/requests')).html.includes(hash));
    assert.equal((await enter(person, hash, CODE)).status, 303);
    await peygir.status(hash, 'completed');
    assert.equal((await person.get(resultPath(hash))).status, 200);
  });

  test('keeps it also when nothing was sent yet: the form of before is offered again with its values (ASVS v4.0.3-4.2.2)', async () => {
    const person = peygir.visitor();
    const page = await person.get(`/services/${CREDIT}`);
    const owner = cookieOf(person).split('.')[1];
    await browser('former', FIREFOX, person);
    const form = page.form(`/services/${CREDIT}`);
    const refused = await person.send(form, GOOD);
    assert.equal(refused.status, 403);
    assert.ok(refused.html.includes(GOOD.mobile));
    assert.notEqual(refused.form(`/services/${CREDIT}`).fields._token, form.fields._token);
    const sent = await person.send(refused.form(`/services/${CREDIT}`));
    assert.equal(sent.status, 303, sent.text);
    const guard = await peygir.guard(sent.location.split('/').at(-1));
    assert.deepEqual([guard.owner, guard.user_id], [owner, 'former']);
  });

  test('who never signs in sends a form opened before the first submission', async () => {
    const person = peygir.visitor();
    const first = (await person.get(`/services/${OCR}`)).form(`/services/${OCR}`), second = (await person.get(`/services/${OCR}`)).form(`/services/${OCR}`);
    assert.equal((await person.send(first, SCAN)).status, 303);
    assert.equal((await person.send(second, SCAN)).status, 303);
  });

  test('finds on every device what was asked for signed in', async () => {
    const here = await browser('traveller'), there = await browser('traveller', CHROME), other = await browser('somebody');
    const hash = await here.request(OCR, SCAN);
    assert.ok((await there.get('/requests')).html.includes(hash));
    assert.equal((await there.view(hash)).hash, hash);
    assert.equal((await other.get('/requests')).html.includes(hash), false);
    assert.equal((await other.get(`/api/local-requests/${hash}/status`)).status, 404);
  });

  test('shares nothing asked for afterwards with somebody who kept the cookie of before (ASVS v4.0.3-3.2.1)', async () => {
    const person = peygir.visitor(), thief = peygir.visitor();
    await person.get(`/services/${OCR}`);
    thief.cookies.set('peygir_session', cookieOf(person)); // signed, so it lives without Redis
    await browser('shared', FIREFOX, person);
    const hash = await person.request(OCR, SCAN);
    const theirs = await thief.request(OCR, SCAN);
    assert.equal((await peygir.guard(theirs)).owner, (await peygir.guard(hash)).owner);
    assert.equal((await thief.get(`/api/local-requests/${hash}/status`)).status, 404);
    assert.equal((await thief.get('/requests')).html.includes(hash), false);
    assert.equal((await person.view(hash)).hash, hash);
  });

  test('does not inherit from whoever was signed in on this browser before', async () => {
    const person = await browser('first');
    const hash = await person.request(OCR, SCAN), token = cookieOf(person);
    await browser('second', FIREFOX, person);
    assert.equal((await person.get(progressPath(hash, OCR))).status, 404);
    assert.equal((await person.get('/requests')).html.includes(hash), false);
    assert.equal((await current(token)).status, 404);
    assert.ok((await (await browser('first')).get('/requests')).html.includes(hash));
  });
});

describe('Limits of a session', () => {
  test('a user who was idle too long is signed out; only what a person asks for keeps awake (ASVS v4.0.3-3.3.2)', async () => {
    const person = await browser('idler');
    const hash = await person.request(OCR, HANGING);
    const activity = async () => JSON.parse(await sessions.get(await keyOf(cookieOf(person)))).last_activity;
    await letRest(cookieOf(person), IDLE_S / 2);
    const before_ = await activity();
    await person.view(hash);
    await person.get(`${progressPath(hash, OCR)}?auto=1`);
    await peygir.redis.ping();
    assert.equal(await activity(), before_);
    await person.get(progressPath(hash, OCR));
    await waitFor(async () => (await activity()) > before_, { what: 'a page that a person opened to count' });
    await letRest(cookieOf(person), IDLE_S + 1);
    const page = await person.get(DEVICES);
    assert.equal(page.status, 403);
    assert.match(page.text, /Sign in again/);
    assert.equal((await current(cookieOf(person))).status, 404);
  });

  test('a session ends after SESSION_TTL however active it is (ASVS v4.0.3-3.3.2)', async () => {
    const { token } = await signIn('old');
    const ttl = await sessions.ttl(await keyOf(token));
    assert.ok(ttl > 604_700 && ttl <= 604_800);
    const key = await keyOf(token), session = JSON.parse(await sessions.get(key));
    await sessions.set(key, JSON.stringify({ ...session, created_at: Date.now() - 604_801_000 }), 'KEEPTTL');
    assert.equal((await current(token)).status, 404);
  });

  test(`a user has at most SESSION_MAX_PER_USER sessions: the oldest goes`, async () => {
    const tokens = [];
    for (let i = 0; i <= MOST; i++) {
      await waitFor(() => Date.now() > (tokens.at(-1)?.at ?? 0));
      tokens.push({ ...(await signIn('many')), at: Date.now() });
    }
    const living = await Promise.all(tokens.map(async ({ token }) => (await current(token)).status));
    assert.deepEqual(living, [404, 200, 200, 200]);
    assert.equal(await sessions.scard('peygir:user_sessions:many'), MOST);
    assert.ok((await sessions.ttl('peygir:user_sessions:many')) > 604_000);
  });

  test('sixty sign-ins of one user at once leave exactly as many sessions as there may be', async () => {
    await Promise.all(Array.from({ length: 60 }, () => signIn('stormy')));
    const names = await sessions.smembers('peygir:user_sessions:stormy');
    assert.equal(names.length, MOST);
    for (const name of names) assert.equal(await sessions.exists(`peygir:session:${name}`), 1);
  });

  test('a visitor keeps awake by polls alone, for SESSION_IDLE', async () => {
    const person = peygir.visitor();
    const hash = await person.request(OCR, SCAN), key = await keyOf(cookieOf(person));
    await letRest(cookieOf(person), IDLE_S / 2);
    await sessions.expire(key, 50);
    await person.view(hash);
    await waitFor(async () => (await sessions.ttl(key)) > IDLE_S - 20, { what: 'the poll to count' });
    assert.ok((await sessions.ttl(key)) <= IDLE_S);
  });

  test('the hourly job forgets what ended sessions left', async () => {
    const { token } = await signIn('gone');
    await sessions.del(await keyOf(token));
    await sessions.zadd('peygir:user_sessions', 1, 'gone');
    const { id } = await peygir.cliJson('schedule', 'run', 'cleanup_expired_sessions');
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${id}`, 'status')) === 'completed');
    assert.ok(JSON.parse(await peygir.redis.hget(`peygir:task:data:${id}`, 'result')).forgotten >= 1);
    assert.equal(await sessions.exists('peygir:user_sessions:gone'), 0);
    assert.equal(await sessions.zscore('peygir:user_sessions', 'gone'), null);
    const listed = (await peygir.cliJson('schedule', 'list')).find(({ type }) => type === 'cleanup_expired_sessions');
    assert.ok(Date.parse(listed.next_at) - Date.now() < 3_600_000, JSON.stringify(listed));
  });
});

describe('The page of devices', () => {
  const own = (page) => page.form('/account/sign-out');

  test('lists where a user is signed in; one is signed out there, or all others (ASVS v4.0.3-3.3.4)', async () => {
    const here = await browser('owner'), phone = await browser('owner', CHROME), third = await browser('owner', 'strange/1.0');
    const page = await here.get(DEVICES);
    assert.match(page.text, /Firefox on Linux this device/);
    assert.match(page.text, /Chrome on Android/);
    assert.match(page.text, /Unknown device/);
    assert.match(page.text, /127\.0\.0\.1/);
    assert.equal(page.html.includes(cookieOf(phone)), false, 'a token is shown');
    const chrome = page.html.split('<li class="card').find((part) => part.includes('Chrome on Android'));
    const [, id] = chrome.match(/name="id" value="([0-9a-f]{16})"/);
    const form = page.forms.find(({ fields }) => fields.id === id);
    assert.equal((await here.send(form)).location, DEVICES);
    assert.deepEqual([await isSignedIn(here), await isSignedIn(phone), await isSignedIn(third)], [true, false, true]);
    assert.equal((await here.send((await here.get(DEVICES)).form('revoke-others'))).location, DEVICES);
    assert.deepEqual([await isSignedIn(here), await isSignedIn(third)], [true, false]);
    assert.throws(() => assert.ok(page.form('nothing')), /no form/);
  });

  test("cannot end somebody else's", async () => {
    const mine = await browser('mine'), theirs = await browser('theirs');
    const { id } = (await peygir.cliJson('session', 'list', '--user', 'theirs'))[0];
    await browser('mine', CHROME);
    const form = (await mine.get(DEVICES)).form('/account/sessions/revoke');
    assert.equal((await mine.send(form, { id })).status, 303);
    assert.equal(await isSignedIn(theirs), true);
  });

  test('signing out ends the session and takes the cookie away (ASVS v4.0.3-3.3.1)', async () => {
    const person = await browser('leaver'), token = cookieOf(person);
    const answer = await person.send(own(await person.get(DEVICES)));
    assert.deepEqual([answer.status, answer.location], [303, '/']);
    assert.match(person.setCookies.at(-1), /^peygir_session=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax/);
    assert.equal((await current(token)).status, 404);
    person.cookies.set('peygir_session', token); // the back button of somebody who kept it
    assert.equal(await isSignedIn(person), false);
  });

  test('changes nothing without a CSRF token of this very session (ASVS v4.0.3-4.2.2)', async () => {
    const person = await browser('guarded'), other = await browser('guarded', CHROME);
    const foreign = own(await other.get(DEVICES)).fields._token;
    for (const action of ['/account/sign-out', '/account/sessions/revoke', '/account/sessions/revoke-others']) {
      for (const fields of [{}, { _token: foreign }, { _token: '0'.repeat(64) }]) assert.equal((await person.post(action, fields)).status, 403, action);
      assert.equal((await person.get(action)).status, 405);
    }
    assert.deepEqual([await isSignedIn(person), await isSignedIn(other)], [true, true]);
  });

  test('is for people who are signed in, and linked for them alone', async () => {
    const visitor = peygir.visitor();
    await visitor.request(OCR, SCAN);
    assert.equal((await visitor.get(DEVICES)).status, 403);
    assert.equal((await visitor.get('/requests')).links.includes(DEVICES), false);
    assert.ok((await (await browser('linked')).get('/requests')).links.includes(DEVICES));
  });
});

describe('Administrators', () => {
  test('list, show, make and end sessions; nothing secret is shown', async () => {
    const person = await browser('admin-look');
    const rows = await peygir.cliJson('session', 'list', '--user', 'admin-look');
    assert.equal(rows.length, 1);
    assert.equal(rows[0].user_agent, FIREFOX);
    const table = await peygir.cli('session', 'list');
    assert.equal((table.stdout + JSON.stringify(rows)).includes(cookieOf(person)), false);
    assert.equal((await peygir.cliJson('session', 'show', rows[0].id)).user_id, 'admin-look');
    assert.equal((await peygir.cliJson('session', 'show', cookieOf(person))).id, rows[0].id);
    assert.deepEqual(await peygir.cliJson('session', 'revoke', rows[0].id), { id: rows[0].id, revoked: true });
    assert.equal(await isSignedIn(person), false);
    const none = await peygir.cli('session', 'revoke', rows[0].id);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no session of this id/);
  });

  test('sign a user in by hand', async () => {
    const { token, ...more } = await peygir.cliJson('session', 'create', '--user', 'by-hand', '--role', 'member', '--email', 'a@example.org');
    assert.deepEqual(more, {});
    assert.match((await peygir.cli('session', 'create', '--user', 'by-hand')).stdout, /^[0-9a-f]{64}\n$/);
    const person = peygir.visitor();
    person.cookies.set('peygir_session', token);
    assert.equal(await isSignedIn(person), true);
    assert.equal((await current(token)).json.email, 'a@example.org');
    assert.deepEqual(await peygir.cliJson('session', 'revoke-all', 'by-hand'), { user_id: 'by-hand', revoked: 2 });
    assert.equal(await isSignedIn(person), false);
    const wrong = await peygir.cli('session', 'create', '--user', 'x', '--email', 'nobody');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /email must be/);
    assert.equal((await peygir.cli('session', 'create')).code, 2);
  });

  test('see the session that was used last first', async () => {
    for (const person of ['in-order-1', 'in-order-2', 'in-order-3', 'in-order-4', 'in-order-5']) await signIn(person);
    const times = (await peygir.cliJson('session', 'list', '--limit', '10000')).map((row) => row.last_activity);
    assert.ok(times.length >= 5);
    assert.deepEqual(times, [...times].sort().reverse());
  });

  test('see numbers of people masked', async () => {
    const { id } = await signIn('09121234567', { email: '09121234567@example.org' });
    const { stdout } = await peygir.cli('session', 'list');
    assert.equal(stdout.includes('09121234567'), false);
    assert.equal((await peygir.cliJson('session', 'show', id)).email, '***67@example.org');
    assert.match(stdout, /\*\*\*67/);
  });
});

describe('Deleting at once', () => {
  // Every key and value that speaks of a request; but for the set of those at which a worker looks once more, and what workers say
  // of themselves.
  const traces = async (hash) =>
    (await peygir.dump()).split('\n').filter((line) => line.includes(hash) && !/^peygir:(requests:watch|worker:\S+) /.test(line));

  // The bot has been told of the cancellation. A job that did so before the request was gone went with it.
  const told = (hash) =>
    waitFor(async () => [null, 'completed'].includes(await peygir.redis.hget(`peygir:task:data:${hash}.cancel`, 'status')), { what: 'the bot to be told' });

  // What was said to the bot goes by itself, and holds nothing of the request but its hash.
  const assertGone = async (hash, personal) => {
    const left = await traces(hash);
    for (const line of left) assert.ok([`peygir:task:data:${hash}.cancel`, `{local_request:${hash}}:otp`].includes(line.split(' ')[0]), line);
    assert.equal(left.some((line) => line.includes(personal)), false);
  };

  test('a result is deleted with all that belongs to it, and whoever watches hears of it (ASVS v4.0.3-8.3.2)', async () => {
    const person = peygir.visitor();
    const hash = await untilCode(peygir, person);
    await enter(person, hash, CODE);
    await peygir.status(hash, 'completed');
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}.1`, 'status')) === 'completed');
    const messages = await peygir.messages(hash);
    const answer = await person.send((await person.get(resultPath(hash))).form('/delete/'));
    assert.deepEqual([answer.status, answer.location], [303, '/requests?deleted=1']);
    assert.match((await person.open(answer.location)).text, /Your data have been deleted/);
    assert.deepEqual(await traces(hash), []);
    assert.equal(await peygir.redis.zscore('peygir:requests:watch', hash), null, 'nobody looks at it any more');
    await waitFor(() => messages.some(({ is_deleted }) => is_deleted));
    assert.equal((await person.get(resultPath(hash))).status, 404);
    assert.equal((await person.get(`/api/local-requests/${hash}/status`)).status, 404);
  });

  test('one that is carried out is cancelled first: its call ends, and its bot is told', async () => {
    const person = peygir.visitor();
    const hash = await person.request(OCR, HANGING);
    await peygir.status(hash, 'processing');
    const answer = await person.send((await person.get('/requests')).form(`/delete/${hash}`));
    assert.equal(answer.status, 303);
    assert.equal(await peygir.document(hash), null);
    await waitFor(async () => (await peygir.redis.zscore('peygir:task:active', hash)) === null, { what: 'the run to end' });
    await told(hash);
    await assertGone(hash, HANGING.file_id);
  });

  test('one that waits for a code is deleted together with what waits', async () => {
    const person = peygir.visitor();
    const hash = await untilCode(peygir, person);
    await person.send((await person.get('/requests')).form(`/delete/${hash}`));
    await told(hash);
    await assertGone(hash, GOOD.mobile);
  });

  test('all requests of a visitor go, nobody else’s', async () => {
    const person = peygir.visitor(), other = peygir.visitor();
    const hashes = [await person.request(OCR, SCAN), await person.request(OCR, HANGING)], kept = await other.request(OCR, SCAN);
    await peygir.status(hashes[0], 'completed');
    const answer = await person.send((await person.get('/requests')).form('/requests/delete'));
    assert.equal(answer.status, 303);
    for (const hash of hashes) assert.equal(await peygir.document(hash), null);
    assert.notEqual(await peygir.document(kept), null);
    assert.match((await person.get('/requests')).text, /no requests yet/);
    assert.equal((await person.get('/requests')).forms.some(({ action }) => action === '/requests/delete'), false);
  });

  test('needs a CSRF token, and is for whoever made the request', async () => {
    const person = peygir.visitor(), thief = peygir.visitor();
    const hash = await person.request(OCR, SCAN), action = `/services/${OCR}/delete/${hash}`;
    await thief.request(OCR, SCAN);
    assert.equal((await person.post(action)).status, 403);
    assert.equal((await person.post('/requests/delete')).status, 403);
    assert.equal((await thief.post(action, { _token: await thief.token() })).status, 404);
    assert.equal((await person.get(action)).status, 405);
    assert.notEqual(await peygir.document(hash), null);
  });

  test('the same form may be sent anew afterwards', async () => {
    const person = peygir.visitor();
    const form = (await person.get(`/services/${OCR}`)).form(`/services/${OCR}`);
    const [, hash] = (await person.send(form, SCAN)).location.match(/(req_\w+)$/);
    await peygir.status(hash, 'completed');
    await person.send((await person.get('/requests')).form(`/delete/${hash}`));
    assert.equal((await person.send(form, SCAN)).status, 303);
    await peygir.status(hash, 'completed');
  });
});

describe("Another program's sessions (SESSION_KEYS=plain)", () => {
  let ocr, redis;
  const TOKEN = '5'.repeat(64);

  before(async () => {
    ocr = await start({ env: { PEYGIR_PREFIX: 'ocr', SESSION_KEYS: 'plain', SESSION_MAX_PER_USER: '2' } });
    redis = ocr.connect();
    ocr.clients.push(redis);
    await redis.select(2);
  });
  after(() => ocr?.stop());

  const written = (token, user_id) => redis.setex(`ocr:session:${token}`, 3600,
    JSON.stringify({ user_id, email: 'a@example.org', role: 'user', created_at: Date.now(), last_activity: Date.now(), ip: '192.0.2.9', user_agent: FIREFOX }));

  test('are accepted, get an owner and a place in the set of their user, and are listed and ended like ours', async () => {
    await written(TOKEN, 42);
    const person = ocr.visitor();
    person.cookies.set('peygir_session', TOKEN);
    const hash = await person.request(OCR, SCAN);
    const session = JSON.parse(await redis.get(`ocr:session:${TOKEN}`)), guard = await ocr.guard(hash);
    assert.match(session.owner, /^[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.deepEqual([guard.owner, guard.user_id], [session.owner, '42']);
    assert.equal(session.email, 'a@example.org');
    assert.deepEqual(await redis.smembers('ocr:user_sessions:42'), [TOKEN]);
    assert.match((await person.get(DEVICES)).text, /Firefox on Linux this device/);
    const [row] = await ocr.cliJson('session', 'list');
    assert.equal(TOKEN.includes(row.id), false);
    assert.equal((await ocr.cliJson('session', 'revoke', row.id)).revoked, true);
    assert.equal((await person.get(DEVICES)).status, 403);
    assert.equal(await redis.exists(`ocr:session:${TOKEN}`, 'ocr:user_sessions:42'), 0);
  });

  test('have their place in the set also when a stream is the first that sees them', async () => {
    const token = '8'.repeat(64);
    await written(token, '8');
    const stream = await openStream(ocr.visitor(), `req_${'0'.repeat(26)}`, { headers: { cookie: `peygir_session=${token}` } });
    assert.equal(stream.status, 404);
    await waitFor(async () => JSON.parse(await redis.get(`ocr:session:${token}`)).owner, { what: 'an owner' });
    assert.deepEqual(await redis.smembers('ocr:user_sessions:8'), [token]);
  });

  test('count among the most a user may have', async () => {
    const { token } = await ocr.cliJson('session', 'create', '--user', '7');
    const others = ['6'.repeat(64), '7'.repeat(64)];
    for (const other of others) {
      await waitFor(async () => Date.now() > JSON.parse(await redis.get(`ocr:session:${token}`)).created_at);
      await written(other, '7');
      const person = ocr.visitor();
      person.cookies.set('peygir_session', other);
      assert.equal((await person.get(DEVICES)).status, 200);
    }
    await waitFor(async () => (await redis.exists(`ocr:session:${token}`)) === 0, { what: 'the oldest to go' });
    assert.deepEqual((await redis.smembers('ocr:user_sessions:7')).sort(), others);
  });
});

describe('Bad days', () => {
  test('Redis away: a link says so within a second and works afterwards', async () => {
    const { enter_url } = await signIn('patient');
    const person = peygir.visitor();
    peygir.kill('redis', 'SIGSTOP');
    try {
      const { ms, value: answer } = await timed(() => person.get(enter_url));
      assert.equal(answer.status, 503);
      assert.ok(answer.headers.get('retry-after'));
      assert.ok(ms < 3_000, `${ms} ms`);
      assert.equal((await asked(SESSIONS, { user_id: 'x' })).status, 503);
      assert.equal((await peygir.cli('session', 'list')).code, 69);
    } finally {
      peygir.kill('redis', 'SIGCONT');
    }
    await peygir.ready();
    assert.equal((await person.get(enter_url)).status, 303);
    assert.equal(await isSignedIn(person), true);
  });

  test('Redis full: nobody new is signed in; who is may come in, look, delete and leave', async () => {
    const person = peygir.visitor();
    const hash = await person.request(OCR, SCAN);
    await peygir.status(hash, 'completed');
    const { token, enter_url } = await signIn('full');
    await peygir.redis.config('SET', 'maxmemory', '1mb');
    try {
      const refused = await asked(SESSIONS, { user_id: 'full' });
      assert.equal(refused.status, 503);
      assert.ok(refused.headers.get('retry-after'));
      assert.equal((await person.get(enter_url)).status, 303);
      assert.equal(cookieOf(person), token);
      assert.equal((await person.send((await person.get('/requests')).form(`/delete/${hash}`))).status, 303);
      assert.equal(await peygir.document(hash), null);
      assert.equal((await person.send((await person.get(DEVICES)).form('/account/sign-out'))).status, 303);
      assert.equal((await current(token)).status, 404);
    } finally {
      await peygir.redis.config('SET', 'maxmemory', '0');
    }
  });
});
