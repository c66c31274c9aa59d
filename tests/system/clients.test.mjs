// clients.test.mjs: programs of others make requests of their own through the JSON routes, with a token of role api in place of the
// session cookie and the CSRF token.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { CODE, CREDIT, GOOD, OCR, WRONG_CODE, misdeed, untilCode, whileWorkerSleeps } from '../lib/demo.mjs';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { start, tempDir, waitFor } from '../lib/peygir.mjs';
import { Visitor } from '../lib/visitor.mjs';

const REQUESTS = '/api/local-requests';
const SCAN = { file_id: 'scan-1', language: 'fa' };
const NOBODY = `req_${'0'.repeat(26)}`;
const ACTS = ['cancel', 'otp', 'resend-otp'];

const path = (hash, what) => `${REQUESTS}/${hash}/${what}`;
const tokenOf = async (peygir, name, role = 'api') => (await peygir.cliJson('token', 'create', '--role', role, name)).token;

// An API client: a token, and nothing that a browser has.
class Client extends Visitor {
  constructor(peygir, token, headers = {}) {
    super(peygir.base, { headers: { authorization: `Bearer ${token}`, ...headers } });
  }

  static async named(peygir, name) {
    return new Client(peygir, await tokenOf(peygir, name));
  }

  send(path, value, headers) {
    const body = value === undefined ? undefined : JSON.stringify(value);
    return this.fetch(path, { method: 'POST', body, headers: { ...(body && { 'content-type': 'application/json' }), ...headers } });
  }

  make(data = SCAN, service = OCR, headers = {}) {
    return this.send(REQUESTS, { service, data }, headers);
  }

  async made(...what) {
    const answer = await this.make(...what);
    assert.equal(answer.status, 202, answer.html);
    return answer.json.hash;
  }

  act(hash, what) {
    return this.send(path(hash, what), what === 'otp' ? { otp: CODE } : undefined);
  }
}

const assertProblem = (answer, status) => {
  assert.equal(answer.status, status, answer.html);
  assert.equal(answer.type, 'application/problem+json');
  assert.equal(answer.json.status, status);
  return answer.json;
};

const assertUnauthorized = (answer) => {
  assertProblem(answer, 401);
  assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
};

// Every route that takes a token, asked by somebody about a request.
async function* everything(who, hash) {
  yield await who.get(path(hash, 'status'));
  yield await who.get(path(hash, 'result'));
  for (const what of ACTS) yield await who.act(hash, what);
}

describe('an API client', () => {
  let peygir, client, other;

  before(async () => {
    peygir = await start();
    client = await Client.named(peygir, 'client');
    other = await Client.named(peygir, 'other');
  });
  after(() => peygir?.stop());

  test('makes a request, enters a code that is wrong and one that is right, and has the result', async () => {
    const answer = await client.make(GOOD, CREDIT);
    assert.equal(answer.status, 202, answer.html);
    const { hash, status_url: place } = answer.json;
    assert.equal(answer.headers.get('location'), place);
    await peygir.status(hash, 'otp_required');
    assert.equal((await client.json(place)).requires_otp, true);
    assertProblem(await client.get(path(hash, 'result')), 409);
    assertProblem(await client.send(path(hash, 'otp'), { otp: 'x' }), 422);
    assertProblem(await client.send(path(hash, 'resend-otp')), 429);
    assert.equal((await client.send(path(hash, 'otp'), { otp: WRONG_CODE })).status, 202);
    const { attempts_left: left } = await waitFor(async () => {
      const { status, otp } = await client.json(place);
      return status === 'otp_required' && otp.attempts_left < 3 ? otp : null;
    });
    assert.equal(left, 2);
    assert.equal((await client.act(hash, 'otp')).status, 202);
    await peygir.status(hash, 'completed');
    assert.equal((await client.json(place)).is_completed, true);
    assert.ok((await client.json(path(hash, 'result'))).result.score);
    assertProblem(await client.act(hash, 'cancel'), 409);
  });

  test('hears what the bot said of a request that failed', async () => {
    const hash = await client.made(misdeed('fail'), CREDIT);
    await peygir.status(hash, 'failed');
    const { error } = await client.json(path(hash, 'result'));
    assert.equal(error.code, 'NOT_FOUND');
    assert.equal((await client.json(path(hash, 'status'))).is_failed, true);
  });

  test('cancels', async () => {
    const hash = await client.made(misdeed('hang'), CREDIT);
    const answer = await client.act(hash, 'cancel');
    assert.equal(answer.status, 200, answer.html);
    assert.equal(answer.json.is_cancelled, true);
  });

  test('is told which values are wrong, in the language that it asks for', async () => {
    const broken = { ...GOOD, mobile: '1' };
    const english = assertProblem(await client.make(broken, CREDIT), 422);
    assert.deepEqual(english.errors.map(({ field }) => field), ['mobile']);
    const persian = assertProblem(await client.make(broken, CREDIT, { 'accept-language': 'fa' }), 422);
    assert.match(persian.errors[0].detail, /[\u0600-\u06ff]/);
    assertProblem(await client.make({}, 'no-such-service'), 422);
    assertProblem(await client.send(REQUESTS, undefined, { 'content-type': 'text/plain' }), 422);
    assertProblem(await client.fetch(REQUESTS, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }), 400);
  });

  test('makes one request with one key, however often it sends it, and others have keys of their own', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const hash = await client.made(SCAN, OCR, key);
    assert.equal(await client.made(SCAN, OCR, key), hash);
    assertProblem(await client.make({ ...SCAN, file_id: 'scan-2' }, OCR, key), 422);
    assert.notEqual(await other.made(SCAN, OCR, key), hash);
    assert.notEqual(await client.made(), await client.made());
  });

  test('has its request for as long as it looks', async () => {
    const hash = await client.made(misdeed('hang'), CREDIT);
    const keys = [`local_request:${hash}`, `{local_request:${hash}}:guard`];
    for (const key of keys) await peygir.redis.pexpire(key, 600_000);
    await client.json(path(hash, 'status'));
    for (const key of keys) await waitFor(async () => (await peygir.redis.pttl(key)) > 1_700_000);
  });

  test('sees what is offered', async () => {
    assert.deepEqual(await client.json('/api/services'), await peygir.visitor().json('/api/services'));
  });

  describe('and nobody else', () => {
    test('what a client makes is nothing for visitors and other clients (ASVS v4.0.3-4.2.1)', async () => {
      const hash = await client.made(misdeed('hang'), CREDIT);
      const visitor = peygir.visitor();
      await visitor.request(OCR, SCAN);
      await visitor.token();
      const stranger = { get: (at) => visitor.get(at), act: (of, what) => visitor.act(of, what, what === 'otp' ? { otp: CODE } : undefined) };
      for (const who of [stranger, other]) for await (const answer of everything(who, hash)) assertProblem(answer, 404);
      assert.equal((await visitor.get(`/services/${CREDIT}/progress/${hash}`)).status, 404);
      assert.doesNotMatch((await visitor.get('/requests')).html, new RegExp(hash));
      assert.equal((await client.json(path(hash, 'status'))).is_cancelled, false);
    });

    test('what a visitor makes is nothing for a client, even with the cookie of that visitor (ASVS v4.0.3-4.2.1)', async () => {
      const visitor = peygir.visitor();
      const hash = await untilCode(peygir, visitor, misdeed('held'));
      const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      for (const who of [client, new Client(peygir, await tokenOf(peygir, 'with-cookie'), { cookie })]) {
        for await (const answer of everything(who, hash)) assertProblem(answer, 404);
        for await (const answer of everything(who, NOBODY)) assertProblem(answer, 404);
      }
      assert.equal((await visitor.view(hash)).status, 'otp_required');
    });

    test('a token opens no page, and no internal route', async () => {
      const hash = await client.made(misdeed('hang'), CREDIT);
      assert.equal((await client.get(`/services/${CREDIT}/progress/${hash}`)).status, 404);
      assert.equal((await client.get('/account/sessions')).status, 403);
      assertProblem(await client.send('/api/internal/jobs', { type: 'default' }), 403);
    });
  });

  describe('is no browser', () => {
    test('it needs no CSRF token, and no page of ours', async () => {
      const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://elsewhere.example' };
      const hash = await client.made(misdeed('hang'), CREDIT, foreign);
      assert.equal((await client.send(path(hash, 'cancel'), undefined, foreign)).status, 200);
      await client.made(SCAN, OCR, { 'x-csrf-token': 'wrong' });
    });

    test('it has no cookies and gets none, and nothing is stored as a session', async () => {
      const sessions = () => peygir.redis.keys('peygir:session:*');
      const before = (await sessions()).length;
      const fresh = await Client.named(peygir, 'fresh');
      const hash = await fresh.made();
      await fresh.get(`${path(hash, 'status')}?lang=fa`);
      assertProblem(await fresh.get(`${path(NOBODY, 'status')}?lang=fa`), 404);
      assert.deepEqual(fresh.setCookies, []);
      assert.equal((await sessions()).length, before);
      const persian = await fresh.get(path(NOBODY, 'status'), { cookie: 'peygir_lang=fa' });
      assert.equal(persian.headers.get('content-language'), 'en');
    });

    test('a cookie beside the token is not looked at (ASVS v4.0.3-4.2.2, 13.2.3)', async () => {
      const visitor = peygir.visitor();
      const hash = await visitor.request(OCR, SCAN);
      const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const own = await client.made(SCAN, OCR, { cookie });
      assert.notEqual((await peygir.document(own)).owner, (await peygir.document(hash)).owner);
      assert.equal((await client.get(path(own, 'status'), { cookie })).status, 200);
      assert.equal((await visitor.get(path(own, 'status'))).status, 404);
    });

    test('another scheme is no token: the cookie decides', async () => {
      const visitor = peygir.visitor({ headers: { authorization: 'Basic c2FyYTpzZWNyZXQ=' } });
      const hash = await visitor.request(OCR, SCAN);
      assert.equal((await visitor.get(path(hash, 'status'))).status, 200);
      assertProblem(await visitor.fetch(path(hash, 'cancel'), { method: 'POST' }), 403);
    });

    test('its requests have an owner that names no token, and no user', async () => {
      const token = await tokenOf(peygir, 'owned');
      const hash = await new Client(peygir, token).made();
      const { owner, user_id: user } = await peygir.document(hash);
      assert.match(owner, /^[0-9A-HJKMNP-TV-Z]{26}$/);
      assert.equal(user, null);
      assert.ok(!(await peygir.dump()).includes(token));
      assert.ok(!peygir.logs().includes(token));
    });
  });

  describe('without a token that holds', () => {
    test('is told so, whatever it asks for', async () => {
      const hash = await client.made(misdeed('hang'), CREDIT);
      const good = await tokenOf(peygir, 'good');
      for (const text of ['', ' ', 'none', `${good}x`, ` ${good}`, good.slice(0, -1), `pgt_${'A'.repeat(43)}`, 'x'.repeat(5000)]) {
        const stranger = new Client(peygir, text);
        assertUnauthorized(await stranger.make());
        for await (const answer of everything(stranger, hash)) assertUnauthorized(answer);
      }
    });

    test('a session beside it does not help', async () => {
      const visitor = peygir.visitor();
      const hash = await visitor.request(OCR, SCAN);
      assertUnauthorized(await visitor.get(path(hash, 'status'), { authorization: 'Bearer none' }));
      assertUnauthorized(await visitor.postJson(path(hash, 'cancel'), undefined, { authorization: 'Bearer none' }));
      assert.equal((await visitor.view(hash)).is_cancelled, false);
    });

    test('a revoked one is worth nothing at once, and a new one of the same name is somebody else', async () => {
      const gone = await Client.named(peygir, 'short-lived');
      const hash = await gone.made(misdeed('hang'), CREDIT);
      assert.equal((await gone.get(path(hash, 'status'))).status, 200);
      assert.equal((await peygir.cli('token', 'revoke', 'short-lived')).code, 0);
      assertUnauthorized(await gone.make());
      for await (const answer of everything(gone, hash)) assertUnauthorized(answer);
      const next = await Client.named(peygir, 'short-lived');
      for await (const answer of everything(next, hash)) assertProblem(answer, 404);
    });

    test('one of another role may not', async () => {
      const hash = await client.made(misdeed('hang'), CREDIT);
      for (const role of ['bot', 'site']) {
        const program = new Client(peygir, await tokenOf(peygir, role, role));
        assert.equal(assertProblem(await program.make(), 403).detail, 'A token of this role may not do this.');
        for await (const answer of everything(program, hash)) assertProblem(answer, 403);
      }
    });

    test('has no body read', async () => {
      const long = `{"service": "${'x'.repeat(200_000)}"}`;
      const post = (token) => exchange(peygir.file('web.sock'), fcgi('POST', REQUESTS, { HTTP_AUTHORIZATION: `Bearer ${token}`, CONTENT_TYPE: 'application/json', body: long }));
      assert.equal((await post('none')).status, 401);
      assert.equal((await post(await tokenOf(peygir, 'long'))).status, 413);
    });
  });

  test('polls of clients and visitors that are answered together get each their own', async () => {
    const visitor = peygir.visitor();
    const [mine, theirs] = [await client.made(misdeed('hang'), CREDIT), await visitor.request(CREDIT, misdeed('hang'))];
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const asks = { client: { HTTP_AUTHORIZATION: client.headers.authorization }, none: { HTTP_AUTHORIZATION: 'Bearer none' }, visitor: { HTTP_COOKIE: cookie } };
    const wanted = [['client', mine, 200], ['visitor', theirs, 200], ['client', theirs, 404], ['visitor', mine, 404], ['none', mine, 401], ['none', theirs, 401]];
    const questions = Array.from({ length: 8 }, () => wanted).flat();
    const web = peygir.kill('web', 'SIGSTOP');
    const polls = questions.map(([who, hash]) => exchange(peygir.file('web.sock'), fcgi('GET', path(hash, 'status'), asks[who])));
    await new Promise((resolve) => setImmediate(resolve));
    process.kill(web, 'SIGCONT');
    (await Promise.all(polls)).forEach((answer, i) => {
      const [, hash, status] = questions[i];
      assert.equal(answer.status, status, answer.body);
      if (status === 200) assert.equal(JSON.parse(answer.body).hash, hash);
    });
  });

  test('sees its place in the queue', async () => {
    await whileWorkerSleeps(peygir, async () => {
      const hash = await client.made();
      assert.ok((await client.json(path(hash, 'status'))).queue_position >= 1);
    });
  });

  test('is told when Redis is away', async () => {
    const hash = await client.made(misdeed('hang'), CREDIT);
    const pid = peygir.kill('redis', 'SIGSTOP');
    try {
      assertProblem(await client.make(), 503);
      for await (const answer of everything(client, hash)) assertProblem(answer, 503);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await peygir.ready();
    assert.equal((await client.get(path(hash, 'status'))).status, 200);
  });
});

describe('limits', () => {
  let peygir, asked = 0;

  before(async () => {
    peygir = await start({ env: { PEYGIR_LIMIT_FACTOR: '0.2' } });
  });
  after(() => peygir?.stop());

  // Straight to web, each time from another address unless one is given.
  const ask = (token, method, what, { address = `192.0.2.${1 + (asked++ % 250)}`, ...more } = {}) =>
    exchange(peygir.file('web.sock'), fcgi(method, what, { REMOTE_ADDR: address, HTTP_AUTHORIZATION: `Bearer ${token}`, ...more }));

  async function exhaust(question, most = 2000) {
    for (let count = 0; count < most; count++) {
      const answer = await question();
      if (answer.status === 429) return { count, answer };
    }
    throw new Error(`never refused in ${most} times`);
  }

  // Buckets let go while they are filled, so the count may be a little over.
  const about = (count, burst) => assert.ok(count >= burst && count <= burst * 1.5 + 5, `${count} of about ${burst}`);

  test('are counted by the token, over all addresses, whatever cookies come along', async () => {
    const token = await tokenOf(peygir, 'busy');
    let turn = 0;
    const { count, answer } = await exhaust(() => ask(token, 'GET', path(NOBODY, 'status'), { HTTP_COOKIE: `peygir_session=${String(turn++).padStart(64, '0')}` }));
    about(count, 20);
    assert.match(answer.headers['ratelimit-policy'], /^"read";q=20;w=10$/);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal((await ask(await tokenOf(peygir, 'idle'), 'GET', path(NOBODY, 'status'))).status, 404);
  });

  test('each thing by itself, before the body is read', async () => {
    const token = await tokenOf(peygir, 'sender');
    const post = (body) => ask(token, 'POST', REQUESTS, { CONTENT_TYPE: 'application/json', body });
    const { count, answer } = await exhaust(() => post('{}'));
    about(count, 6);
    assert.match(answer.headers['ratelimit-policy'], /^"submit";q=6;w=60$/);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    assert.equal((await post('x'.repeat(70_000))).status, 429);
    assert.equal((await ask(token, 'GET', path(NOBODY, 'status'))).status, 404);
  });

  test('and by the address, which no number of tokens gets around', async () => {
    const address = '198.51.100.7';
    let turn = 0;
    const { count, answer } = await exhaust(() => ask(`pgt_${String(turn++).padStart(43, '0')}`, 'GET', path(NOBODY, 'status'), { address }));
    about(count, 200);
    assert.match(answer.headers['ratelimit-policy'], /^"read";q=200;/);
  });
});

test('a client needs no server of sessions', async () => {
  const dir = tempDir();
  const socket = `${dir}/sessions.sock`;
  const sessions = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', dir], { stdio: 'ignore' });
  const peygir = await start({ env: { REDIS_SESSION_URL: `unix://${socket}?db=2`, PEYGIR_LIMIT_FACTOR: '1' } });
  try {
    const client = await Client.named(peygir, 'apart');
    const visitor = peygir.visitor();
    const theirs = await visitor.request(CREDIT, misdeed('hang'));
    const mine = await client.made(misdeed('hang'), CREDIT);
    assert.deepEqual(await peygir.redis.keys('peygir:session:*'), []);
    assert.equal((await client.get(path(theirs, 'status'))).status, 404);
    assert.equal((await visitor.get(path(mine, 'status'))).status, 404);
    assert.equal((await visitor.get(path(theirs, 'status'))).status, 200);
    const ended = once(sessions, 'exit');
    sessions.kill();
    await ended;
    assert.equal((await visitor.get(path(theirs, 'status'))).status, 503);
    assert.equal((await client.get(path(mine, 'status'))).status, 200);
    assert.equal((await client.act(mine, 'cancel')).status, 200);
  } finally {
    sessions.kill();
    await peygir.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});
