// cache.test.mjs: values kept for a while: by the command line, by the host site over HTTP, and on a server of their own that evicts and goes away.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import Redis from 'ioredis';
import { OCR } from '../lib/demo.mjs';
import { BUILD, freePort, start, waitFor } from '../lib/peygir.mjs';
import { bearers } from '../lib/programs.mjs';
import { Visitor } from '../lib/visitor.mjs';
import { Yard } from '../lib/yard.mjs';

const CACHE = '/api/internal/cache';
const MIB = 1024 * 1024;
const KEY = (key) => `peygir:cache:${key}`;
const BESIDE = (key) => `peygir:cache:fresh:${key}`;

let peygir, bearer, redis; // redis: a connection to the cache's database

before(async () => {
  peygir = await start();
  bearer = await bearers(peygir);
  redis = peygir.connect();
  peygir.clients.push(redis);
  await redis.select(1);
});
after(() => peygir?.stop());

const siteOf = (one, headers) => new Visitor(one.base, { headers: headers.site });
const site = () => siteOf(peygir, bearer);
const get = (key, who = site()) => who.get(`${CACHE}/${encodeURIComponent(key)}`);
const put = (key, body, { query = '', type, who = site() } = {}) =>
  who.fetch(`${CACHE}/${encodeURIComponent(key)}${query}`, { method: 'PUT', body, headers: type ? { 'content-type': type } : {} });
const forget = (key, who = site()) => who.fetch(`${CACHE}/${encodeURIComponent(key)}`, { method: 'DELETE' });
const invalidate = (body, who = site()) =>
  who.fetch(`${CACHE}/invalidate`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });

const withInput = (input, ...args) => execFileSync(peygir.file('peygir'), args, { input });
const ok = (answer) => {
  assert.equal(answer.status, 200, answer.html);
  return answer;
};
const assertProblem = (answer, status, detail = /./) => {
  assert.equal(answer.status, status, answer.html);
  assert.equal(answer.type, 'application/problem+json');
  assert.match(answer.json.detail, detail);
};

async function put60(key, body, options) {
  ok(await put(key, body, { query: '?ttl=60', ...options }));
}

describe('On the command line', () => {
  test('a value is put, found as it was, and forgotten', async () => {
    assert.deepEqual(await peygir.cliJson('cache', 'set', 'greeting', 'salâm', '--ttl', '60'), { key: 'greeting', bytes: 6, ttl: 60 });
    assert.equal((await peygir.cli('cache', 'get', 'greeting')).stdout, 'salâm');
    const found = await peygir.cliJson('cache', 'get', 'greeting');
    assert.deepEqual([found.key, found.value, found.bytes, found.stale], ['greeting', 'salâm', 6, false]);
    assert.ok(found.fresh_s > 0 && found.fresh_s <= 60);
    assert.equal(await redis.get(KEY('greeting')), 'salâm');
    assert.deepEqual(await peygir.cliJson('cache', 'forget', 'greeting', 'other'), { forgotten: 1 });
    const { code, stderr } = await peygir.cli('cache', 'get', 'greeting');
    assert.equal(code, 1);
    assert.match(stderr, /the cache has nothing under greeting/);
  });

  test('any bytes come in by standard input and go out as they were', () => {
    const bytes = Buffer.from([0, 255, 10, 13, 0]);
    withInput(bytes, 'cache', 'set', 'bytes');
    assert.deepEqual(withInput('', 'cache', 'get', 'bytes'), bytes);
    assert.equal(JSON.parse(withInput('', '--json', 'cache', 'get', 'bytes')).value, '\ufffd\ufffd\n\r\ufffd');
  });

  test('a value lives an hour when nothing is said', async () => {
    await peygir.cliJson('cache', 'set', 'hour', 'x');
    const left = await redis.pttl(KEY('hour'));
    assert.ok(left > 3590_000 && left <= 3600_000, String(left));
  });

  test('a tag makes everything void that bears it', async () => {
    await peygir.cliJson('cache', 'set', 'tagged:1', 'x', '--tag', 'a');
    await peygir.cliJson('cache', 'set', 'tagged:2', 'x', '--tag=a', '--tag=b');
    await peygir.cliJson('cache', 'set', 'tagged:3', 'x', '--tag=c');
    assert.deepEqual(await peygir.cliJson('cache', 'invalidate-tag', 'b', 'nobody'), { invalidated: 1 });
    assert.deepEqual(await Promise.all([1, 2, 3].map(async (n) => (await peygir.cli('cache', 'get', `tagged:${n}`)).code)), [0, 1, 0]);
    await peygir.cliJson('cache', 'invalidate-tag', 'a', 'c');
    assert.deepEqual(await Promise.all([1, 2, 3].map(async (n) => (await peygir.cli('cache', 'get', `tagged:${n}`)).code)), [1, 1, 1]);
  });

  test('what begins with a prefix is counted and cleared, and then all', async () => {
    for (const key of ['shop:1', 'shop:2', 'user:1']) await put60(key, 'x');
    assert.deepEqual(await peygir.cliJson('cache', 'clear', '--prefix', 'shop:', '--dry-run'), { found: 2 });
    assert.deepEqual(await peygir.cliJson('cache', 'clear', '--prefix', 'shop:'), { forgotten: 2 });
    ok(await get('user:1'));
    assert.ok((await peygir.cliJson('cache', 'clear')).forgotten >= 1);
    assert.deepEqual(await redis.keys('peygir:cache:*'), []);
  });

  test('hits, misses, sets and evictions are counted by prefix', async () => {
    await put60('counted_a', 'x');
    await get('counted_a');
    await get('counted_b');
    await redis.del(BESIDE('counted_a'));
    await get('counted_a');
    const row = (await peygir.cliJson('cache', 'stats')).find(({ prefix }) => prefix === 'counted');
    assert.deepEqual(row, { prefix: 'counted', hits: 1, misses: 2, hit_percent: 33, sets: 1, evictions: 1 });
    assert.match((await peygir.cli('cache', 'stats')).stdout, /^PREFIX .*\n(.*\n)*counted +1 +2 +33 +1 +1\n/m);
  });

  test('what is wrong is said, with the status of its kind', async () => {
    const cases = [
      [['get'], 2, /needs KEY/],
      [['set', 'k', 'v', '--ttl=0'], 2, /--ttl must be a whole number from 1/],
      [['get', 'tag:a'], 1, /does not begin with fresh: claim: done: or tag:/],
      [['forget', 'good', 'a b'], 1, /"a b": A key of the cache is 1 to 160 characters/],
      [['set', 'k', 'v', '--tag', 'a,b'], 1, /--tag "a,b": A tag of the cache is 1 to 64 characters/],
      [['clear', '--prefix', '*'], 1, /--prefix "\*": A key/],
      [['invalidate-tag', ''], 1, /A tag/],
    ];
    for (const [args, status, sentence] of cases) {
      const { code, stderr } = await peygir.cli('cache', ...args);
      assert.equal(code, status, args.join(' '));
      assert.match(stderr, sentence);
    }
    assert.throws(() => withInput(Buffer.alloc(MIB + 1), 'cache', 'set', 'large'), /The value has 10\d+ bytes; the cache takes at most 1048576/);
  });
});

describe('The host site', () => {
  test('puts bytes of any type and gets them as they were, for as long as it said', async () => {
    const page = '<script>alert("&")</script>';
    assert.deepEqual(ok(await put('page:menu', page, { query: '?ttl=300&stale=100&tags=menu,shop', type: 'text/html; charset=utf-8' })).json,
      { bytes: page.length, ttl: 300, stale: 100 });
    const answer = ok(await get('page:menu'));
    assert.deepEqual([answer.type, answer.html], ['text/html; charset=utf-8', page]);
    assert.match(answer.headers.get('age'), /^\d\d?$/);
    const [, ttl] = answer.headers.get('cache-status').match(/^peygir; hit; ttl=(\d+)$/);
    assert.ok(ttl > 290 && ttl <= 300, ttl);
    assert.match(answer.headers.get('content-security-policy'), /default-src 'none'/);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const left = await redis.pttl(KEY('page:menu'));
    assert.ok(left > 390_000 && left <= 400_000, String(left));
    const bytes = Buffer.from([0, 1, 254, 255]);
    await put60('raw', bytes);
    const raw = ok(await get('raw'));
    assert.deepEqual([raw.type, raw.body], ['application/octet-stream', bytes]);
    const head = await site().fetch(`${CACHE}/raw`, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('content-length'), head.body.length], [200, '4', 0]);
  });

  test('puts no value at all, and one of a megabyte, but nothing larger', async () => {
    await put60('empty', '');
    assert.equal(ok(await get('empty')).body.length, 0);
    const large = Buffer.alloc(MIB, 'x');
    await put60('large', large);
    assert.ok(ok(await get('large')).body.equals(large));
    assertProblem(await put('larger', Buffer.alloc(MIB + 1)), 413);
    assertProblem(await get('larger'), 404);
  });

  test('is answered a stale value, and told that it is', async () => {
    ok(await put('old', 'x', { query: '?ttl=60&stale=60' }));
    await redis.hset(BESIDE('old'), 'fresh', '1'); // as time passes
    const answer = ok(await get('old'));
    assert.equal(answer.html, 'x');
    assert.match(answer.headers.get('cache-status'), /ttl=-\d+$/);
  });

  test('forgets, and invalidates tags', async () => {
    await put60('a', 'x');
    assert.deepEqual(ok(await forget('a')).json, { forgotten: 1 });
    assert.deepEqual(ok(await forget('a')).json, { forgotten: 0 });
    assertProblem(await get('a'), 404, /nothing under this key/);
    await put60('b', 'x', { query: '?tags=t1,t2' });
    await put60('c', 'x', { query: '?tags=t3' });
    assert.deepEqual(ok(await invalidate({ tags: ['t2', 'unknown'] })).json, { invalidated: 1 });
    assertProblem(await get('b'), 404);
    ok(await get('c'));
  });

  test('may name keys as the rule says, also with a percent sign, and none of ours', async () => {
    for (const key of ['invalidate', 'a_b-c.d:e=f,g+h@i~j', 'city=Tehr%C3%A2n', 'k'.repeat(160)]) {
      await put60(key, key);
      assert.equal(ok(await get(key)).html, key);
      assert.equal(await redis.get(KEY(key)), key);
    }
    await put60('victim', 'x', { query: '?tags=t' });
    for (const key of ['fresh:victim', 'tag:t', 'claim:victim', 'done:1-a', 'a b', 'a*', 'سلام', 'a/b', '{a}', 'k'.repeat(161)]) {
      for (const answer of [await get(key), await put(key, 'x'), await forget(key)]) assertProblem(answer, 422, /key of the cache/);
    }
    ok(await get('victim'));
  });

  test('is told what is wrong, without what it sent', async () => {
    for (const query of ['?ttl=0', '?ttl=', '?ttl=secret', '?ttl=-1', '?ttl=31622401', '?ttl=99999999999999999999', '?stale=secret'])
      assertProblem(await put('a', 'x', { query }), 422, /^ttl must be a whole number of seconds from 1 to 31622400, stale one from 0\.$/);
    for (const query of ['?tags=', '?tags=a,,b', '?tags=secret%20', `?tags=${'t'.repeat(65)}`]) assertProblem(await put('a', 'x', { query }), 422, /^A tag of the cache is 1 to 64/);
    assertProblem(await put('a', 'x', { query: `?tags=${Array.from({ length: 17 }, (_, i) => i)}` }), 422, /16 tags at most/);
    assertProblem(await put('a', 'x', { query: '?secret=60' }), 422, /^Known are ttl, stale and tags\.$/);
    assertProblem(await put('a', 'x', { type: `text/${'x'.repeat(200)}` }), 422, /Content-Type/);
    for (const body of [[], {}, { tags: [] }, { tags: 'a' }, { tags: [1] }, { tags: ['a'], more: 1 }]) assertProblem(await invalidate(body), 422, /tags/);
    assertProblem(await invalidate({ tags: ['a b'] }), 422, /A tag of the cache/);
    assertProblem(await site().fetch(`${CACHE}/invalidate`, { method: 'POST', body: 'tags=a', headers: { 'content-type': 'text/plain' } }), 415);
    assertProblem(await site().fetch(`${CACHE}/a`, { method: 'POST', body: '' }), 405);
    assertProblem(await get('a'), 404);
  });

  test('alone may: other roles, visitors and whoever has no token are refused', async () => {
    await put60('private', 'x');
    for (const who of [...['bot', 'api'].map((role) => new Visitor(peygir.base, { headers: bearer[role] })), peygir.visitor()]) {
      const answers = [await get('private', who), await put('private', 'y', { who }), await forget('private', who), await invalidate({ tags: ['a'] }, who)];
      for (const answer of answers) assertProblem(answer, who.headers.authorization ? 403 : 401);
    }
    assert.equal(ok(await get('private')).html, 'x');
  });

  test('gets no value of which Redis has evicted any key', async () => {
    const keys = [KEY('whole'), BESIDE('whole'), 'peygir:cache:tag:t4', 'peygir:cache:tag:t5'];
    for (const key of keys) {
      await put60('whole', 'x', { query: '?tags=t4,t5' });
      ok(await get('whole'));
      assert.equal(await redis.del(key), 1);
      assertProblem(await get('whole'), 404);
    }
    await put60('whole', 'y', { query: '?tags=t4,t5' });
    assert.equal(ok(await get('whole')).html, 'y');
  });
});

describe('A cache on a server of its own', () => {
  let yard, other, bearer2, client, port;

  before(async () => {
    port = await freePort();
    yard = await Yard.start(BUILD, { conf: `port ${port}\nbind 127.0.0.1\nmaxmemory 6mb\nmaxmemory-policy allkeys-lru\nappendonly no\nsave ""` });
    other = await start({ env: { REDIS_CACHE_URL: `unix://${yard.socket}?db=3` } });
    bearer2 = await bearers(other);
    client = new Redis({ path: yard.socket, db: 3, retryStrategy: () => 50 });
    client.on('error', () => {}); // the server goes away
  });
  after(async () => {
    client?.disconnect();
    await other?.stop();
    await yard?.close();
  });

  const theirs = () => siteOf(other, bearer2);

  test('has all of it, and the main one nothing', async () => {
    ok(await put('here', 'x', { who: theirs() }));
    assert.equal(await client.get(KEY('here')), 'x');
    assert.deepEqual(await other.redis.keys('peygir:cache:*'), []);
    const check = await other.cliJson('redis', 'check');
    assert.deepEqual(check.find((row) => row.check === 'cache'), { check: 'cache', status: 'ok', detail: 'a server of its own, allkeys-lru' });
  });

  test('open to others without a password is a warning of redis check, as the main one is', async () => {
    const open = `redis://0.0.0.0:${port}`; // this machine, by a name that is not one of the loopback's
    const look = async (setting, name) => (await other.cliJson(`--set=${setting}`, 'redis', 'check')).find(({ check }) => check === name);
    for (const row of [await look(`REDIS_CACHE_URL=${open}`, 'cache'), await look(`REDIS_URL=${open}`, 'access')]) {
      assert.equal(row.status, 'warning', row.detail);
      assert.match(row.detail, /^TCP to 0\.0\.0\.0 without a password: .*redis-users\.acl/);
    }
  });

  test('evicts what it likes, and a value is whole or not there', async () => {
    const value = (i) => `${i}:${'x'.repeat(40_000)}`;
    for (let i = 0; i < 200; i++) ok(await put(`many:${i}`, value(i), { who: theirs(), query: `?ttl=600&tags=t${i % 7},all` }));
    assert.ok(Number(yard.info('stats').evicted_keys) > 0);
    let found = 0;
    for (let i = 0; i < 200; i++) {
      const answer = await get(`many:${i}`, theirs());
      assert.ok(answer.status === 404 || answer.html === value(i), `${i}: ${answer.status} ${answer.html.slice(0, 80)}`);
      found += answer.status === 200;
    }
    assert.ok(found > 0 && found < 200, String(found));
    ok(await invalidate({ tags: ['all'] }, theirs()));
    for (let i = 0; i < 200; i++) assert.equal((await get(`many:${i}`, theirs())).status, 404, String(i));
  });

  test('is filled and read by many at once, and nobody gets the value of another', async () => {
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      for (let turn = 0; turn < 4; turn++) {
        ok(await put(`own:${i}`, `${i}.${turn}`, { who: theirs(), query: '?ttl=60' }));
        const answer = await get(`own:${i}`, theirs());
        assert.ok(answer.status === 404 || answer.html === `${i}.${turn}`, answer.html);
      }
    }));
  });

  test('may go away: whoever asks it hears so, and everything else goes on', async () => {
    await yard.server.end('SIGKILL');
    for (let i = 0; i < 20; i++) assertProblem(await get('here', theirs()), 503);
    assertProblem(await put('here', 'x', { who: theirs() }), 503);
    const { code, stderr } = await other.cli('cache', 'get', 'here');
    assert.equal(code, 69, stderr);
    const visitor = other.visitor();
    const hash = await visitor.request(OCR, { file_id: 'scan-1', language: 'en' });
    await other.status(hash, 'completed');
    const check = await other.cliJson('redis', 'check');
    assert.equal(check.find((row) => row.check === 'cache').status, 'warning');
    await yard.startRedis();
    await waitFor(async () => (await put('here', 'again', { who: theirs() })).status === 200, { what: 'the cache to be used again' });
    assert.equal(ok(await get('here', theirs())).html, 'again');
  });
});
