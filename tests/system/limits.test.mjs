// limits.test.mjs: how often anybody may ask, counted in Redis, and from which pages.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { editServices, freePort, start, waitFor } from '../lib/peygir.mjs';
import { Visitor } from '../lib/visitor.mjs';

const CREDIT = 'credit-score-rating';
const OCR = 'document-ocr';
const NEWS = 'news';
const SCAN = { file_id: 'scan-1', language: 'fa' };
const GOOD = { mobile: '09121234567', national_code: '0499370899' };

let peygir;
let bot;
let asked = 0;

// One request straight to web, from any address. `who`: a visitor whose cookies go along.
function ask(path, { method = 'GET', who, address = `192.0.2.${1 + (asked++ % 250)}`, ...more } = {}) {
  const cookie = who ? [...who.cookies].map(([name, value]) => `${name}=${value}`).join('; ') : '';
  return exchange(peygir.file('web.sock'), fcgi(method, path, {
    REMOTE_ADDR: address, HTTP_COOKIE: cookie, HTTP_ACCEPT_LANGUAGE: 'en', ...more,
  }));
}

// Ask until refused: how often it was answered, and the refusal.
async function exhaust(question, most = 2000) {
  for (let count = 0; count < most; count++) {
    const answer = await question();
    if (answer.status === 429) return { count, answer };
  }
  throw new Error(`never refused in ${most} times`);
}

// A national code of nobody in particular, with its check digit.
function nationalCode(n) {
  const digits = String(123450000 + n);
  const rest = [...digits].reduce((sum, digit, i) => sum + Number(digit) * (10 - i), 0) % 11;
  return digits + (rest < 2 ? rest : 11 - rest);
}

// Buckets let go while they are filled, so the count may be a little over.
const about = (count, burst) => assert.ok(count >= burst && count <= burst * 1.5 + 5, `${count} of about ${burst}`);

const form = (values) => ({ CONTENT_TYPE: 'application/x-www-form-urlencoded', body: new URLSearchParams(values).toString() });
const newcomer = () => peygir.visitor();

before(async () => {
  bot = await new Bot().listen(await freePort());
  peygir = await start({
    env: {
      PEYGIR_LIMIT_FACTOR: '0.2', PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_BACKOFF: '0', WORKER_QUEUES: 'task', MAIL_FROM: 'a@example.net',
      PEYGIR_SITE_URL: 'https://site.example',
    },
    services: editServices({
      [NEWS]: () => ({
        slug: NEWS, title: 'News', estimated_duration: 1, steps: [],
        fields: [{ name: 'about', label: 'About' }, { name: 'news_to', type: 'notify_email', label: 'Address', rules: ['email'] }],
      }),
    }),
  });
});
after(async () => {
  await peygir?.stop();
  bot?.server.closeAllConnections();
  await bot?.close?.();
});

describe('whoever asks too often is refused politely (ASVS v4.0.3-11.1.4)', () => {
  test('a session that reads, with the time to wait, and nobody else', async () => {
    const who = newcomer();
    await who.get(`/services/${OCR}`);
    const { count, answer } = await exhaust(() => ask(`/services/${OCR}`, { who }));
    about(count, 20);
    assert.equal(answer.headers['retry-after'], '1');
    assert.match(answer.headers['ratelimit-policy'], /^"read";q=20;w=10$/);
    assert.match(answer.headers.ratelimit, /^"read";r=0;t=1$/);
    assert.match(answer.headers['content-type'], /^text\/html/);
    assert.match(answer.body, /You can go on in a few seconds/);
    assert.doesNotMatch(answer.body, /try again in/, 'the time is said once');
    assert.equal((await ask(`/services/${OCR}`, { who: newcomer() })).status, 200);
  });

  test('of data of sources it has its own share as well', async () => {
    const who = newcomer(), path = '/api/data/crypto/trending';
    await who.get(`/services/${OCR}`);
    const { count, answer } = await exhaust(() => ask(path, { who }));
    about(count, 20);
    assert.match(answer.headers['ratelimit-policy'], /^"read";q=20;w=10$/);
    assert.notEqual((await ask(path, { who: newcomer() })).status, 429);
  });

  test('it may ask again when the time is over', async () => {
    const who = newcomer();
    await who.get(`/services/${OCR}`);
    await exhaust(() => ask(`/services/${OCR}`, { who }));
    await waitFor(async () => (await ask(`/services/${OCR}`, { who })).status === 200);
  });

  test('an address, whose ten times as much no new cookie gets around', async () => {
    const address = '198.51.100.7', who = newcomer();
    await who.get(`/services/${OCR}`); // one of 20 that its own bucket holds
    const { count, answer } = await exhaust(() => ask('/', { address }));
    about(count, 200);
    assert.match(answer.headers['ratelimit-policy'], /^"read";q=200;/);
    const again = await exhaust(() => ask(`/services/${OCR}`, { address, who }));
    assert.match(again.answer.headers['ratelimit-policy'], /^"read";q=200;/);
    assert.equal((await ask('/', { address: '198.51.100.8' })).status, 200);
  });

  test('a program is told by problem+json', async () => {
    const { answer } = await exhaust(() => ask('/api/services', { address: '198.51.100.9' }));
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(JSON.parse(answer.body).status, 429);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
  });

  test('before the token of the form is looked at and its body is read', async () => {
    const who = newcomer();
    await who.get(`/services/${OCR}`);
    const post = () => ask(`/services/${OCR}`, { method: 'POST', who, ...form({ _token: 'wrong', ...SCAN }) });
    assert.equal((await post()).status, 403);
    const { count, answer } = await exhaust(post);
    about(count + 1, 6);
    assert.match(answer.headers['ratelimit-policy'], /^"submit";q=6;w=60$/);
    const long = await ask(`/services/${OCR}`, { method: 'POST', who, ...form({ x: 'x'.repeat(70_000) }) });
    assert.equal(long.status, 429);
  });

  test('each thing is counted by itself', async () => {
    const visitor = newcomer();
    const hash = await visitor.request(OCR, SCAN);
    const token = await visitor.token();
    const act = (what) => ask(`/api/local-requests/${hash}/${what}`, { method: 'POST', who: visitor, HTTP_X_CSRF_TOKEN: token, body: '' });
    await exhaust(() => act('resend-otp'));
    assert.notEqual((await act('cancel')).status, 429);
    assert.equal((await ask(`/api/local-requests/${hash}/status`, { who: visitor })).status, 200);
  });

  test('polls that are answered together are counted one by one', async () => {
    const visitor = newcomer();
    const hash = await visitor.request(OCR, SCAN);
    const web = peygir.kill('web', 'SIGSTOP');
    const polls = Array.from({ length: 60 }, () => ask(`/api/local-requests/${hash}/status`, { who: visitor }));
    await new Promise((resolve) => setImmediate(resolve));
    process.kill(web, 'SIGCONT');
    const answers = await Promise.all(polls);
    about(answers.filter(({ status }) => status === 200).length, 20);
    assert.ok(answers.every(({ status, body }) => status === 429 || JSON.parse(body).hash === hash));
  });

  test('a user who acts, over all devices and addresses', async () => {
    const { token } = await peygir.cliJson('token', 'create', '--role', 'site', 'devices');
    const device = async () => {
      const who = newcomer();
      const { enter_url: link } = (await new Visitor(peygir.base).fetch('/api/internal/sessions', {
        method: 'POST', body: JSON.stringify({ user_id: 'u-7' }), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      })).json;
      assert.equal((await who.get(link)).status, 303);
      return who;
    };
    let count = 0, refused = null;
    for (let i = 0; i < 5 && !refused; i++) { // three from each: a device alone has four
      const who = await device(), csrf = await who.token();
      for (let turn = 0; turn < 3 && !refused; turn++) {
        const answer = await ask(`/api/local-requests/req_${'0'.repeat(26)}/cancel`, { method: 'POST', who, HTTP_X_CSRF_TOKEN: csrf, body: '' });
        if (answer.status === 429) refused = answer;
        else count++;
      }
    }
    about(count, 4);
    assert.match(refused.headers['ratelimit-policy'], /^"cancel";q=4;/);
    assert.equal((await ask('/', { who: await device() })).status, 200);
  });

  test('but health, metrics and programs with a token are never refused', async () => {
    const address = '127.0.0.1';
    for (let i = 0; i < 250; i++) {
      assert.equal((await ask('/healthz', { address })).status, 200);
      if (i % 10 === 0) assert.equal((await ask('/metrics', { address })).status, 200);
    }
  });

  test('what is counted names nobody', async () => {
    await ask('/', { address: '203.0.113.77' });
    const keys = await peygir.redis.keys('peygir:limit:*');
    assert.ok(keys.length > 0);
    for (const key of keys) {
      assert.match(key, /^peygir:limit:[a-z-]+:[0-9a-f]{32}$/);
      assert.ok((await peygir.redis.pttl(key)) > 0 || !(await peygir.redis.exists(key)), key);
    }
  });
});

describe('requests whose news go to one address', () => {
  const send = (who, about, news_to) => who.submit(NEWS, { about, news_to });

  test('are limited over all sessions, whatever the case, and without the address there is no limit', async () => {
    for (const news_to of ['victim@example.org', 'Victim@Example.org']) assert.equal((await send(newcomer(), 'a', news_to)).status, 303);
    const answer = await send(newcomer(), 'typed', 'victim@example.org');
    assert.equal(answer.status, 429);
    assert.match(answer.text, /asked for e-mail to this address/);
    assert.ok(Number(answer.headers.get('retry-after')) > 60);
    assert.equal(answer.form(NEWS).fields.about, 'typed');
    const api = await newcomer().postJson('/api/local-requests', { service: NEWS, data: { about: 'a', news_to: 'victim@example.org' } });
    assert.equal(api.status, 429);
    assert.match(api.json.detail, /asked for e-mail to this address/);
    for (const news_to of ['', 'other@example.org']) assert.equal((await send(newcomer(), 'a', news_to)).status, 303);
    assert.ok(!(await peygir.redis.keys('*:limit:mail:*')).some((key) => key.includes('victim')));
  });

  test('count once when the form is sent again, and each time when something else is sent with its key', async () => {
    const visitor = newcomer(), page = await visitor.get(`/services/${NEWS}`), fields = { about: 'a', news_to: 'again@example.org' };
    const again = async (about) => (await visitor.send(page.form(NEWS), { ...fields, about })).status;
    for (let i = 0; i < 4; i++) assert.equal(await again('a'), 303);
    assert.equal(await again('b'), 303);
    assert.equal(await again('c'), 429);
  });
});

describe('codes to one mobile number', () => {
  const national = [1, 2, 3, 4, 5, 6].map(nationalCode);
  let asks = [];

  before(() => {
    bot.on(`/api/services/${CREDIT}`, (call) => {
      asks.push(call.data);
      call.reply({ status: 'success', code: 'SMS_SENT', otp: { hash: 'h', message: 'sent', length: 5 } });
    });
  });

  test('are limited over all sessions and addresses, with what was typed kept (ASVS v4.0.3-2.2.1)', async () => {
    for (const code of national.slice(0, 2)) {
      const hash = await newcomer().request(CREDIT, { ...GOOD, national_code: code });
      await peygir.status(hash, 'otp_required');
    }
    const answer = await newcomer().submit(CREDIT, { ...GOOD, national_code: national[2] });
    assert.equal(answer.status, 429);
    assert.match(answer.text, /Many codes were sent to this mobile number/);
    assert.ok(Number(answer.headers.get('retry-after')) > 60);
    assert.equal(answer.form(CREDIT).fields.mobile, GOOD.mobile);
    const api = await newcomer().postJson('/api/local-requests', { service: CREDIT, data: { ...GOOD, national_code: national[3] } });
    assert.equal(api.status, 429);
    assert.match(api.json.detail, /Many codes/);
    await newcomer().request(CREDIT, { mobile: '09351112233', national_code: national[4] });
    assert.ok(asks.filter(({ mobile }) => mobile === GOOD.mobile).length === 2);
  });

  test('a form that is sent again counts once', async () => {
    const visitor = newcomer();
    const page = await visitor.get(`/services/${CREDIT}`);
    const fields = { mobile: '09361112233', national_code: national[0] };
    const places = new Set();
    for (let i = 0; i < 5; i++) places.add((await visitor.send(page.form(CREDIT), fields)).location);
    assert.equal(places.size, 1);
    assert.match([...places][0], /progress/);
  });

  test('another code for the same request counts too', async () => {
    const visitor = newcomer();
    const fields = { mobile: '09371112233', national_code: national[1] };
    const hash = await visitor.request(CREDIT, fields);
    await peygir.status(hash, 'otp_required');
    await newcomer().request(CREDIT, { ...fields, national_code: national[5] });
    const clock = (await peygir.guard(hash)).clock.split(' ');
    clock[4] = '1'; // the cool-down is over
    await peygir.redis.hset(`{local_request:${hash}}:guard`, 'clock', clock.join(' '));
    const answer = await visitor.act(hash, 'resend-otp');
    assert.equal(answer.status, 429, answer.html);
    assert.ok(Number(answer.headers.get('retry-after')) > 60);
    assert.equal((await peygir.document(hash)).otp_data.resends, 0);
  });
});

describe('bad days', () => {
  test('without Redis the first page opens, and nothing that acts is done', async () => {
    const who = newcomer();
    const page = await who.get(`/services/${OCR}`);
    peygir.kill('redis', 'SIGSTOP');
    try {
      assert.equal((await ask('/')).status, 200);
      assert.equal((await ask('/api/services')).status, 200);
      const post = await ask(`/services/${OCR}`, { method: 'POST', who, ...form({ ...page.form(OCR).fields, ...SCAN }) });
      assert.equal(post.status, 503);
      assert.match(post.body, /value="scan-1"/);
    } finally {
      peygir.kill('redis', 'SIGCONT');
    }
    await peygir.ready();
  });

  test('when Redis is full it is still counted', async () => {
    const who = newcomer();
    await who.get(`/services/${OCR}`);
    await peygir.redis.config('SET', 'maxmemory', '1');
    try {
      about((await exhaust(() => ask(`/services/${OCR}`, { who }))).count, 20);
    } finally {
      await peygir.redis.config('SET', 'maxmemory', '0');
    }
  });
});

describe('the host site keeps limits of its own', () => {
  const tokens = {};
  const count = (name, value, role = 'site') => new Visitor(peygir.base).fetch(`/api/internal/limits/${name}`, {
    method: 'POST', body: JSON.stringify(value), headers: { authorization: `Bearer ${tokens[role]}`, 'content-type': 'application/json' },
  });

  before(async () => {
    for (const role of ['site', 'bot']) tokens[role] = (await peygir.cliJson('token', 'create', '--role', role, role)).token;
  });

  test('by any name, for anybody', async () => {
    const coupon = { who: 'user:5', count: 3, period: 3600 };
    for (const remaining of [2, 1, 0]) {
      assert.deepEqual((await count('coupon', coupon)).json, { allowed: true, limit: 3, remaining, retry_after: 0 });
    }
    const { allowed, retry_after: wait } = (await count('coupon', coupon)).json;
    assert.equal(allowed, false);
    assert.ok(wait > 1100 && wait <= 1200, `${wait}`);
    assert.equal((await count('coupon', { ...coupon, who: 'user:6' })).json.allowed, true);
    assert.equal((await count('voucher', coupon)).json.allowed, true);
  });

  test('by the names of Peygir with its numbers', async () => {
    const { limit, remaining } = (await count('sign-in', { who: 'a@example.org' })).json;
    assert.deepEqual([limit, remaining], [10, 9]);
  });

  test('with a clear word about mistakes', async () => {
    for (const [name, value, status] of [
      ['coupon', { count: 3, period: 60 }, 422], ['coupon', { who: '', count: 3, period: 60 }, 422], ['coupon', { who: 'a', count: 3 }, 422],
      ['coupon', { who: 'a', count: 0, period: 60 }, 422], ['coupon', { who: 'a', count: 1.5, period: 60 }, 422], ['coupon', [], 422],
      ['coupon', { who: 'a', count: 3, period: 60, burst: -1 }, 422], ['CoUpOn', { who: 'a', count: 3, period: 60 }, 404],
    ]) {
      const answer = await count(name, value);
      assert.equal(answer.status, status, JSON.stringify(value));
      assert.equal(answer.type, 'application/problem+json');
    }
    assert.equal((await count('coupon', { who: 'a', count: 3, period: 60 }, 'bot')).status, 403);
  });
});

describe('what acts comes from a page of ours (ASVS v4.0.3-4.2.2, 13.2.3)', () => {
  async function post(more) {
    const who = newcomer();
    return ask('/api/local-requests', {
      method: 'POST', HTTP_X_CSRF_TOKEN: await who.token(), who, HTTP_HOST: 'peygir.example', CONTENT_TYPE: 'application/json', body: JSON.stringify({ service: OCR, data: SCAN }), ...more,
    });
  }

  for (const [name, more, status] of [
    ['as the browser says', { HTTP_SEC_FETCH_SITE: 'same-origin' }, 202],
    ['or the person by hand', { HTTP_SEC_FETCH_SITE: 'none' }, 202],
    ['not from another site, even with the right token', { HTTP_SEC_FETCH_SITE: 'cross-site' }, 403],
    ['nor from another host of the same domain', { HTTP_SEC_FETCH_SITE: 'same-site' }, 403],
    ['an older browser names the origin', { HTTP_ORIGIN: 'https://peygir.example' }, 202],
    ['which must be ours', { HTTP_ORIGIN: 'https://evil.example' }, 403],
    ['to the last letter', { HTTP_ORIGIN: 'https://peygir.example.evil.example' }, 403],
    ['with its port', { HTTP_ORIGIN: 'https://peygir.example:8443' }, 403],
    ['and known', { HTTP_ORIGIN: 'null' }, 403],
  ]) {
    test(name, async () => assert.equal((await post(more)).status, status));
  }
});
