// events.test.mjs: Server-Sent Events: what happens to a request, told as it happens, to whom it belongs, on good and on bad days.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CODE, CREDIT, GOOD, OCR, enter, misdeed, untilCode } from '../lib/demo.mjs';
import { eventsPath, open } from '../lib/events.mjs';
import { SOURCE, isAlive, start, waitFor } from '../lib/peygir.mjs';
import { Visitor } from '../lib/visitor.mjs';
import { timed } from '../lib/wait.mjs';

const SCAN = { file_id: 'scan-1', language: 'fa' };
const WITHIN_MS = 5000;

const span = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const revision = async (peygir, hash) => (await peygir.document(hash)).revision;
const listeners = async (peygir, hash) => (await peygir.redis.pubsub('NUMSUB', `local_request_updates:${hash}`))[1];

// A request that a bot has begun and says no more about.
async function begun(peygir, visitor) {
  const hash = await visitor.request(CREDIT, misdeed('hang'));
  await peygir.status(hash, 'processing');
  return hash;
}

// A bot that knows nothing of Peygir but the keys: reads, changes, writes, says so.
async function report(peygir, hash, fields, client = peygir.redis) {
  const key = `local_request:${hash}`;
  const text = JSON.stringify({ ...JSON.parse(await client.get(key)), ...fields });
  await client.setex(key, 1800, text);
  await client.publish(`local_request_updates:${hash}`, text);
}

// One revision after the other, each recorded before the next.
async function reports(peygir, hash, count) {
  for (let i = 0; i < count; i++) {
    const before = await revision(peygir, hash);
    await report(peygir, hash, { current_message: `step ${before}`, progress: Math.min(99, before) });
    await waitFor(async () => (await peygir.guard(hash)).revision > before, { what: 'the report to be recorded' });
  }
}

describe('a stream of events', () => {
  let peygir;
  let visitor;
  before(async () => {
    peygir = await start();
    visitor = peygir.visitor();
  });
  after(() => peygir?.stop());

  test('tells every change of a request from its beginning to its end, once and in order, and ends', async () => {
    const hash = await visitor.request(CREDIT, GOOD);
    const stream = await open(visitor, hash);
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream');
    assert.equal(stream.headers['cache-control'], 'no-store');
    await stream.until(({ requires_otp }) => requires_otp);
    await enter(visitor, hash, CODE);
    await stream.end;
    assert.match(stream.text, /^retry: [1-9]\d{3}\n\n/);
    assert.ok(stream.events.every(({ id, event, data }) => event === 'update' && id === data.revision));
    assert.deepEqual(stream.ids, span(stream.ids[0], await revision(peygir, hash)));
    assert.equal(stream.last.status, 'completed');
    assert.deepEqual(stream.events.map(({ data }) => data.hash), stream.ids.map(() => hash));
  });

  test('begins with the public view as it is now, the same that /status shows', async () => {
    const hash = await untilCode(peygir, visitor);
    const stream = await open(visitor, hash);
    const first = await stream.until(() => true);
    const view = await visitor.view(hash);
    for (const each of [first.data, view]) {
      delete each.expires_at;
      delete each.otp.expires_in;
      delete each.otp.resend_in;
    }
    assert.deepEqual(first.data, view);
    stream.close();
  });

  test('speaks the viewer\'s language, each viewer\'s own', async () => {
    const hash = await begun(peygir, visitor);
    const english = await open(visitor, hash);
    const persian = await open(visitor, hash, { headers: { 'accept-language': 'fa' } });
    const asked = await open(visitor, hash, { path: `${eventsPath(hash)}?lang=fa` });
    await reports(peygir, hash, 1);
    await report(peygir, hash, { current_message: 'messages.queued' });
    for (const [stream, locale] of [[english, 'en'], [persian, 'fa'], [asked, 'fa']]) {
      const { queued } = JSON.parse(fs.readFileSync(path.join(SOURCE, `www/locales/${locale}.json`), 'utf8')).messages;
      await stream.until(({ current_message: text }) => text === queued);
      stream.close();
    }
  });

  test('goes on exactly where it was cut off, wherever that was', async () => {
    const hash = await begun(peygir, visitor);
    const watcher = await open(visitor, hash);
    await reports(peygir, hash, 12);
    const last = await revision(peygir, hash);
    const history = await peygir.history(hash);
    for (const known of span(1, last - 1)) {
      const stream = await open(visitor, hash, { lastId: known });
      await stream.until((data, id) => id === last);
      assert.deepEqual(stream.ids, span(known + 1, last));
      for (const { id, data } of stream.events) {
        const [at, updated, status, , progress] = history.find(([n]) => n === id);
        assert.deepEqual([data.revision, data.updated_at, data.status, data.progress], [at, updated, status, progress]);
      }
      stream.close();
    }
    const all = await open(visitor, hash, { lastId: last });
    await reports(peygir, hash, 1);
    await all.until(() => true);
    assert.deepEqual(all.ids, [last + 1], 'nothing is told that is known');
    all.close();
    watcher.close();
  });

  test('tells the present state alone when what was missed is not kept any more, or was never told', async () => {
    const hash = await begun(peygir, visitor);
    const watcher = await open(visitor, hash);
    await reports(peygir, hash, 105);
    const last = await revision(peygir, hash);
    await watcher.until((data, id) => id === last);
    for (const lastId of [1, last + 50, 'nonsense', '-3', '99999999999999999999']) {
      const stream = await open(visitor, hash, { lastId });
      await stream.until(() => true);
      assert.deepEqual(stream.ids, [last], `Last-Event-ID: ${lastId}`);
      stream.close();
    }
    watcher.close();
  });

  test('tells a final state once, and says 204 to whoever knows it', async () => {
    const hash = await visitor.request(OCR, SCAN);
    await peygir.status(hash, 'completed');
    const last = await revision(peygir, hash);
    const first = await open(visitor, hash);
    await first.end;
    assert.deepEqual(first.ids, [last]);
    const again = await open(visitor, hash, { lastId: last });
    await again.end;
    assert.equal(again.status, 204);
    assert.equal(again.text, '');
    const missed = await open(visitor, hash, { lastId: last - 2 });
    await missed.end;
    assert.deepEqual(missed.ids, [last - 1, last]);
  });

  test('misses nothing of a storm of updates by several writers, and neither do a hundred viewers', async () => {
    const hash = await begun(peygir, visitor);
    const streams = await Promise.all(span(1, 100).map(() => open(visitor, hash)));
    const writers = span(1, 4).map(() => peygir.connect());
    await Promise.all(writers.map(async (client, n) => {
      for (let i = 0; i < 60; i++) await report(peygir, hash, { current_message: `${n} ${i}`, progress: i }, client);
    }));
    writers.forEach((client) => client.disconnect());
    assert.equal(await listeners(peygir, hash), 2, 'push and worker hear of it once each, however many look');
    await visitor.act(hash, 'cancel');
    for (const stream of streams) {
      await stream.end;
      assert.deepEqual(stream.ids, span(stream.ids[0], stream.ids.at(-1)));
      assert.equal(stream.last.status, 'cancelled');
    }
    const last = await revision(peygir, hash);
    assert.ok(streams.every(({ ids }) => ids.at(-1) === last));
    assert.ok(last > 10, `only ${last} revisions`);
  });

  test('leaves no subscription behind', async () => {
    const hash = await untilCode(peygir, visitor);
    const streams = [await open(visitor, hash), await open(visitor, hash)];
    await waitFor(async () => (await listeners(peygir, hash)) === 1);
    streams[0].close();
    streams[1].close();
    await waitFor(async () => (await listeners(peygir, hash)) === 0, { what: 'the subscription to end' });
  });

  test('does not wait for a reader who does not read; who reads again finds the newest state', async () => {
    const hash = await begun(peygir, visitor);
    const quick = await open(visitor, hash);
    const slow = await open(visitor, hash, { pause: true, socket: peygir.file('push.sock') });
    const size = 'x'.repeat(12_000);
    for (let i = 0; i < 170; i++) {
      const before = await revision(peygir, hash);
      await report(peygir, hash, { current_message: `${i} ${size}` });
      await quick.until((data, id) => id > before);
    }
    assert.deepEqual(quick.ids, span(quick.ids[0], quick.ids.at(-1)));
    await visitor.act(hash, 'cancel');
    await quick.end;
    slow.response.resume();
    await slow.end;
    assert.equal(slow.last.status, 'cancelled');
    assert.deepEqual(slow.ids, [...slow.ids].sort((a, b) => a - b));
    assert.ok(slow.ids.length < quick.ids.length, 'what it could not take was left out');
  });

  test('pings every fifteen seconds; one that takes none for twice as long is closed', { timeout: 120_000 }, async () => {
    const hash = await begun(peygir, visitor);
    const stuck = await open(visitor, hash, { pause: true, socket: peygir.file('push.sock') });
    const quick = await open(visitor, hash);
    for (let i = 0; i < 60; i++) {
      const before = await revision(peygir, hash);
      await report(peygir, hash, { current_message: `${i} ${'x'.repeat(12_000)}` });
      await quick.until((data, id) => id > before);
    }
    await waitFor(() => quick.pings >= 2, { timeout: 60_000, what: 'two pings' });
    assert.match(quick.text, /\n\n: ping\n\n/);
    quick.close();
    await waitFor(async () => (await listeners(peygir, hash)) === 1, { timeout: 20_000, what: 'the stuck reader to be dropped' });
    const after = await open(visitor, hash);
    await after.until(() => true, 'push goes on');
    after.close();
    stuck.close();
  });
});

describe('who may see it', () => {
  let peygir;
  let visitor;
  let hash;
  before(async () => {
    peygir = await start();
    visitor = peygir.visitor();
    hash = await untilCode(peygir, visitor);
  });
  after(() => peygir?.stop());

  async function refused(stream, status) {
    await stream.end;
    assert.equal(stream.status, status);
    assert.equal(stream.headers['content-type'], 'application/problem+json');
    assert.equal(stream.headers['cache-control'], 'no-store');
    return JSON.parse(stream.text);
  }

  test('nobody but whoever made the request: 404 for others, for strangers and for what does not exist', async () => {
    const other = peygir.visitor();
    await untilCode(peygir, other);
    const stranger = peygir.visitor();
    await stranger.get('/');
    const problem = await refused(await open(other, hash), 404);
    assert.equal(problem.instance, eventsPath(hash));
    await refused(await open(stranger, hash), 404);
    await refused(await open(peygir.visitor(), hash), 404);
    await refused(await open(visitor, 'req_00000000000000000000000000'), 404);
    await refused(await open(visitor, 'req_nonsense'), 404);
    await refused(await open(visitor, hash, { headers: { cookie: `peygir_session=${'0'.repeat(64)}` } }), 404);
    const persian = await refused(await open(other, hash, { headers: { 'accept-language': 'fa' } }), 404);
    assert.match(persian.detail, /[\u0600-\u06ff]/);
  });

  test('an API client sees what its token made, whatever cookie it brings, until the token is revoked', async () => {
    const { token } = await peygir.cliJson('token', 'create', '--role', 'api', 'viewer');
    const headers = { authorization: `Bearer ${token}` };
    const client = new Visitor(peygir.base, { headers });
    const made = await client.fetch('/api/local-requests', {
      method: 'POST', body: JSON.stringify({ service: OCR, data: { ...SCAN, file_id: 'file-hang' } }), headers: { 'content-type': 'application/json' },
    });
    assert.equal(made.status, 202, made.html);
    const stream = await open(client, made.json.hash);
    await stream.until(() => true);
    await refused(await open(visitor, hash, { headers }), 404);
    await refused(await open(visitor, made.json.hash), 404);
    await peygir.cli('token', 'revoke', 'viewer');
    await stream.end;
    await refused(await open(client, made.json.hash), 401);
  });

  test('on HTTPS whoever brings the cookie of HTTPS, which no other host can set', async () => {
    const token = visitor.cookies.get('peygir_session');
    const ask = (cookie, proto) => open(visitor, hash, { socket: peygir.file('push.sock'), headers: { cookie, 'x-forwarded-proto': proto } });
    const good = await ask(`__Host-peygir_session=${token}`, 'https');
    assert.equal(good.status, 200);
    good.close();
    await refused(await ask(`peygir_session=${token}`, 'https'), 404);
    await refused(await ask(`__Host-peygir_session=${token}`, 'http'), 404);
  });

  test('nobody who asks in another way than GET', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const stream = await open(visitor, hash, { method });
      const problem = await refused(stream, 405);
      assert.equal(problem.status, 405);
      assert.equal(stream.headers.allow, 'GET');
    }
    const head = await open(visitor, hash, { method: 'HEAD' });
    await head.end;
    assert.equal(head.status, 405);
  });

  test('a revoked session loses its streams within five seconds, and no other does', async () => {
    const other = peygir.visitor();
    const theirs = await untilCode(peygir, other);
    const [lost, kept] = [await open(other, theirs), await open(visitor, hash)];
    await lost.until(() => true);
    const digest = crypto.createHash('sha256').update(other.cookies.get('peygir_session')).digest('hex');
    await peygir.redis.select(2);
    assert.equal(await peygir.redis.del(`peygir:session:${digest}`), 1);
    await peygir.redis.select(0);
    await Promise.race([lost.end, new Promise((resolve, reject) => setTimeout(reject, WITHIN_MS, new Error('it is still open')).unref())]);
    assert.equal(kept.ended, false);
    await refused(await open(other, theirs), 404);
    kept.close();
  });

  test('a deleted request ends its streams', async () => {
    const mine = await untilCode(peygir, visitor);
    const stream = await open(visitor, mine);
    await stream.until(() => true);
    await peygir.redis.del(`local_request:${mine}`, `{local_request:${mine}}:guard`, `{local_request:${mine}}:events`);
    await Promise.race([stream.end, new Promise((resolve, reject) => setTimeout(reject, WITHIN_MS, new Error('it is still open')).unref())]);
    await refused(await open(visitor, mine, { lastId: stream.ids.at(-1) }), 404);
  });
});

describe('bad days', () => {
  let peygir;
  let visitor;
  before(async () => {
    peygir = await start();
    visitor = peygir.visitor();
  });
  after(() => peygir?.stop());

  // As a browser does: again and again, with the last id it has seen.
  async function comeBack(hash, lastId) {
    return waitFor(async () => {
      const stream = await open(visitor, hash, { lastId }).catch(() => null);
      if (stream?.status === 200) return stream;
      stream?.close();
      return null;
    }, { what: 'the stream to open again' });
  }

  test('push is killed: it is started again, and who comes back has missed nothing', async () => {
    const hash = await untilCode(peygir, visitor);
    const stream = await open(visitor, hash);
    await stream.until(({ requires_otp }) => requires_otp);
    const killed = peygir.kill('push');
    await stream.end;
    await enter(visitor, hash, CODE);
    const again = await comeBack(hash, stream.ids.at(-1));
    await again.end;
    assert.notEqual(peygir.pid('push'), killed);
    assert.deepEqual([...stream.ids, ...again.ids], span(stream.ids[0], await revision(peygir, hash)));
    assert.equal(again.last.status, 'completed');
  });

  test('push is stopped: it leaves at once, with streams open, and says so', async () => {
    const hash = await untilCode(peygir, visitor);
    const stream = await open(visitor, hash);
    await stream.until(() => true);
    const pid = peygir.kill('push', 'SIGTERM');
    await stream.end;
    await waitFor(() => !isAlive(pid), { what: 'push to end' });
    assert.match(peygir.log('push'), /stopping: SIGTERM/);
    (await comeBack(hash, stream.ids.at(-1))).close();
  });

  test('Redis stands still: 503 within a second, and streams that are open go on when it does', async () => {
    const hash = await untilCode(peygir, visitor);
    const stream = await open(visitor, hash);
    await stream.until(() => true);
    const pid = peygir.kill('redis', 'SIGSTOP');
    try {
      const { ms, value } = await timed(() => open(visitor, hash));
      await value.end;
      assert.equal(value.status, 503);
      assert.ok(Number(value.headers['retry-after']) >= 1);
      assert.equal(JSON.parse(value.text).status, 503);
      assert.ok(ms < 2000, `${ms} ms`);
      assert.equal(stream.ended, false);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await waitFor(async () => (await visitor.get(`/api/local-requests/${hash}/status`)).status === 200);
    await enter(visitor, hash, CODE);
    await stream.end;
    assert.equal(stream.last.status, 'completed');
    assert.deepEqual(stream.ids, span(stream.ids[0], await revision(peygir, hash)));
  });

  test('Redis is killed: what happened before the subscription was there again is told as well', async () => {
    const hash = await untilCode(peygir, visitor);
    const stream = await open(visitor, hash);
    await stream.until(() => true);
    peygir.kill('redis');
    await peygir.ready();
    await enter(visitor, hash, CODE);
    await stream.end;
    assert.equal(stream.last.status, 'completed');
    assert.deepEqual(stream.ids, span(stream.ids[0], await revision(peygir, hash)));
  });

  test('a message is lost with the connection that should have brought it: the state is read when it is there again', async () => {
    const hash = await begun(peygir, visitor);
    const stream = await open(visitor, hash);
    await stream.until(() => true);
    const following = async () => /^id=(\d+) .* name=peygir-push-feed /m.exec(await peygir.redis.client('LIST', 'TYPE', 'PUBSUB'))?.[1];
    const id = await waitFor(following, { what: 'peygir-push to follow what happens' });
    await peygir.redis.multi([['client', 'KILL', 'ID', id], ['set', `local_request:${hash}`, await changed(hash), 'EX', '1800']]).exec();
    await stream.until(({ current_message: text }) => text === 'unheard');
    stream.close();
  });

  async function changed(hash) {
    return JSON.stringify({ ...JSON.parse(await peygir.redis.get(`local_request:${hash}`)), current_message: 'unheard' });
  }
});

describe('what a stream costs and keeps', () => {
  test('opening sixty in a row is allowed, then 429 says when to go on', async (t) => {
    const peygir = await start({ env: { PEYGIR_LIMIT_FACTOR: '1' } });
    t.after(() => peygir.stop());
    const visitor = peygir.visitor();
    const hash = await untilCode(peygir, visitor);
    for (let i = 0; i < 60; i++) {
      const stream = await open(visitor, hash);
      assert.equal(stream.status, 200, `the ${i + 1}th`);
      stream.close();
    }
    const stream = await waitFor(async () => {
      const one = await open(visitor, hash);
      if (one.status === 429) return one;
      one.close();
      return null;
    });
    await stream.end;
    assert.ok(Number(stream.headers['retry-after']) >= 1);
    assert.match(stream.headers['ratelimit-policy'], /^"stream";q=60/);
    assert.match(JSON.parse(stream.text).detail, /very often/);
    const other = peygir.visitor();
    const theirs = await untilCode(peygir, other);
    const free = await open(other, theirs);
    assert.equal(free.status, 200);
    free.close();
  });

  test('as long as somebody looks, the request and a visitor\'s session live', { timeout: 60_000 }, async (t) => {
    const peygir = await start({ env: { PEYGIR_REQUEST_TTL: '12', SESSION_IDLE: '6' } });
    t.after(() => peygir.stop());
    const visitor = peygir.visitor();
    const hash = await untilCode(peygir, visitor);
    const stream = await open(visitor, hash);
    await stream.until(() => true);
    let lowest = Infinity;
    await waitFor(async () => {
      const left = await peygir.redis.pttl(`local_request:${hash}`);
      lowest = Math.min(lowest, left);
      return left > lowest + 5000;
    }, { timeout: 20_000, what: 'the request to be renewed' });
    assert.equal(stream.ended, false);
    assert.equal((await visitor.get(`/api/local-requests/${hash}/status`)).status, 200, 'longer than a session may be idle');
    stream.close();
  });
});

describe('what comes over the socket', () => {
  test('hostile bytes end their own connection and nothing else', async (t) => {
    const peygir = await start();
    t.after(() => peygir.stop());
    const visitor = peygir.visitor();
    const hash = await untilCode(peygir, visitor);
    const stream = await open(visitor, hash);
    await stream.until(() => true);
    const pid = peygir.pid('push');
    const bytes = ['\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', `GET ${eventsPath(hash)} HTTP/1.1\r\n${'x: y\r\n'.repeat(5000)}\r\n`, `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
      `GET ${eventsPath(hash)}/../x%00%ff HTTP/1.1\r\nhost: x\r\n\r\n`, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', `POST ${eventsPath(hash)} HTTP/1.1\r\ncontent-length: -1\r\n\r\n`,
      `GET ${eventsPath(hash)} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n`,
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 'GET '];
    await Promise.all(bytes.map((text) => new Promise((resolve) => {
      const socket = net.createConnection(peygir.file('push.sock'), () => socket.write(text, 'latin1'));
      socket.on('error', () => {});
      socket.on('data', (chunk) => assert.doesNotMatch(chunk.toString('latin1'), /^HTTP\/1.1 (101|200)/));
      socket.on('close', resolve);
      setTimeout(() => socket.destroy(), 300);
    })));
    assert.equal(peygir.pid('push'), pid);
    assert.equal(stream.ended, false);
    await enter(visitor, hash, CODE);
    await stream.end;
    assert.equal(stream.last.status, 'completed');
  });
});
