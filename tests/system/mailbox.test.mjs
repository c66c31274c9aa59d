// mailbox.test.mjs: bots that wait for the visitor's code by HTTP: a long poll that holds nothing but its connection.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { CODE, CREDIT, enter, misdeed } from '../lib/demo.mjs';
import { isAlive, start, waitFor } from '../lib/peygir.mjs';
import { bearers } from '../lib/programs.mjs';
import { Visitor } from '../lib/visitor.mjs';

const UNKNOWN = 'req_00000000000000000000000000';

let peygir, bearer, bot;

before(async () => {
  peygir = await start();
  bearer = await bearers(peygir);
  bot = new Visitor(peygir.base, { headers: bearer.bot });
});
after(() => peygir?.stop());

const path = (hash, query = '') => `/api/internal/local-requests/${hash}/otp${query}`;
const listeners = async (hash) => (await peygir.redis.pubsub('NUMSUB', `local_request_updates:${hash}`))[1];
// The worker, which carries the job, listens too.
const waiting = (hash) => waitFor(async () => (await listeners(hash)) === 2, { what: 'the bot to wait' });
const nobodyWaits = (hash) => waitFor(async () => (await listeners(hash)) === 1, { what: 'push to listen no more' });

// A request whose bot is at work and, as a bot does that reports in Redis, asks for a code.
async function asking(visitor) {
  const hash = await visitor.request(CREDIT, misdeed('hang'));
  // The demonstration's bot reports in Redis as well, once: two that read, change and write would undo each other's words.
  await waitFor(async () => (await visitor.view(hash)).progress === 30, { what: 'the bot to have begun' });
  const key = `local_request:${hash}`;
  const code = { hash: 'handle', expires_at: new Date(Date.now() + 120_000).toISOString(), message: 'a code was sent', length: 5 };
  await waitFor(async () => { // the bot's own first report may come between
    const text = JSON.stringify({ ...JSON.parse(await peygir.redis.get(key)), status: 'otp_required', otp_data: code });
    await peygir.redis.setex(key, 1800, text);
    await peygir.redis.publish(`local_request_updates:${hash}`, text);
    return (await visitor.view(hash)).requires_otp;
  }, { what: 'the code to be asked for' });
  return hash;
}

describe('A bot that waits for the code', () => {
  test('gets it as soon as the visitor has entered it, once', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const poll = bot.get(path(hash, '?wait=30'));
    await waiting(hash);
    await enter(visitor, hash, CODE);
    const answer = await poll;
    assert.equal(answer.status, 200, answer.html);
    assert.equal(answer.type, 'application/json');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.deepEqual(answer.json, { otp: CODE });
    assert.equal((await bot.get(path(hash, '?wait=0'))).status, 204, 'it is handed over once');
    await visitor.act(hash, 'cancel');
  });

  test('gets what lies there already at once, and the word that another code is wanted', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    await peygir.redis.rpush(`{local_request:${hash}}:otp`, '{"resend":true}');
    const answer = await bot.get(path(hash));
    assert.deepEqual(answer.json, { resend: true });
    await visitor.act(hash, 'cancel');
  });

  test('hears 204 when none came within its time', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    for (const wait of [0, 1]) assert.equal((await bot.get(path(hash, `?wait=${wait}`))).status, 204);
    await nobodyWaits(hash);
    await visitor.act(hash, 'cancel');
  });

  test('hears that the request was cancelled, and afterwards that it has ended', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const poll = bot.get(path(hash));
    await waiting(hash);
    await visitor.act(hash, 'cancel');
    const answer = await poll;
    assert.ok(answer.status === 409 || answer.json?.cancelled, answer.html);
    await waitFor(async () => (await bot.get(path(hash, '?wait=0'))).status === 409, { what: 'the request to have ended' });
  });

  test('who has gone takes no code along: it lies there for the next', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const gone = http.get({ socketPath: peygir.file('push.sock'), path: path(hash, '?wait=30'), headers: { ...bearer.bot, 'x-forwarded-for': '127.0.0.1' } });
    gone.on('error', () => {});
    await waiting(hash);
    gone.destroy();
    await nobodyWaits(hash);
    await enter(visitor, hash, CODE);
    assert.deepEqual((await bot.get(path(hash, '?wait=10'))).json, { otp: CODE });
    await visitor.act(hash, 'cancel');
  });

  test('of two that wait one gets it, and the other goes on waiting', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const polls = [bot.get(path(hash, '?wait=3')), bot.get(path(hash, '?wait=3'))];
    await waiting(hash);
    await enter(visitor, hash, CODE);
    const statuses = (await Promise.all(polls)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 204]);
    await visitor.act(hash, 'cancel');
  });

  test('is bound to the run that it was called under', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const { run } = await peygir.guard(hash);
    assert.equal((await bot.get(path(hash, '?wait=0'), { 'peygir-run': run })).status, 204);
    assert.equal((await bot.get(path(hash, '?wait=0'), { 'peygir-run': String(Number(run) + 1) })).status, 409);
    await visitor.act(hash, 'cancel');
  });

  test('hundreds wait, and the site answers all the same', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const stop = new AbortController();
    const polls = [...Array(300)].map(() => bot.fetch(path(hash, '?wait=60'), { signal: stop.signal }).catch(() => null));
    await waiting(hash);
    assert.equal((await visitor.get('/')).status, 200);
    assert.equal((await visitor.view(hash)).status, 'otp_required');
    await visitor.act(hash, 'cancel');
    assert.ok((await Promise.all(polls)).every((answer) => [200, 409].includes(answer?.status)));
    stop.abort();
  });

  test('goes on waiting while Redis drops the subscription', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const poll = bot.get(path(hash, '?wait=30'));
    await waiting(hash);
    await peygir.redis.client('KILL', 'TYPE', 'PUBSUB');
    await enter(visitor, hash, CODE);
    assert.deepEqual((await poll).json, { otp: CODE });
    await visitor.act(hash, 'cancel');
  });
});

describe('Who waits for what is not theirs', () => {
  const get = (headers, hash = UNKNOWN, query = '?wait=0') => new Visitor(peygir.base, { headers }).get(path(hash, query));

  test('without a token, with one that is none, with one of another role: 401, 401, 403', async () => {
    assert.equal((await get({})).status, 401);
    assert.equal((await get({})).headers.get('www-authenticate'), 'Bearer');
    assert.equal((await get({ authorization: 'Bearer pgt_x' })).status, 401);
    for (const role of ['api', 'site']) assert.equal((await get(bearer[role])).status, 403);
  });

  test('an unknown request, a path that is none, another method, a wait that is none', async () => {
    assert.equal((await get(bearer.bot)).status, 404);
    assert.equal((await get(bearer.bot, 'req_x')).status, 404);
    for (const query of ['?wait=61', '?wait=-1', '?wait=x', '?wait=', '?wait=1.5', '?wait=99999999999999999999']) assert.equal((await get(bearer.bot, UNKNOWN, query)).status, 422, query);
    const post = await bot.fetch(path(UNKNOWN), { method: 'POST', body: '' });
    assert.equal(post.status, 405);
    assert.equal((await bot.get(path(UNKNOWN), { 'peygir-run': 'x' })).status, 422);
  });

  test('from an address that is not listed there is nothing', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = { ...bearer.bot, 'x-forwarded-for': '192.0.2.1' };
      http.get({ socketPath: peygir.file('push.sock'), path: path(UNKNOWN), headers }, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
    assert.equal(status, 404);
  });
});

describe('On bad days', () => {
  test('Redis stands still: 503 at once for whoever comes', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const pid = peygir.pid('redis');
    process.kill(pid, 'SIGSTOP');
    try {
      const answer = await bot.get(path(hash, '?wait=30'));
      assert.equal(answer.status, 503);
      assert.ok(answer.headers.get('retry-after'));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await waitFor(async () => (await bot.get(path(hash, '?wait=0'))).status === 204, { what: 'push to have noticed' });
    await peygir.ready();
    await visitor.act(hash, 'cancel');
  });

  test('push stops: who waits is sent away, and may come again', async () => {
    const visitor = peygir.visitor();
    const hash = await asking(visitor);
    const poll = bot.get(path(hash, '?wait=60'));
    await waiting(hash);
    const pid = peygir.kill('push', 'SIGTERM');
    assert.notEqual((await poll).status, 200);
    await waitFor(() => !isAlive(pid), { what: 'push to end' });
    await peygir.ready();
    await enter(visitor, hash, CODE);
    await waitFor(async () => (await bot.get(path(hash, '?wait=10')).catch(() => null))?.json?.otp === CODE, { what: 'the code' });
    await visitor.act(hash, 'cancel');
  });
});
