// sources.test.mjs: external data: fetched once however many ask, kept, handed out stale while it is fetched anew; whatever a source does, what is
// kept stays good, and nobody is led elsewhere.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import Ajv from 'ajv/dist/2020.js';
import { BUILD, LONG, SOURCE, start, tempDir, waitFor } from '../lib/peygir.mjs';

const SECRET = 'k3y-that-nobody-sees';
const JSON_TYPE = { 'content-type': 'application/json' };

// --- a source whose every answer a test decides: by path, without the query ---

class Upstream {
  handlers = new Map();
  calls = [];

  async listen() {
    this.server = http.createServer((request, response) => {
      const { pathname } = new URL(request.url, 'http://x');
      this.calls.push({ pathname, url: request.url, headers: request.headers, raw: request.rawHeaders });
      const handler = this.handlers.get(pathname);
      if (handler) handler(response, request);
      else response.writeHead(404, JSON_TYPE).end('{}');
    });
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  // A text is a good answer.
  on(pathname, handler) {
    this.handlers.set(pathname, typeof handler === 'string' ? (response) => response.writeHead(200, JSON_TYPE).end(handler) : handler);
  }

  count(pathname) {
    return this.calls.filter((call) => call.pathname === pathname).length;
  }

  async close() {
    this.server?.closeAllConnections();
    this.server?.close();
  }
}

const ID = { name: 'id', rules: ['required', 'max:40'] };
const method = (more) => ({ fresh: 600, stale: 6000, ...more });
const methods = (more = {}) => ({ thing: method({ path: '/thing/{id}', parameters: [ID], tags: ['things'], ...more }) });
const sourcesAt = (url, keyFile) => ({
  up: {
    title: 'Upstream', address: url, private: true, key: { file: keyFile, header: 'X-Key', scheme: 'Bearer' }, headers: { 'X-Own': 'yes' },
    methods: {
      ...methods(),
      asked: method({ path: '/asked', query: { fixed: 'a&b' }, parameters: [
        { name: 'z', rules: ['max:20'] }, { name: 'a', as: 'aa', rules: ['in:x,y'], default: 'x' }, { name: 'n', rules: ['integer', 'between:1,9'] },
      ] }),
    },
  },
  secretive: { title: 'Key in the query', address: url, private: true, key: { file: keyFile, query: 'token' }, methods: methods() },
  choosy: { title: 'Choosy', address: url, private: true, headers: { accept: 'text/json', 'User-Agent': 'of the file' }, methods: methods() },
  bad: { title: 'Wrong answers where something is kept', address: url, private: true, methods: methods() },
  worse: { title: 'Wrong answers where nothing is', address: url, private: true, methods: methods() },
  broken: { title: 'Broken for good', address: url, private: true, methods: methods() },
  busy: { title: 'Busy', address: url, private: true, methods: methods() },
  paced: { title: 'Paced', address: url, private: true, limit: { fetches: 2, seconds: 3600 }, methods: methods() },
  inside: { title: 'Not private', address: url, methods: methods() },
});

let upstream, elsewhere, peygir, cache, visitor;

before(async () => {
  upstream = await new Upstream().listen();
  elsewhere = await new Upstream().listen();
  const keyFile = path.join(tempDir(), 'key');
  fs.writeFileSync(keyFile, `${SECRET}\n`);
  const services = (dir) => {
    for (const [name, source] of Object.entries(sourcesAt(upstream.url, keyFile)))
      fs.writeFileSync(path.join(dir, `../sources/${name}.json`), JSON.stringify(source));
  };
  peygir = await start({ services, env: { PEYGIR_DEMO: 'off', CRYPTO_API_URL: `${upstream.url}/crypto/` } });
  cache = peygir.connect();
  peygir.clients.push(cache);
  await cache.select(1);
  visitor = peygir.visitor();
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await upstream?.close();
    await elsewhere?.close();
  }
});

const ask = (where, options) => visitor.fetch(`/api/data/${where}`, options);
const thing = (id, source = 'up') => ask(`${source}/thing?id=${encodeURIComponent(id)}`);
const status = (where, wanted) => waitFor(async () => {
  const answer = await ask(where);
  return answer.status === wanted && answer;
}, { what: `${where} to be ${wanted}` });
const kept = (id, source = 'up') => status(`${source}/thing?id=${id}`, 200);
const growStale = (id, source = 'up') => cache.hset(`peygir:cache:fresh:${source}_thing_id=${id}`, 'fresh', '1');
// Fetching it failed: nobody tries again for a while.
const givenUp = (id, source = 'up') => waitFor(async () => (await cache.get(`peygir:cache:claim:${source}_thing_id=${id}`))?.startsWith('!'), { what: `${id} to be given up` });
// The wait of a source's jobs is over.
const comeBack = (source, count) => waitFor(async () => {
  const ids = await peygir.redis.zrange('peygir:task:delayed', 0, -1);
  const payloads = await Promise.all(ids.map((id) => peygir.redis.hget(`peygir:task:data:${id}`, 'payload')));
  const its = ids.filter((_, n) => JSON.parse(payloads[n] ?? '{}').source === source);
  for (const id of its.length === count ? its : []) await peygir.redis.zadd('peygir:task:delayed', 'XX', 0, id);
  return its.length === count;
}, { what: `${count} jobs of ${source} to wait` });
const cacheStatus = (answer) => answer.headers.get('cache-status');

describe('What is not kept yet', () => {
  test('is fetched while whoever asks is told to ask again, and is the source\'s answer byte for byte', async () => {
    const odd = '{ "b":1.10,\n "a":[ ], "big":12345678901234567890, "é":"\\u00e9" }';
    upstream.on('/thing/first', odd);
    const first = await thing('first');
    assert.equal(first.status, 202);
    assert.deepEqual(first.json, { source: 'up', method: 'thing', status: 'fetching' });
    assert.equal(first.headers.get('retry-after'), '1');
    assert.equal(cacheStatus(first), 'peygir; fwd=uri-miss');
    const second = await kept('first');
    assert.equal(second.html, odd);
    assert.equal(second.type, 'application/json');
    assert.equal(await cache.get('peygir:cache:up_thing_id=first'), odd);
  });

  test('comes with its age, for how long it may be kept, and what the cache says', async () => {
    const answer = await kept('first');
    const [, life, more] = answer.headers.get('cache-control').match(/^public, max-age=(\d+), stale-while-revalidate=(\d+)$/).map(Number);
    const [, ttl] = cacheStatus(answer).match(/^peygir; hit; ttl=(\d+)$/).map(Number), age = Number(answer.headers.get('age'));
    assert.ok(life > 500 && life <= 600 && more === 6000, answer.headers.get('cache-control'));
    assert.equal(age + ttl, life);
    assert.equal(answer.headers.get('vary'), null);
    const head = await ask('up/thing?id=first', { method: 'HEAD' });
    assert.deepEqual([head.status, head.html], [200, '']);
    assert.match((await ask('up/thing?id=first&lang=en')).headers.get('cache-control'), /^private/);
    assert.equal(upstream.count('/thing/first'), 1);
  });

  test('is fetched once for fifty who ask at once', async () => {
    let release;
    const held = new Promise((resolve) => (release = resolve));
    upstream.on('/thing/fifty', async (response) => {
      await held;
      response.writeHead(200, JSON_TYPE).end('[50]');
    });
    const answers = await Promise.all(Array.from({ length: 50 }, () => thing('fifty')));
    assert.deepEqual([...new Set(answers.map((one) => one.status))], [202]);
    assert.equal(answers.filter((one) => cacheStatus(one) === 'peygir; fwd=uri-miss').length, 1);
    assert.equal(answers.filter((one) => cacheStatus(one) === 'peygir; fwd=uri-miss; collapsed').length, 49);
    await waitFor(() => upstream.count('/thing/fifty') > 0, { what: 'the source to be called' });
    assert.equal((await thing('fifty')).status, 202); // nobody waits for the source
    release();
    assert.deepEqual((await kept('fifty')).json, [50]);
    assert.equal(upstream.count('/thing/fifty'), 1);
  });

  test('is fetched once more after a worker was stopped in the middle', async () => {
    const answers = [() => {}, (response) => response.writeHead(200, JSON_TYPE).end('["again"]')];
    upstream.on('/thing/stopped', (response) => answers.shift()(response));
    await thing('stopped');
    await waitFor(() => upstream.count('/thing/stopped') === 1, { what: 'the source to be called' });
    peygir.kill('worker', 'SIGTERM');
    assert.deepEqual((await kept('stopped')).json, ['again']);
  });

  test('is fetched once more after a worker was killed in the middle', { skip: LONG }, async () => {
    const answers = [() => {}, (response) => response.writeHead(200, JSON_TYPE).end('["again"]')];
    upstream.on('/thing/killed', (response) => answers.shift()(response));
    await thing('killed');
    await waitFor(() => upstream.count('/thing/killed') === 1, { what: 'the source to be called' });
    peygir.kill('worker');
    await waitFor(async () => (await thing('killed')).status === 200, { timeout: 40_000, what: 'another worker to fetch it' });
  });
});

describe('What is stale', () => {
  test('is handed out to all who ask while it is fetched anew, once', async () => {
    upstream.on('/thing/old', '["old"]');
    await thing('old');
    await kept('old');
    await growStale('old');
    upstream.on('/thing/old', '["new"]');
    const answers = await Promise.all(Array.from({ length: 20 }, () => thing('old')));
    assert.deepEqual([...new Set(answers.map((one) => one.status))], [200]);
    assert.deepEqual(answers[0].json, ['old']);
    assert.match(cacheStatus(answers[0]), /^peygir; hit; ttl=-\d+$/);
    const [, life] = answers[0].headers.get('cache-control').match(/max-age=(-?\d+)/);
    assert.ok(Number(life) <= Number(answers[0].headers.get('age')));
    await waitFor(async () => (await thing('old')).html === '["new"]', { what: 'the new answer' });
    assert.equal(upstream.count('/thing/old'), 2);
  });

  test('is asked for with its validators, and 304 makes it fresh again', async () => {
    const headers = { ...JSON_TYPE, etag: 'W/"1"', 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' };
    upstream.on('/thing/same', (response, request) => {
      if (request.headers['if-none-match'] === 'W/"1"') response.writeHead(304, { etag: 'W/"1"' }).end();
      else response.writeHead(200, headers).end('["same"]');
    });
    await thing('same');
    await kept('same');
    await growStale('same');
    assert.match(cacheStatus(await thing('same')), /ttl=-/);
    await waitFor(async () => !cacheStatus(await thing('same')).includes('ttl=-'), { what: 'it to be fresh again' });
    assert.equal((await thing('same')).html, '["same"]');
    const call = upstream.calls.findLast(({ pathname }) => pathname === '/thing/same');
    assert.deepEqual([call.headers['if-none-match'], call.headers['if-modified-since']], ['W/"1"', headers['last-modified']]);
    assert.equal(upstream.count('/thing/same'), 2);
  });

  test('goes by its tag', async () => {
    upstream.on('/thing/tagged', '[1]');
    await thing('tagged');
    await kept('tagged');
    assert.equal((await peygir.cli('cache', 'invalidate-tag', 'things')).code, 0);
    upstream.on('/thing/tagged', '[2]');
    assert.equal((await thing('tagged')).status, 202);
    assert.equal((await kept('tagged')).html, '[2]');
  });
});

describe('An answer that is wrong', () => {
  const big = Buffer.alloc(5 << 20, '"x",');
  const wrong = {
    'status 500': (response) => response.writeHead(500, JSON_TYPE).end('{"error":1}'),
    'half a document': (response) => response.writeHead(200, JSON_TYPE).end('{"a":[1,'),
    'a page': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Maintenance</h1>'),
    'a page that calls itself JSON': (response) => response.writeHead(200, JSON_TYPE).end('<h1>Maintenance</h1>'),
    'JSON that calls itself a page': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('{"a":1}'),
    'a bare text': (response) => response.writeHead(200, JSON_TYPE).end('"sorry"'),
    'nothing': (response) => response.writeHead(200, JSON_TYPE).end(),
    'no content': (response) => response.writeHead(204).end(),
    'a redirect to another host': (response) => response.writeHead(302, { location: `${elsewhere.url}/stolen` }).end(),
    'five megabytes': (response) => response.writeHead(200, JSON_TYPE).end(Buffer.concat([Buffer.from('['), big, Buffer.from('0]')])),
    'a bomb of gzip': (response) => response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 << 20, ' '))),
    'a broken connection': (response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': '100' });
      response.write('{"a":', () => response.socket.destroy());
    },
    '304 that nobody asked for': (response) => response.writeHead(304).end(),
    'a refusal': (response) => response.writeHead(403, JSON_TYPE).end('{}'),
  };
  const names = Object.keys(wrong), id = (what, name) => `${what}-${names.indexOf(name)}`;

  test('replaces nothing that is kept', async () => {
    await Promise.all(names.map(async (name) => {
      const one = id('good', name);
      upstream.on(`/thing/${one}`, '["good"]');
      await thing(one, 'bad');
      await kept(one, 'bad');
      await growStale(one, 'bad');
      upstream.on(`/thing/${one}`, wrong[name]);
      assert.equal((await thing(one, 'bad')).html, '["good"]', name);
      await givenUp(one, 'bad');
      const later = await thing(one, 'bad');
      assert.deepEqual([later.status, later.html], [200, '["good"]'], name);
    }));
    assert.equal(elsewhere.calls.length, 0);
  });

  test('is 503 with when to ask again where nothing is kept, and its job says what was wrong', async () => {
    await Promise.all(names.map(async (name) => {
      const one = id('none', name);
      upstream.on(`/thing/${one}`, wrong[name]);
      assert.equal((await thing(one, 'worse')).status, 202, name);
      const answer = await status(`worse/thing?id=${one}`, 503);
      assert.equal(answer.type, 'application/problem+json');
      const retry = Number(answer.headers.get('retry-after'));
      assert.ok(retry >= 1 && retry <= 60, name);
      assert.equal(upstream.count(`/thing/${one}`), 1, name);
    }));
    const jobs = await peygir.cliJson('queue', 'list', '--state', 'delayed', '--limit', '100');
    const errors = jobs.map(({ error }) => error).join('\n');
    for (const sentence of [/status 500/, /no JSON/, /does not call itself JSON/, /neither an object nor a list/, /status 302; redirects are not followed/, /larger than allowed/])
      assert.match(errors, sentence);
    assert.ok(!errors.includes('/thing/'));
  });

  test('that comes again and again leads to the source being left alone', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `fails-${n}`);
    await Promise.all(ids.map(async (one) => {
      upstream.on(`/thing/${one}`, wrong['status 500']);
      await thing(one, 'broken');
      await status(`broken/thing?id=${one}`, 503);
    }));
    let more = 0;
    await waitFor(async () => { // a probe may come in between, and fails as well
      const one = `more-${++more}`, payload = JSON.stringify({ source: 'broken', method: 'thing', params: { id: one } });
      upstream.on(`/thing/${one}`, wrong['status 500']);
      const { id } = await peygir.cliJson('queue', 'push', 'fetch_data', '--payload', payload);
      const said = await waitFor(async () => {
        const { message, error } = await peygir.redis.hgetall(`peygir:task:data:${id}`);
        return message || error;
      }, { what: 'the job to say why it waits' });
      return /The source broken fails again and again and is left alone/.test(said) && upstream.count(`/thing/${one}`) === 0;
    }, { what: 'a source that is left alone' });
    const answer = await status(`broken/thing?id=more-${more}`, 503);
    assert.ok(Number(answer.headers.get('retry-after')) >= 1);
    assert.match(peygir.log('worker'), /source:broken/);
  });

  test('that does not come is waited for no longer than fifteen seconds', { skip: LONG }, async () => {
    upstream.on('/thing/silent', () => {});
    await thing('silent', 'bad');
    await waitFor(async () => (await thing('silent', 'bad')).status === 503, { timeout: 30_000, what: 'it to be given up' });
  });

  test('is 404 where the source knows no such thing', async () => {
    assert.equal((await thing('nowhere')).status, 202);
    const answer = await status('up/thing?id=nowhere', 404);
    assert.equal(answer.json.status, 404);
    assert.equal(upstream.count('/thing/nowhere'), 1);
  });
});

describe('A source that wants to be left alone', () => {
  test('rests as long as it says, on all workers, and is asked again then', async () => {
    const answers = [(response) => response.writeHead(429, { 'retry-after': '60' }).end(), (response) => response.writeHead(200, JSON_TYPE).end('["rested"]')];
    upstream.on('/thing/tired', (response) => answers.shift()(response));
    upstream.on('/thing/meanwhile', '["meanwhile"]');
    await thing('tired', 'busy');
    const first = await status('busy/thing?id=tired', 503);
    assert.ok(Number(first.headers.get('retry-after')) <= 60);
    const left = await peygir.redis.pttl('peygir:source:busy:rest');
    assert.ok(left > 0 && left <= 60_000, String(left));
    await thing('meanwhile', 'busy');
    await status('busy/thing?id=meanwhile', 503);
    assert.equal(upstream.count('/thing/meanwhile'), 0);
    await peygir.redis.del('peygir:source:busy:rest');
    await comeBack('busy', 2);
    assert.equal((await kept('tired', 'busy')).html, '["rested"]');
    await kept('meanwhile', 'busy');
    assert.deepEqual([upstream.count('/thing/tired'), upstream.count('/thing/meanwhile')], [2, 1]);
  });

  test('is not asked more often than its file allows', async () => {
    for (const id of ['p1', 'p2', 'p3']) upstream.on(`/thing/${id}`, `["${id}"]`);
    for (const id of ['p1', 'p2']) {
      await thing(id, 'paced');
      await kept(id, 'paced');
    }
    const { code, stdout } = await peygir.cli('--json', 'source', 'fetch', 'paced', 'thing', 'id=p3');
    assert.equal(code, 1);
    const { outcome, error, next_at } = JSON.parse(stdout);
    assert.equal(outcome, 'later');
    assert.match(error, /paced has been asked as often as its file allows/);
    assert.ok(Date.parse(next_at) > Date.now());
    assert.equal(upstream.count('/thing/p3'), 0);
    const refused = await thing('p3', 'paced');
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) > 60);
  });
});

describe('What is sent to a source', () => {
  test('has each value in its place, whatever it is', async () => {
    for (const [value, sent] of [['a/b?c=d#e', 'a%2Fb%3Fc%3Dd%23e'], ['%2e%2e', '%252e%252e'], ['@host', '%40host'], ['سلام', encodeURIComponent('سلام')]]) {
      upstream.on(`/thing/${sent}`, '[]');
      await thing(value);
      await waitFor(() => upstream.count(`/thing/${sent}`) === 1, { what: sent });
    }
    upstream.on('/asked', '[]');
    assert.equal((await ask('up/asked?z=%26a%3D1')).status, 202);
    await status('up/asked?z=%26a%3D1', 200);
    assert.equal(upstream.calls.findLast(({ pathname }) => pathname === '/asked').url, '/asked?fixed=a%26b&aa=x&z=%26a%3D1');
    assert.ok(await cache.exists('peygir:cache:up_asked_a=x,z=%26a%3D1'));
    // The same in another order and with the default written out is the same data.
    assert.equal((await ask('up/asked?z=%26a%3D1&a=x')).status, 200);
  });

  test('does not leave what the method declares', async () => {
    const before = upstream.calls.length;
    for (const [query, fields] of [['', ['id']], ['?id=..', ['id']], ['?id=.', ['id']], [`?id=${'x'.repeat(41)}`, ['id']], ['?id=a&colour=blue', ['colour']]]) {
      const answer = await ask(`up/thing${query}`);
      assert.equal(answer.status, 422, query);
      assert.equal(answer.type, 'application/problem+json');
      assert.deepEqual(answer.json.errors.map(({ field }) => field), fields);
    }
    const { errors } = (await ask('up/asked?a=w&n=10', { headers: { 'accept-language': 'en' } })).json;
    assert.deepEqual(errors.map(({ field }) => field), ['a', 'n']);
    assert.equal(errors[1].detail, 'n must be a number from 1 to 9.');
    for (const where of ['up/nothing', 'nothing/thing', 'up/thing/more']) assert.equal((await ask(where)).status, 404, where);
    assert.equal((await ask('up/thing?id=a', { method: 'PUT' })).status, 405);
    assert.equal(upstream.calls.length, before);
  });

  test('has the key, which is seen nowhere else', async () => {
    upstream.on('/thing/keyed', '[]');
    await thing('keyed');
    await kept('keyed');
    await thing('keyed', 'secretive');
    await kept('keyed', 'secretive');
    const [header, query] = upstream.calls.filter(({ pathname }) => pathname === '/thing/keyed');
    assert.deepEqual([header.headers['x-key'], header.headers['x-own'], header.url], [`Bearer ${SECRET}`, 'yes', '/thing/keyed']);
    assert.equal(query.url, `/thing/keyed?token=${SECRET}`);
    upstream.on('/thing/keyless', (response) => response.socket.destroy());
    await thing('keyless', 'secretive');
    await status('secretive/thing?id=keyless', 503);
    const said = [peygir.logs(), await peygir.dump(), (await peygir.cli('source', 'list')).stdout, (await peygir.cli('queue', 'list', '--state', 'delayed')).stdout];
    for (const text of said) assert.ok(!text.includes(SECRET));
  });

  test('has the headers of the file instead of those that are usual', async () => {
    upstream.on('/thing/choosy', '[]');
    await thing('choosy', 'choosy');
    await kept('choosy', 'choosy');
    const { raw } = upstream.calls.find(({ pathname }) => pathname === '/thing/choosy');
    const values = (name) => raw.filter((_, n) => n % 2 === 1 && raw[n - 1].toLowerCase() === name);
    assert.deepEqual([values('accept'), values('user-agent')], [['text/json'], ['of the file']]);
    const usual = upstream.calls.find(({ pathname }) => pathname === '/thing/first').headers;
    assert.equal(usual.accept, 'application/json');
    assert.match(usual['user-agent'], /^peygir\/[0-9]/);
  });

  test('does not reach a private network that nobody allowed', async () => {
    upstream.on('/thing/inside', '["secret"]');
    await thing('inside', 'inside');
    await status('inside/thing?id=inside', 503);
    assert.equal(upstream.count('/thing/inside'), 0);
    const { error } = JSON.parse((await peygir.cli('--json', 'source', 'fetch', 'inside', 'thing', 'id=inside')).stdout);
    assert.match(error, /The source inside gave no answer.*its address is not a public one/);
  });
});

describe('The page /data', () => {
  test('shows what is kept as text, whatever a source wrote, and fetches what is not', async () => {
    const odd = [{ name: '<script>alert(1)</script>', symbol: '"><img src=x>', current_price: 12.5, price_change_percentage_24h: -1 },
      { name: 'No price', current_price: 'high' }, 7, null, { current_price: 1 }, { name: 'Good', current_price: 1000, price_change_percentage_24h: null }];
    upstream.on('/crypto/coins/markets', JSON.stringify(odd));
    upstream.on('/crypto/coins/bitcoin/market_chart', JSON.stringify({ prices: Array.from({ length: 9 }, (_, n) => [1.8e12 + n * 6e7, 100 + (n % 2)]) }));
    assert.match((await visitor.get('/data?lang=en')).text, /These data are being fetched/);
    const { html, text } = await waitFor(async () => {
      const page = await visitor.get('/data');
      return page.html.includes('<polyline') && page.html.includes('Good') && page;
    }, { what: 'the page to be filled' });
    assert.ok(html.includes('&lt;script&gt;alert(1)&lt;/script&gt;') && !html.includes('<script>alert') && !html.includes('<img'));
    for (const words of ['12.50', '1,000.00', 'Lowest: 100.00 – Highest: 101.00']) assert.ok(text.includes(words), words);
    assert.ok(text.includes('−1.00%') || text.includes('-1.00%'));
    assert.ok(!text.includes('No price') && !text.includes('Shares')); // nobody said where stock is
    assert.match(html, /<polyline points="0\.0,156\.0 75\.0,4\.0 /);
    assert.match(html, /href="\/data"[^>]*>Refresh/);
  });

  test('leaves out numbers that no price and no moment can be', async () => {
    const point = (n) => [1.8e12 + n * 6e7, 100 + (n % 2)];
    const odd = [[-1, 5], [0, -1e308], [1, 1e308], ...Array.from({ length: 9 }, (_, n) => point(n)), [1.9e12, 1e16], [1e300, 7], ["over", 8]];
    upstream.on('/crypto/coins/bitcoin/market_chart', JSON.stringify({ prices: odd }).replace('"over"', '1e999'));
    upstream.on('/crypto/coins/markets', '[{"name":"Huge","current_price":1e300},{"name":"Sound","current_price":2,"price_change_percentage_24h":-1e300}]');
    await Promise.all([peygir.cliJson('source', 'fetch', 'crypto', 'list'), peygir.cliJson('source', 'fetch', 'crypto', 'chart', 'id=bitcoin')]);
    const { html, text } = await visitor.get('/data');
    assert.ok(text.includes('Lowest: 100.00 – Highest: 101.00'));
    assert.match(html, /<polyline points="0\.0,156\.0 75\.0,4\.0 [0-9., ]+"/);
    assert.ok(text.includes('Sound') && !text.includes('Huge') && !text.includes('000.00%'));
  });

  test('says of several pieces that stand together how old the oldest is', async (t) => {
    upstream.on('/stock/quote', '{"c":12.5,"dp":1}');
    const shares = await start({ env: { PEYGIR_DEMO: 'off', STOCK_API_URL: `${upstream.url}/stock` } });
    t.after(() => shares.stop());
    await Promise.all(['AAPL', 'MSFT', 'GOOGL', 'AMZN'].map((symbol) => shares.cliJson('source', 'fetch', 'stock', 'quote', `symbol=${symbol}`)));
    const guest = shares.visitor(), fresh = (await guest.get('/data?lang=en')).text;
    assert.ok(fresh.includes('AMZN') && !fresh.includes('2021') && !fresh.includes('being fetched anew'));
    await shares.redis.select(1);
    await shares.redis.hset('peygir:cache:fresh:stock_quote_symbol=MSFT', 'at', String(Date.UTC(2021, 5, 15)), 'fresh', '1');
    const { text } = await guest.get('/data');
    assert.match(text, /As of [^\n]*2021[^\n]*being fetched anew/);
  });

  test('shows what is kept also where Redis has lost its scripts', async () => {
    await status('crypto/list', 200);
    await peygir.redis.script('FLUSH');
    const { html, text } = await visitor.get('/data');
    assert.ok(html.includes('Sound') && html.includes('<polyline') && !text.includes('are being fetched'));
  });
});

describe('By the clock and by hand', () => {
  test('what a source has marked is fetched anew, and the warm-up leaves out what is fresh', async () => {
    const marked = ['/crypto/coins/markets', '/crypto/simple/price', '/crypto/search/trending', '/crypto/coins/bitcoin/market_chart'];
    for (const one of marked) upstream.on(one, '[]');
    const before = marked.map((one) => upstream.count(one));
    await peygir.cliJson('schedule', 'run', 'refresh_crypto_cache');
    for (const [n, one] of marked.entries()) await waitFor(() => upstream.count(one) === before[n] + 1, { what: one });
    await status('crypto/chart?id=bitcoin', 200);
    await cache.del('peygir:cache:crypto_trending');
    const calls = upstream.calls.length;
    const { id } = await peygir.cliJson('queue', 'push', 'cache_warmup');
    await waitFor(async () => (await peygir.cliJson('queue', 'show', id)).status === 'completed', { what: 'the warm-up to end' });
    await status('crypto/trending', 200);
    assert.equal(upstream.calls.length, calls + 1); // stock, whose address nobody set, is left alone
  });

  test('the command line fetches, and says what came of it', async () => {
    upstream.on('/thing/hand', '[1,2]');
    const { outcome, bytes, key } = await peygir.cliJson('source', 'fetch', 'up', 'thing', 'id=hand');
    assert.deepEqual([outcome, bytes, key], ['stored', 5, 'up_thing_id=hand']);
    assert.equal((await thing('hand')).html, '[1,2]');
    const { code, stderr } = await peygir.cli('source', 'fetch', 'up', 'thing', 'id=..');
    assert.equal(code, 1);
    assert.match(stderr, /^peygir: id: /m);
    assert.equal((await peygir.cli('source', 'fetch', 'up', 'nothing')).code, 1);
  });

  test('what was fetched after a job was pushed is not fetched once more by it', async () => {
    upstream.on('/thing/twice', '[2]');
    const payload = JSON.stringify({ source: 'up', method: 'thing', params: { id: 'twice' } });
    const { id } = await peygir.cliJson('queue', 'push', 'fetch_data', '--payload', payload, '--unique', 'late', '--delay', '1');
    assert.equal((await peygir.cliJson('source', 'fetch', 'up', 'thing', 'id=twice')).outcome, 'stored');
    const result = await waitFor(() => peygir.redis.hget(`peygir:task:data:${id}`, 'result'), { what: 'the late job to end' });
    assert.equal(JSON.parse(result).outcome, 'there');
    assert.equal(upstream.count('/thing/twice'), 1);
  });

  test('a job that is cancelled while the source is silent leaves nobody waiting for it', async () => {
    upstream.on('/thing/silenced', () => {});
    const payload = JSON.stringify({ source: 'up', method: 'thing', params: { id: 'silenced' } });
    const { id } = await peygir.cliJson('queue', 'push', 'fetch_data', '--payload', payload);
    await waitFor(() => upstream.count('/thing/silenced') === 1, { what: 'the source to be called' });
    assert.equal(cacheStatus(await thing('silenced')), 'peygir; fwd=uri-miss; collapsed');
    await peygir.cliJson('queue', 'cancel', id);
    await waitFor(async () => !(await cache.exists('peygir:cache:claim:up_thing_id=silenced')), { what: 'the claim to be given back' });
    upstream.on('/thing/silenced', '["heard"]');
    assert.equal(cacheStatus(await thing('silenced')), 'peygir; fwd=uri-miss');
    assert.equal((await kept('silenced')).html, '["heard"]');
  });

  test('a payload that names no source, or breaks a rule, fails for good and says why', async () => {
    for (const [payload, sentence] of [['{"source":"nothing"}', /names no source/], ['{"source":"up","method":"thing","params":{"id":".."}}', /The parameter .id. of the payload/]]) {
      const { id } = await peygir.cliJson('queue', 'push', 'fetch_data', '--payload', payload);
      const failed = await waitFor(() => peygir.cliJson('failed', 'show', id).catch(() => null), { what: 'it to fail' });
      assert.match(failed.error, sentence);
    }
  });
});

describe('Files of sources', () => {
  const schema = (name) => JSON.parse(fs.readFileSync(path.join(SOURCE, `etc/schemas/${name}.json`), 'utf8'));
  const run = (program, dir) => new Promise((resolve) => {
    const env = { PEYGIR_SOURCES_DIR: dir, PEYGIR_SERVICES_DIR: tempDir(), PEYGIR_JOBS_DIR: path.join(SOURCE, 'etc/jobs'), PEYGIR_LOCALES_DIR: path.join(SOURCE, 'www/locales'),
      PEYGIR_NOTIFICATIONS_DIR: path.join(SOURCE, 'etc/notifications') };
    execFile(path.join(BUILD, program), ['--config', '/dev/null', ...(program === 'peygir' ? ['source', 'check'] : ['--once'])], { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });

  test('that ship are as their schema says', () => {
    const ajv = new Ajv({ strict: false });
    ajv.addSchema(schema('service'));
    const matches = ajv.compile(schema('source'));
    for (const name of ['crypto', 'stock']) assert.ok(matches(JSON.parse(fs.readFileSync(path.join(SOURCE, `etc/sources/${name}.json`), 'utf8'))), ajv.errorsText(matches.errors));
  });

  test('that are wrong are told by file, place and reason, and no worker starts with them', async () => {
    const dir = tempDir();
    fs.writeFileSync(path.join(dir, 'x.json'), JSON.stringify({ title: 'X', address: 'https://a.example', methods: { m: { path: '/m', fresh: 1, stale: 1, parameters: [{ name: 'q', rules: ['string'] }] } } }));
    const checked = await run('peygir', dir);
    assert.equal(checked.code, 1);
    assert.match(checked.stdout, /x\.json: methods\.m\.parameters\[0\]\.rules: must have in, regex or max/);
    const worker = await run('peygir-worker', dir);
    assert.equal(worker.code, 78);
    assert.match(worker.stderr, /x\.json: methods\.m\.parameters\[0\]\.rules/);
  });
});

describe('Where things are tight', () => {
  test('only so much that must be fetched may be asked for, and what is kept as before', async (t) => {
    const few = await start({ env: { PEYGIR_LIMIT_FACTOR: '1' } });
    t.after(() => few.stop());
    const guest = few.visitor();
    await guest.get('/services/document-ocr'); // with a cookie of its own
    const symbol = (n) => guest.fetch(`/api/data/stock/quote?symbol=X${n}`);
    for (let n = 0; n < 10; n++) assert.equal((await symbol(n)).status, 202);
    const refused = await symbol(10);
    assert.equal(refused.status, 429);
    assert.match(refused.headers.get('ratelimit'), /^"data"/);
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    await waitFor(async () => (await symbol(1)).status === 404, { what: 'what was asked for before' });
    assert.equal((await few.visitor().fetch('/api/data/stock/quote?symbol=X10')).status, 202); // the claim of the refused one is free again
  });

  test('a cache that is away is 503, and all else goes on', async (t) => {
    const alone = await start({ env: { REDIS_CACHE_URL: 'unix:///nowhere/redis.sock?db=1' } });
    t.after(() => alone.stop());
    const guest = alone.visitor(), answer = await guest.fetch('/api/data/crypto/list');
    assert.equal(answer.status, 503);
    assert.ok(answer.headers.get('retry-after'));
    assert.equal((await guest.get('/')).status, 200);
    assert.equal((await guest.fetch('/api/services')).status, 200);
  });
});
