// webhooks.test.mjs: API clients are called, signed as Standard Webhooks says, when a request of theirs needs a code or has ended.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CODE, CREDIT, GOOD, OCR } from '../lib/demo.mjs';
import { SOURCE, freePort, start, waitFor } from '../lib/peygir.mjs';
import { Visitor } from '../lib/visitor.mjs';

const { webhooks } = JSON.parse(fs.readFileSync(`${SOURCE}/www/api/openapi.json`, 'utf8'));
const described = webhooks.requestChanged.post.requestBody.content['application/json'].schema;
const REQUESTS = '/api/local-requests';
const SCAN = { file_id: 'scan-1', language: 'fa' };

// A client's own server: what it was told, by hash; `answer` decides what it says.
class Receiver {
  calls = [];
  answer = () => 204;

  async listen() {
    this.server = http.createServer(async (req, res) => {
      const pieces = [];
      for await (const piece of req) pieces.push(piece);
      const body = Buffer.concat(pieces).toString(), call = { url: req.url, method: req.method, headers: req.headers, body };
      try {
        call.event = JSON.parse(body);
      } catch { /* looked at by the test */ }
      this.calls.push(call);
      const said = await this.answer(call, res);
      if (said) res.writeHead(said, { location: elsewhere.base }).end('x'.repeat(said === 200 ? 100_000 : 0));
    });
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.base = `http://127.0.0.1:${this.server.address().port}/hooks/`;
    return this;
  }

  of(hash) {
    return this.calls.filter(({ event }) => event?.data.hash === hash);
  }

  told(hash, type) {
    return waitFor(() => this.of(hash).find(({ event }) => event.type === type), { what: `${type} to be told`, now: () => this.calls.map(({ event }) => event) });
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

// As the clients' libraries do it: any of the signatures may fit.
function verify({ headers, body }, secret) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const want = crypto.createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
  return headers['webhook-signature'].split(' ').includes(`v1,${want}`);
}

let peygir, bot, receiver, elsewhere, client, made;
const work = { [OCR]: null, [CREDIT]: null };

before(async () => {
  bot = await new Bot().listen(await freePort());
  for (const slug of [CREDIT, OCR]) {
    bot.on(slug, (call) => work[slug](call));
    bot.on(`/api/services/${slug}/cancel`, (call) => call.reply({ status: 'success' }));
  }
  receiver = await new Receiver().listen();
  elsewhere = await new Receiver().listen();
  peygir = await start({ env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_BACKOFF: '0', WORKER_TRIES: '1' } });
  made = await peygir.cliJson('token', 'create', '--role', 'api', '--callback', receiver.base, 'client');
  client = new Visitor(peygir.base, { headers: { authorization: `Bearer ${made.token}` } });
});
after(async () => {
  try {
    await bot?.close();
    await peygir?.stop();
  } finally {
    receiver?.close();
    elsewhere?.close();
  }
});

const post = (who, path, value, headers = {}) => who.fetch(path, { method: 'POST', body: value && JSON.stringify(value), headers: { ...(value && { 'content-type': 'application/json' }), ...headers } });
const ask = (callback_url = `${receiver.base}one?x=1`, service = OCR, data = SCAN, headers = {}) => post(client, REQUESTS, { service, data, callback_url }, headers);

async function request(...what) {
  const answer = await ask(...what);
  assert.equal(answer.status, 202, answer.html);
  return answer.json.hash;
}

async function request_of(who, callback_url) {
  const answer = await post(who, REQUESTS, { service: OCR, data: SCAN, callback_url });
  assert.equal(answer.status, 202, answer.html);
  return answer.json.hash;
}

describe('A client that gave a callback_url', () => {
  test('is called when the request has ended, with a signature that its secret proves and nothing personal', async () => {
    work[OCR] = (call) => call.success({ text: 'very personal' });
    const hash = await request();
    const call = await receiver.told(hash, 'request.completed');
    assert.equal(call.method, 'POST');
    assert.equal(call.url, '/hooks/one?x=1');
    assert.equal(call.headers['content-type'], 'application/json');
    assert.deepEqual(call.event.data, { hash, service_slug: OCR, status: 'completed' });
    assert.deepEqual(Object.keys(call.event), Object.keys(described.properties));
    assert.ok(described.properties.type.enum.includes(call.event.type));
    assert.ok(Math.abs(Date.parse(call.event.timestamp) - Date.now()) < 60_000);
    assert.match(made.webhook_secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.ok(verify(call, made.webhook_secret));
    assert.ok(!verify({ ...call, body: `${call.body} ` }, made.webhook_secret));
    assert.deepEqual((await client.json(`${REQUESTS}/${hash}/result`)).result, { text: 'very personal' });
  });

  test('is called for each code that is needed, and for the end', async () => {
    work[CREDIT] = (call) => (call.data.otp === undefined ? call.smsSent() : call.data.otp === CODE ? call.success({ score: 1 }) : call.error('OTP_WRONG'));
    const hash = await request(receiver.base, CREDIT, GOOD);
    await receiver.told(hash, 'request.otp_required');
    assert.equal((await post(client, `${REQUESTS}/${hash}/otp`, { otp: '99999' })).status, 202);
    await waitFor(() => receiver.of(hash).length === 2, { what: 'the second code' });
    assert.equal((await post(client, `${REQUESTS}/${hash}/otp`, { otp: CODE })).status, 202);
    await receiver.told(hash, 'request.completed');
    assert.deepEqual(receiver.of(hash).map(({ event }) => event.data.status), ['otp_required', 'otp_required', 'completed']);
    assert.equal(new Set(receiver.of(hash).map(({ headers }) => headers['webhook-id'])).size, 3);
  });

  test('is called at once when it cancels', async () => {
    work[OCR] = () => {};
    const hash = await request();
    assert.equal((await post(client, `${REQUESTS}/${hash}/cancel`)).status, 200);
    await receiver.told(hash, 'request.cancelled');
  });

  test('is called for what a bot that writes into Redis by itself brings about', async () => {
    work[OCR] = () => {};
    const hash = await request();
    await waitFor(() => bot.of(hash).length, { what: 'the bot to be called' });
    const document = await peygir.document(hash);
    await peygir.redis.setex(`local_request:${hash}`, 1800, JSON.stringify({ ...document, status: 'otp_required', otp_data: { expires_at: new Date(Date.now() + 60_000).toISOString() } }));
    await peygir.redis.publish(`local_request_updates:${hash}`, JSON.stringify(await peygir.document(hash)));
    await receiver.told(hash, 'request.otp_required');
  });

  test('is called again with the same id and body until it answers with 2xx', async () => {
    let refusals = 2;
    receiver.answer = (call, res) => (refusals-- > 0 ? (refusals === 1 ? 500 : void res.destroy()) : 200);
    work[OCR] = (call) => call.success({});
    const hash = await request();
    const first = await receiver.told(hash, 'request.completed');
    // The waits between the attempts are the policy's; what is due is moved up.
    await waitFor(async () => {
      for (const id of await peygir.redis.zrange('peygir:webhook:delayed', 0, -1)) await peygir.redis.zadd('peygir:webhook:delayed', 'XX', 1, id);
      return receiver.of(hash).length === 3;
    }, { what: 'the third attempt' });
    receiver.answer = () => 204;
    for (const call of receiver.of(hash)) {
      assert.equal(call.headers['webhook-id'], first.headers['webhook-id']);
      assert.equal(call.body, first.body);
      assert.ok(verify(call, made.webhook_secret));
    }
    const job = await waitFor(async () => {
      const data = await peygir.redis.hgetall(`peygir:webhook:data:${first.headers['webhook-id']}`);
      return data.status === 'completed' && data;
    }, { what: 'the job to end' });
    assert.equal(job.attempts, '2');
  });

  test('a redirect is not followed and 410 ends it', async () => {
    for (const status of [302, 410]) {
      receiver.answer = () => status;
      work[OCR] = (call) => call.success({});
      const hash = await request(), id = `${hash}.webhook.completed1`;
      await receiver.told(hash, 'request.completed');
      const list = status === 410 ? 'failed' : 'delayed';
      await waitFor(() => peygir.redis.zscore(`peygir:webhook:${list}`, id), { what: `${id} to be ${list}` });
      assert.equal(receiver.of(hash).length, 1);
      await peygir.cli('queue', 'cancel', '--queue', 'webhook', id);
    }
    assert.equal(elsewhere.calls.length, 0);
    receiver.answer = () => 204;
  });

  test('does not hold up its own requests when its call cannot be queued: cancelling ends the work at once, and it is told later', async () => {
    work[OCR] = () => {};
    const hash = await request();
    await waitFor(() => bot.of(hash).length, { what: 'the bot to be called' });
    await peygir.redis.config('SET', 'maxmemory', '1');
    try {
      assert.equal((await post(client, `${REQUESTS}/${hash}/cancel`)).status, 200);
      await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}`, 'status')) === 'cancelled', { what: 'its job to end' });
      assert.equal(receiver.of(hash).length, 0);
    } finally {
      await peygir.redis.config('SET', 'maxmemory', '0');
    }
    await peygir.redis.zadd('peygir:requests:watch', 'XX', 1, hash); // the next look is brought forward
    await receiver.told(hash, 'request.cancelled');
  });

  test('the same key with another callback_url is refused, with the same one it is the same request', async () => {
    work[OCR] = (call) => call.success({});
    const key = { 'idempotency-key': 'once' };
    const hash = await request(receiver.base, OCR, SCAN, key);
    assert.equal(await request(receiver.base, OCR, SCAN, key), hash);
    assert.equal((await ask(`${receiver.base}other`, OCR, SCAN, key)).status, 422);
    await receiver.told(hash, 'request.completed');
    assert.equal(receiver.of(hash).length, 1);
  });
});

describe('A client that hangs', () => {
  test('is left alone after a while, its jobs wait without an attempt, and others are called as before', async () => {
    const hung = await new Receiver().listen();
    hung.answer = (call, res) => void res.destroy();
    const bad = await peygir.cliJson('token', 'create', '--role', 'api', '--callback', hung.base, 'hung');
    const one = new Visitor(peygir.base, { headers: { authorization: `Bearer ${bad.token}` } });
    try {
      work[OCR] = (call) => call.success({});
      for (let i = 0; i < 25; i++) assert.equal((await post(one, REQUESTS, { service: OCR, data: { file_id: `scan-${i}`, language: 'fa' }, callback_url: hung.base })).status, 202);
      const away = async () => (JSON.parse((await peygir.cli('--json', 'health')).stdout).checks.find(({ check }) => check === 'called')?.detail);
      assert.match(await waitFor(away, { what: 'it to be left alone' }), new RegExp(`^webhook:${new URL(hung.base).origin} fails again and again`));
      const hash = await request();
      await receiver.told(hash, 'request.completed');
      const last = await request_of(one, hung.base);
      const job = await waitFor(async () => {
        const data = await peygir.redis.hgetall(`peygir:webhook:data:${last}.webhook.completed1`);
        return Number(data.run) >= 1 && data.status === 'pending' && data;
      }, { what: 'its job to wait' });
      assert.equal(job.attempts ?? '0', '0');
    } finally {
      hung.close();
    }
  });
});

describe('Nobody is called', () => {
  test('where the token does not allow it, nor at what is no URL, nor for a visitor', async () => {
    const bad = [elsewhere.base, receiver.base.slice(0, -1), receiver.base.replace('http:', 'https:'), `${receiver.base}../x`, 'file:///etc/passwd', '', 7, ['x'],
      receiver.base.replace('127', 'user@127'), `${receiver.base}#x`, `${receiver.base}${'x'.repeat(600)}`];
    for (const url of bad) {
      const answer = await ask(url);
      assert.equal(answer.status, 422, String(url));
      assert.equal(answer.type, 'application/problem+json');
      assert.match(answer.json.detail, /callback_url|called there/);
    }
    const visitor = peygir.visitor();
    await visitor.get(`/services/${OCR}`);
    const answer = await visitor.postJson(REQUESTS, { service: OCR, data: SCAN, callback_url: receiver.base });
    assert.equal(answer.status, 422, answer.html);
    const plain = await peygir.cliJson('token', 'create', '--role', 'api', 'plain');
    assert.equal(plain.webhook_secret, undefined);
    const other = new Visitor(peygir.base, { headers: { authorization: `Bearer ${plain.token}` } });
    assert.equal((await post(other, REQUESTS, { service: OCR, data: SCAN, callback_url: receiver.base })).status, 422);
    assert.equal(elsewhere.calls.length, 0);
  });

  test('once the token was revoked', async () => {
    const short = await peygir.cliJson('token', 'create', '--role', 'api', '--callback', `${elsewhere.base},${receiver.base}`, 'short');
    const one = new Visitor(peygir.base, { headers: { authorization: `Bearer ${short.token}` } });
    work[OCR] = (call) => held.push(call);
    const held = [];
    const answer = await post(one, REQUESTS, { service: OCR, data: SCAN, callback_url: elsewhere.base });
    assert.equal(answer.status, 202, answer.html);
    await waitFor(() => held.length, { what: 'the bot to be called' });
    assert.equal((await peygir.cli('token', 'revoke', 'short')).code, 0);
    held[0].success({});
    await waitFor(() => peygir.redis.zscore('peygir:webhook:failed', `${answer.json.hash}.webhook.completed1`), { what: 'the job to fail' });
    assert.equal(elsewhere.calls.length, 0);
  });
});

describe('token secret', () => {
  test('shows what a client checks calls with again', async () => {
    assert.equal((await peygir.cliJson('token', 'secret', 'client')).webhook_secret, made.webhook_secret);
    const none = await peygir.cli('token', 'secret', 'nobody');
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no token "nobody"/);
  });
});

describe('token create --callback', () => {
  test('takes addresses of API clients alone and says what is wrong with one', async () => {
    const wrong = await peygir.cli('token', 'create', '--role', 'api', '--callback', 'https://x.example/,nonsense', 'bad');
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.stderr, /nonsense/);
    const role = await peygir.cli('token', 'create', '--role', 'bot', '--callback', receiver.base, 'bad');
    assert.notEqual(role.code, 0);
    assert.match(role.stderr, /role api/);
    const list = await peygir.cliJson('token', 'list');
    assert.ok(!list.some(({ name }) => name === 'bad'));
    assert.equal(list.find(({ name }) => name === 'client').callbacks, receiver.base);
  });
});
