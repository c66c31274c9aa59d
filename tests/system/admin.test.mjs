// admin.test.mjs: administrators sign in and see how Peygir is; nobody else does.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { PASSWORD, forgive, user } from '../lib/admin.mjs';
import { CREDIT, OCR, misdeed, whileWorkerSleeps } from '../lib/demo.mjs';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { start, waitFor } from '../lib/peygir.mjs';

const OTHER = 'purple chair 9 lake';
const WRONG = 'orange lamp 8 river';
const SIGN_IN = '/admin/sign-in';
const COOKIE = 'peygir_admin';

let peygir, sessions;

const digest = (token) => createHash('sha256').update(token).digest('hex');
const sessionKey = (person) => `peygir:admin_session:${digest(person.cookies.get(COOKIE))}`;
const signInForm = async (person, path = SIGN_IN) => (await person.get(path)).form(SIGN_IN);

async function attempt(person, name, password, path) {
  return person.send(await signInForm(person, path), { name, password });
}

async function administrator(name = 'sara', password = PASSWORD) {
  const person = peygir.visitor();
  const answer = await attempt(person, name, password);
  assert.equal(answer.status, 303, answer.text);
  return person;
}

const assertStranger = async (person) => {
  const answer = await person.get('/admin');
  assert.equal(answer.status, 303, answer.text);
  assert.ok(answer.location.startsWith(SIGN_IN));
};

before(async () => {
  peygir = await start();
  sessions = peygir.connect();
  peygir.clients.push(sessions);
  await sessions.select(2);
  await user(peygir, 'add', 'sara', PASSWORD);
});
after(() => peygir?.stop());
beforeEach(() => forgive(peygir));

describe('who has not signed in', () => {
  test('is led to the form, and from there to where they wanted to go', async () => {
    const person = peygir.visitor();
    const led = await person.get('/admin?auto=1');
    assert.equal(led.status, 303);
    assert.equal(led.location, `${SIGN_IN}?next=%2Fadmin%3Fauto%3D1`);
    const answer = await attempt(person, 'sara', PASSWORD, led.location);
    assert.equal(answer.status, 303);
    assert.equal(answer.location, '/admin?auto=1');
    assert.equal((await person.get(answer.location)).status, 200);
  });

  test('gets 403 for what they send, and a form', async () => {
    const person = peygir.visitor();
    const answer = await person.post('/admin/sign-out', { _token: '0'.repeat(64) });
    assert.equal(answer.status, 403);
    assert.match(answer.text, /You were signed out meanwhile, so nothing was done/);
    assert.equal((await person.send(answer.form(SIGN_IN), { name: 'sara', password: PASSWORD })).status, 303);
  });

  test('finds nothing where no page is', async () => {
    assert.equal((await peygir.visitor().get('/admin/nothing')).status, 404);
  });

  test("is no administrator by a visitor's session, whatever it holds", async () => {
    const person = peygir.visitor();
    await person.request(OCR, { file_id: 'scan-1', language: 'en' });
    const token = person.cookies.get('peygir_session');
    const key = `peygir:session:${digest(token)}`;
    const session = JSON.parse(await sessions.get(key));
    await sessions.set(key, JSON.stringify({ ...session, user_id: 'sara', role: 'admin' }), 'KEEPTTL');
    await assertStranger(person);
    person.cookies.set(COOKIE, token);
    await assertStranger(person);
  });
});

describe('the form', () => {
  test('works without JavaScript and lets a password manager help (ASVS v4.0.3-2.1.11)', async () => {
    for (const [language, heading] of [['en', 'Sign in'], ['fa', 'ورود']]) {
      const page = await peygir.visitor({ language }).get(SIGN_IN);
      assert.equal(page.status, 200);
      assert.match(page.html, new RegExp(`<h1>${heading}</h1>`));
      assert.match(page.html, /name="name"[^>]* autocomplete="username"/);
      assert.match(page.html, /type="password"[^>]* autocomplete="current-password"/);
      assert.doesNotMatch(page.html, /type="password"[^>]* maxlength/);
    }
  });

  test('says the same about a wrong password and an unknown name, and keeps no password (ASVS v4.0.3-2.2.1)', async () => {
    const person = peygir.visitor();
    const wrong = await attempt(person, 'sara', WRONG), unknown = await attempt(person, 'zara', WRONG);
    assert.deepEqual([wrong.status, unknown.status], [422, 422]);
    const plain = (answer) => answer.html.replaceAll('zara', 'sara');
    assert.equal(plain(wrong), plain(unknown));
    assert.ok(!wrong.html.includes(WRONG));
    assert.deepEqual(wrong.mistakes, [{ href: '#f-name', text: 'Name or password are not right.' }]);
    assert.equal(wrong.form(SIGN_IN).fields.name, 'sara');
  });

  test('left empty is no attempt', async () => {
    const person = peygir.visitor();
    assert.equal((await attempt(person, 'sara', '')).status, 422);
    assert.equal((await attempt(person, '', PASSWORD)).status, 422);
    assert.equal((await attempt(person, 'sara', PASSWORD)).status, 303);
  });

  test('belongs to the browser that opened it (ASVS v4.0.3-4.2.2)', async () => {
    const person = peygir.visitor(), other = peygir.visitor();
    const form = await signInForm(person);
    await other.get(SIGN_IN);
    for (const [who, _token] of [[other, form.fields._token], [person, '0'.repeat(64)], [person, ''], [peygir.visitor(), form.fields._token]]) {
      const answer = await who.send(form, { _token, name: 'sara', password: PASSWORD });
      assert.equal(answer.status, 403);
      assert.match(answer.text, /no longer valid/);
      assert.ok(answer.form(SIGN_IN));
    }
    const visitors = await peygir.visitor().get(`/services/${OCR}`);
    assert.equal((await person.send(form, { _token: visitors.csrf, name: 'sara', password: PASSWORD })).status, 403);
  });

  test('takes what nobody means well with', async () => {
    const person = peygir.visitor(), form = await signInForm(person);
    const send = (fields, headers) => person.post(SIGN_IN, fields, headers);
    const { _token } = form.fields;
    const statuses = [
      await send({ _token, name: 'x'.repeat(5000), password: WRONG }),
      await send({ _token, name: 'sara', password: 'y'.repeat(50_000) }),
      await send({ _token, name: 'sara:era', password: WRONG }),
      await send({ _token, name: '<script>', password: '\u0000' }),
      await send(`_token=${_token}&name=sara&name=ali&password=x`),
      await send(`_token=${_token}&name=%ff&password=x`),
      await send({ _token, name: 'sara', password: 'z'.repeat(70_000) }),
      await send('{}', { 'content-type': 'application/json' }),
    ].map(({ status }) => status);
    assert.deepEqual(statuses, [422, 422, 422, 400, 400, 400, 413, 415]);
    assert.equal((await person.fetch(SIGN_IN, { method: 'PUT' })).headers.get('allow'), 'GET, HEAD, POST');
    const shown = await send({ _token, name: '"><script>alert(1)</script>', password: WRONG });
    assert.equal(shown.status, 422);
    assert.ok(!shown.html.includes('<script>alert'));
    assert.equal(shown.form(SIGN_IN).fields.name, '"><script>alert(1)</script>');
  });

  test('leads nowhere but into the area (ASVS v4.0.3-5.1.5)', async () => {
    const places = ['https://evil.example/', '//evil.example/', '/\\evil.example', '/requests', '/administrator', '/admin//evil.example', '/admin/../requests',
      '/admin\r\nX-Evil: 1', '/admin/\u00e9', ''];
    for (const next of places) {
      await forgive(peygir);
      const person = peygir.visitor();
      const answer = await attempt(person, 'sara', PASSWORD, `${SIGN_IN}?next=${encodeURIComponent(next)}`);
      assert.equal(answer.status, 303);
      assert.equal(answer.location, '/admin', next);
      assert.equal(answer.headers.get('x-evil'), null);
    }
  });
});

describe('guessing', () => {
  test('is slowed down, with the time to try again; the right password waits too (ASVS v4.0.3-2.2.1)', async () => {
    const person = peygir.visitor();
    assert.equal((await attempt(person, 'sara', WRONG)).status, 422);
    await forgive(peygir, 'name', { count: 6, open_at: 0 });
    assert.equal((await attempt(person, 'sara', WRONG)).status, 422);
    const early = await attempt(person, 'sara', PASSWORD);
    assert.equal(early.status, 429);
    const wait = Number(early.headers.get('retry-after'));
    assert.ok(wait > 30 && wait <= 60, `after ${wait} s`);
    assert.match(early.text, /too many attempts .* Please try again in about/);
    assert.equal(early.form(SIGN_IN).fields.name, 'sara');
    await forgive(peygir, 'name', { open_at: 0 });
    assert.equal((await attempt(person, 'sara', PASSWORD)).status, 303);
  });

  test('never locks an administrator out for longer than a minute', async () => {
    const person = peygir.visitor();
    await attempt(person, 'sara', WRONG);
    await forgive(peygir, '*', { count: 1_000_000, open_at: 0 });
    assert.equal((await attempt(person, 'sara', WRONG)).status, 422);
    const answer = await attempt(person, 'sara', WRONG);
    assert.equal(answer.status, 429);
    assert.ok(Number(answer.headers.get('retry-after')) <= 60);
  });

  test('many at once is one attempt, and the others learn when to come back', async () => {
    const forms = await Promise.all(Array.from({ length: 12 }, async () => {
      const person = peygir.visitor();
      return [person, await signInForm(person)];
    }));
    await attempt(peygir.visitor(), 'sara', WRONG);
    await forgive(peygir, 'name', { count: 5, open_at: 0 });
    const answers = await Promise.all(forms.map(([person, form]) => person.send(form, { name: 'sara', password: WRONG })));
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [422, ...Array(11).fill(429)]);
    for (const { status, headers } of answers) if (status === 429) assert.ok(Number(headers.get('retry-after')) >= 1);
  });

  test('by others does not delay a browser that has signed in before', async () => {
    const person = await administrator();
    const other = peygir.visitor();
    assert.equal((await attempt(other, 'sara', WRONG)).status, 422);
    await forgive(peygir, 'name', { count: 5, open_at: 0 });
    assert.equal((await attempt(other, 'sara', WRONG)).status, 422);
    assert.equal((await attempt(other, 'sara', PASSWORD)).status, 429);
    assert.equal((await attempt(person, 'sara', PASSWORD)).status, 303);
  });

  test('costs visitors nothing: their pages answer meanwhile', async () => {
    const forms = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const person = peygir.visitor();
      return [person, await signInForm(person), `nobody-${i}`];
    }));
    const guesses = forms.map(([person, form, name]) => person.send(form, { name, password: WRONG }));
    const pages = await Promise.all(Array.from({ length: 20 }, () => peygir.visitor().get('/')));
    assert.ok(pages.every(({ status }) => status === 200));
    for (const { status } of await Promise.all(guesses)) assert.ok([422, 429].includes(status), String(status));
  });
});

describe('a session', () => {
  test('begins with a new token each time, known to the browser alone (ASVS v4.0.3-3.2.1, 3.2.2, 3.2.3)', async () => {
    const person = peygir.visitor();
    const form = await signInForm(person);
    person.cookies.set(COOKIE, 'f'.repeat(64)); // one that somebody else chose
    assert.equal((await person.send(form, { name: 'sara', password: PASSWORD })).status, 303);
    const first = person.cookies.get(COOKIE);
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.notEqual(first, 'f'.repeat(64));
    assert.notEqual(first, person.cookies.get('peygir_admin_form'));
    const everything = await peygir.dump();
    assert.ok(!everything.includes(first));
    assert.ok(everything.includes(digest(first)));
    await attempt(person, 'sara', PASSWORD);
    const second = person.cookies.get(COOKIE);
    assert.notEqual(second, first);
    person.cookies.set(COOKIE, first);
    await assertStranger(person);
  });

  test('has a cookie that is HttpOnly and SameSite=Strict, and on HTTPS Secure with the host prefix (ASVS v4.0.3-3.4.1 to 3.4.5)', async () => {
    const person = await administrator();
    const lines = person.setCookies.filter((line) => /^peygir_admin/.test(line));
    assert.equal(lines.length, 3);
    for (const line of lines) {
      const parts = line.split('; ').slice(1).filter((part) => !part.startsWith('Max-Age'));
      assert.deepEqual(parts.sort(), ['HttpOnly', 'Path=/', 'SameSite=Strict'], line);
    }
    const answer = await exchange(peygir.file('web.sock'), fcgi('GET', SIGN_IN, { HTTPS: 'on' }));
    const secure = answer.headers['set-cookie'].filter((line) => line.includes('admin'));
    assert.equal(secure.length, 1);
    assert.match(secure[0], /^__Host-peygir_admin_form=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    const plain = await exchange(peygir.file('web.sock'), fcgi('GET', '/admin', { HTTPS: 'on', HTTP_COOKIE: `${COOKIE}=${person.cookies.get(COOKIE)}` }));
    assert.equal(plain.status, 303);
    const good = await exchange(peygir.file('web.sock'), fcgi('GET', '/admin', { HTTPS: 'on', HTTP_COOKIE: `__Host-${COOKIE}=${person.cookies.get(COOKIE)}` }));
    assert.equal(good.status, 200);
  });

  test('ends in Redis with the button (ASVS v4.0.3-3.3.1)', async () => {
    const person = await administrator(), key = sessionKey(person), token = person.cookies.get(COOKIE);
    const page = await person.get('/admin');
    const out = await person.send(page.form('/admin/sign-out'));
    assert.equal(out.status, 303);
    assert.match((await person.get(out.location)).text, /You have signed out/);
    assert.equal(person.cookies.get(COOKIE), '');
    assert.equal(await sessions.exists(key), 0);
    person.cookies.set(COOKIE, token);
    await assertStranger(person);
  });

  test('is not ended by a form of somebody else (ASVS v4.0.3-4.2.2)', async () => {
    const person = await administrator();
    await forgive(peygir);
    const other = await administrator();
    const { fields } = (await other.get('/admin')).form('/admin/sign-out');
    for (const forged of [fields._token, (await signInForm(person)).fields._token, '']) {
      assert.equal((await person.post('/admin/sign-out', { _token: forged })).status, 403);
    }
    assert.equal((await person.get('/admin')).status, 200);
  });

  test('is prolonged by what a person asks for, and not by a page that refreshes itself (ASVS v4.0.3-3.3.2)', async () => {
    const person = await administrator(), key = sessionKey(person);
    await sessions.expire(key, 100);
    const page = await person.get('/admin?auto=1');
    assert.equal(page.headers.get('refresh'), '10');
    await person.get('/admin?auto=1'); // what the one before posted has arrived
    assert.ok((await sessions.ttl(key)) <= 100);
    await person.get('/admin');
    await waitFor(async () => (await sessions.ttl(key)) > 800, { what: 'the session to be prolonged', now: () => sessions.ttl(key) });
    await sessions.del(key); // its time is over
    await assertStranger(person);
  });

  test('is over after its whole life, however busy (ASVS v4.0.3-3.3.2)', async () => {
    const person = await administrator(), key = sessionKey(person);
    const created = Number(await sessions.hget(key, 'created_at'));
    await sessions.hset(key, 'created_at', created - 8 * 3600 * 1000);
    await person.get('/admin');
    await waitFor(async () => !(await sessions.exists(key)), { what: 'the session to end' });
    await assertStranger(person);
  });

  test('ends with a new password and with the account, everywhere (ASVS v4.0.3-3.3.3)', async () => {
    await user(peygir, 'add', 'ali', PASSWORD);
    const first = await administrator('ali'), second = await administrator('ali'), sara = await administrator();
    await user(peygir, 'passwd', 'ali', OTHER);
    await assertStranger(first);
    await assertStranger(second);
    const third = await administrator('ali', OTHER);
    await user(peygir, 'remove', 'ali');
    await assertStranger(third);
    await forgive(peygir);
    assert.equal((await attempt(peygir.visitor(), 'ali', OTHER)).status, 422);
    assert.equal((await sara.get('/admin')).status, 200);
  });

  test("has nothing to do with the visitor's", async () => {
    const person = await administrator();
    await person.get('/admin');
    assert.ok(![...person.cookies.keys()].includes('peygir_session'));
    const anew = await person.get(`/services/${OCR}`);
    const page = await person.get('/admin');
    assert.notEqual(page.csrf, anew.csrf);
    assert.equal((await person.post(`/services/${OCR}`, { _token: page.csrf, file_id: 'x', language: 'en' })).status, 403);
  });
});

test('nothing of the area is kept by anybody, and pages have their fences (ASVS v4.0.3-8.2.1)', async () => {
  const person = await administrator();
  const answers = [await person.get('/admin'), await person.get(SIGN_IN), await peygir.visitor().get('/admin'), await attempt(peygir.visitor(), 'sara', WRONG),
    await person.get('/admin/nothing'), await peygir.visitor().post('/admin/sign-out')];
  for (const { url, headers } of answers) {
    assert.equal(headers.get('cache-control'), 'no-store', url);
    assert.match(headers.get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/, url);
    assert.equal(headers.get('referrer-policy'), 'same-origin', url);
    assert.equal(headers.get('etag'), null, url);
  }
});

describe('the page', () => {
  test('shows queues, workers and the counters of today', async () => {
    const person = await administrator();
    const hash = await peygir.visitor().request(OCR, { file_id: 'scan-2', language: 'en' });
    await peygir.status(hash, 'completed');
    const { worker } = await waitFor(async () => {
      const [worker] = (await peygir.cliJson('queue', 'monitor', '--limit', '1')).workers ?? [];
      return worker && { worker };
    }, { what: 'a worker' });
    const today = await waitFor(async () => {
      const stats = await peygir.cliJson('stats');
      return stats.today_completed > 0 && stats;
    }, { what: 'a job to be counted' });
    const { html, text } = await person.get('/admin');
    assert.match(text, /Everything is in order/);
    assert.match(html, new RegExp(`<bdi dir="ltr">${worker.pid}</bdi>`));
    assert.match(html, new RegExp(`<dt>Done</dt><dd>${today.today_completed}</dd>`));
    assert.match(html, /<th scope="row"><bdi dir="ltr">task<\/bdi><\/th>/);
  });

  test('says what needs a look: a paused queue, a closed service, failed jobs, a lost worker', async () => {
    const person = await administrator();
    const failed = await peygir.visitor().request(CREDIT, misdeed('fail'));
    await peygir.status(failed, 'failed');
    await waitFor(async () => (await peygir.redis.zcard('peygir:task:failed')) > 0, { what: 'the job to fail' });
    await peygir.cli('queue', 'pause', '--message', 'Moving <b>house</b>');
    await peygir.cli('service', 'close', OCR, '--message', 'messages.closed');
    try {
      const { html, text } = await person.get('/admin');
      assert.match(text, /something needs a look/);
      assert.match(text, /Nothing is taken from the queue .task.\. .Moving <b>house<\/b>/);
      assert.ok(!html.includes('<b>house'));
      assert.match(text, /The service .document-ocr. takes no new requests\. .This service takes no new requests at the moment/);
      assert.match(text, /1 in the queue .task.\. “peygir failed list” tells why/);
    } finally {
      await peygir.cli('queue', 'resume');
      await peygir.cli('service', 'open', OCR);
      await peygir.cli('failed', 'flush');
    }
    await whileWorkerSleeps(peygir, async () => {
      const [id] = await peygir.redis.zrange('peygir:workers', 0, 0);
      await peygir.redis.zadd('peygir:workers', 1, id); // it was heard of long ago
      const lost = await person.get('/admin');
      assert.match(lost.text, /Work has stopped/);
      assert.match(lost.text, /No worker has been heard of/);
    });
  });

  test('shows nothing personal', async () => {
    const person = await administrator();
    const values = { mobile: '09121112233', national_code: '0499370899' };
    const hash = await peygir.visitor().request(CREDIT, values);
    const { html } = await person.get('/admin');
    for (const value of [...Object.values(values), hash]) assert.ok(!html.includes(value), value);
  });
});

describe('without Redis', () => {
  test('nobody is let in and nobody signs in; both learn when to come back', async () => {
    const person = await administrator(), newcomer = peygir.visitor();
    const form = await signInForm(newcomer), button = (await person.get('/admin')).form('/admin/sign-out');
    const pid = peygir.kill('redis', 'SIGSTOP');
    try {
      const page = await person.get('/admin');
      assert.equal(page.status, 503);
      assert.ok(Number(page.headers.get('retry-after')) > 0);
      assert.equal((await person.send(button)).status, 503); // nobody is told to be signed out who is not
      const refused = await newcomer.send(form, { name: 'sara', password: PASSWORD });
      assert.equal(refused.status, 503);
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
      assert.match(refused.text, /Nobody can sign in at the moment/);
      assert.equal(refused.form(SIGN_IN).fields.name, 'sara');
      assert.ok(!newcomer.cookies.get(COOKIE));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await peygir.ready();
    assert.equal((await person.get('/admin')).status, 200);
  });
});

test('no password and no token is in a log, in `config` or in Redis (ASVS v4.0.3-2.4.1, 7.1.1)', async () => {
  const person = await administrator();
  await attempt(peygir.visitor(), 'sara', WRONG);
  const config = (await peygir.cli('config')).stdout;
  const places = { logs: peygir.logs(), config, redis: await peygir.dump(), file: fs.readFileSync(peygir.file('peygir.env'), 'utf8') };
  const tokens = [COOKIE, 'peygir_admin_form', 'peygir_admin_known'].map((name) => person.cookies.get(name));
  for (const [place, text] of Object.entries(places)) {
    for (const secret of [PASSWORD, WRONG, PASSWORD.replaceAll(' ', '+'), ...tokens]) assert.ok(secret && !text.includes(secret), place);
  }
  assert.match(places.logs, /Administrator sara signed in\./);
  assert.match(places.logs, /Somebody failed to sign in as administrator sara\./);
  assert.match(places.logs, /Somebody failed to sign in under a name that no administrator has\./);
  assert.ok(!places.logs.includes('zara')); // people type passwords into the wrong field
  assert.match(config, /ADMIN_IDLE/);
});
