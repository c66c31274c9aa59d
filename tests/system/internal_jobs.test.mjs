// internal_jobs.test.mjs: programs push jobs, look at them and cancel them: /api/internal/jobs with a token.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { OCR } from '../lib/demo.mjs';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { freePort, start, waitFor } from '../lib/peygir.mjs';
import { Visitor } from '../lib/visitor.mjs';

const JOBS = '/api/internal/jobs';
const ASIDE = 'aside'; // a queue that no worker serves: what is pushed there stays
const SCAN = { file_id: 'scan-1', language: 'fa' };
const BODY_MAX = 64 * 1024;

let peygir;
let bot;
const tokens = {};

// A program: no cookies, no CSRF, a token.
class Program extends Visitor {
  constructor(token) {
    super(peygir.base, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  }

  push(value, headers) {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    return this.fetch(JOBS, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
  }

  cancel(id, query = '') {
    return this.fetch(`${JOBS}/${id}/cancel${query}`, { method: 'POST' });
  }
}

let site;

const token = async (role, name) => (await peygir.cliJson('token', 'create', '--role', role, name)).token;
const jobOf = (id, queue = ASIDE) => peygir.redis.hgetall(`peygir:${queue}:data:${id}`);

const assertProblem = (answer, status) => {
  assert.equal(answer.status, status, answer.html);
  assert.equal(answer.type, 'application/problem+json');
  assert.equal(answer.json.status, status);
  return answer.json;
};

const mistakes = async (value) => {
  const { errors } = assertProblem(await site.push(value), 422);
  return Object.fromEntries(errors.map(({ field, detail }) => [field, detail]));
};

const pushed = async (value) => {
  const answer = await site.push(value);
  assert.equal(answer.status, 201, answer.html);
  return answer.json;
};

const view = (id, queue = ASIDE) => site.json(`${JOBS}/${id}?queue=${queue}`);

before(async () => {
  bot = await new Bot().listen(await freePort());
  peygir = await start({
    env: {
      PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_BACKOFF: '0', PEYGIR_LOG_LEVEL: 'debug', PEYGIR_INTERNAL_FROM: '127.0.0.0/8, 192.0.2.0/25',
    },
  });
  for (const role of ['site', 'bot', 'api']) tokens[role] = await token(role, role);
  site = new Program(tokens.site);
});
after(async () => {
  await bot?.close(); // no call of it keeps a worker
  await peygir?.stop();
});

describe('who may', () => {
  test('without a token, or with one that is none, it is 401', async () => {
    const headers = [
      {}, { authorization: 'Bearer' }, { authorization: 'Bearer ' }, { authorization: `Basic ${tokens.site}` }, { authorization: tokens.site },
      { authorization: `Bearer ${tokens.site}x` }, { authorization: `Bearer  ${tokens.site}` }, { authorization: `Bearer ${tokens.site.slice(0, -1)}` },
      { authorization: `Bearer pgt_${'A'.repeat(43)}` },
    ];
    for (const one of headers) {
      const answer = await new Program().push({ type: 'default', queue: ASIDE }, one);
      assertProblem(answer, 401);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    }
    assertProblem(await new Program().get(`${JOBS}/any`), 401);
    assertProblem(await new Program().cancel('any'), 401);
  });

  test('the roles site and bot may, whatever the case of the word Bearer; the role api may not', async () => {
    for (const role of ['site', 'bot']) {
      const answer = await new Program().push({ type: 'default', queue: ASIDE }, { authorization: `bearer ${tokens[role]}` });
      assert.equal(answer.status, 201, answer.html);
    }
    assertProblem(await new Program(tokens.api).push({ type: 'default', queue: ASIDE }), 403);
    assertProblem(await new Program(tokens.api).get(`${JOBS}/any`), 403);
  });

  test('what tells people something is the host site\'s alone: a bot neither pushes nor sees nor cancels it', async () => {
    const bot = new Program(tokens.bot);
    for (const type of ['mail', 'notification', 'webhook']) {
      const refused = await bot.push({ type, payload: {} });
      assertProblem(refused, 422);
      assert.match(refused.json.errors[0].detail, /role site/);
    }
    const { id, queue } = await pushed({ type: 'mail', payload: { to: 'sara@example.org', template: 'reminder' }, delay: 3600 });
    assert.equal(queue, 'mail');
    assertProblem(await bot.get(`${JOBS}/${id}`), 404);
    assertProblem(await bot.get(`${JOBS}/${id}?queue=mail`), 404);
    assertProblem(await bot.cancel(id), 404);
    assert.equal((await site.cancel(id)).status, 200);
  });

  test('a revoked token is worth nothing at once', async () => {
    const program = new Program(await token('site', 'short-lived'));
    assert.equal((await program.push({ type: 'default', queue: ASIDE })).status, 201);
    assert.equal((await peygir.cli('token', 'revoke', 'short-lived')).code, 0);
    assertProblem(await program.push({ type: 'default', queue: ASIDE }), 401);
  });

  test('from an address that is not listed there is nothing, whatever is asked for', async () => {
    const ask = (method, path, from, more = {}) => exchange(peygir.file('web.sock'), fcgi(method, path, { REMOTE_ADDR: from, ...more }));
    const good = { HTTP_AUTHORIZATION: `Bearer ${tokens.site}` };
    for (const from of ['198.51.100.1', '192.0.2.128', '::1', '2001:db8::1', '', 'unix:']) {
      for (const [method, path] of [['POST', JOBS], ['GET', JOBS], ['GET', `${JOBS}/x`], ['DELETE', `${JOBS}/x`], ['GET', '/api/internal']]) {
        const { status, headers } = await ask(method, path, from, good);
        assert.equal(status, 404, `${method} ${path} from "${from}"`);
        assert.equal(headers.allow, undefined);
        assert.equal(headers['www-authenticate'], undefined);
      }
    }
    for (const from of ['127.0.0.1', '127.9.9.9', '192.0.2.127', '::ffff:127.0.0.1']) {
      assert.equal((await ask('GET', `${JOBS}/x`, from)).status, 401, from);
    }
    const body = JSON.stringify({ type: 'default', queue: ASIDE });
    const { status } = await ask('POST', JOBS, '192.0.2.1', { ...good, body, CONTENT_TYPE: 'application/json' });
    assert.equal(status, 201);
  });

  test('no cookie is made or looked at, and nobody keeps an answer', async () => {
    const { id } = await pushed({ type: 'default', queue: ASIDE });
    for (const answer of [
      await site.get(`${JOBS}/${id}?queue=${ASIDE}&lang=fa`, { cookie: 'peygir_session=x; peygir_lang=fa' }),
      await new Program().push('{}', { cookie: 'peygir_lang=fa' }),
    ]) {
      assert.equal(answer.headers.get('set-cookie'), null);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      if (answer.status !== 200) assert.equal(answer.headers.get('content-language'), 'en');
    }
  });
});

describe('pushing', () => {
  test('a job is made, and told where it is', async () => {
    const answer = await site.push(`{"type":"default","queue":"${ASIDE}","payload":{"text":"سلام","list":[],"number":1.10,"large":9007199254740993}}`);
    assert.equal(answer.status, 201);
    const { id, ...rest } = answer.json;
    assert.match(id, /^job_[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.deepEqual(rest, { queue: ASIDE, status: 'pending' });
    assert.equal(answer.location, `${JOBS}/${id}?queue=${ASIDE}`);
    assert.ok((await peygir.redis.lrange(`peygir:${ASIDE}:queue`, 0, -1)).includes(id));
    assert.equal((await jobOf(id)).type, 'default');

    const page = await site.get(answer.location);
    assert.match(page.html, /"number":1\.10,"large":9007199254740993/);
    const seen = page.json;
    assert.deepEqual([seen.id, seen.queue, seen.type, seen.status, seen.place], [id, ASIDE, 'default', 'pending', 'queue']);
    assert.equal(seen.payload.text, 'سلام');
    assert.deepEqual([seen.attempts, seen.progress, seen.history, seen.result, seen.error], [0, 0, [], null, null]);
    assert.match(seen.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual([seen.started_at, seen.completed_at], [null, null]);
  });

  test('whatever it names about the job is obeyed', async () => {
    const { id } = await pushed({
      type: 'default', queue: ASIDE, id: 'all.members:1', delay: 3600, unique_key: 'all', unique_for: 60, tries: 7, timeout: 90, backoff: [1, 5, 60], user_id: 42, parent: 'job_0',
    });
    assert.equal(id, 'all.members:1');
    const job = await jobOf(id);
    assert.deepEqual([job.max_attempts, job.timeout, job.backoff, job.user_id, job.parent], ['7', '90', '1,5,60', '42', 'job_0']);
    const seen = await view(id);
    assert.deepEqual([seen.place, seen.max_attempts, seen.user_id, seen.parent, seen.unique_key], ['delayed', 7, '42', 'job_0', 'all']);
    const due = Number(await peygir.redis.zscore(`peygir:${ASIDE}:delayed`, id));
    assert.equal(Math.round((due - Date.parse(seen.created_at)) / 1000), 3600);

    const urgent = await pushed({ type: 'default', queue: ASIDE, priority: 9, backoff: '2,3', payload: null });
    assert.equal(Math.ceil(await peygir.redis.zscore(`peygir:${ASIDE}:priority`, urgent.id)), 10);
    assert.equal((await view(urgent.id)).place, 'priority');
    assert.equal((await jobOf(urgent.id)).backoff, '2,3');
  });

  test('an id or a unique key that is there already leads to the job that has it', async () => {
    await pushed({ type: 'default', queue: ASIDE, id: 'twice', unique_key: 'key-1', payload: { first: true } });
    for (const again of [{ id: 'twice' }, { unique_key: 'key-1' }, { id: 'another', unique_key: 'key-1' }]) {
      const answer = await site.push({ type: 'default', queue: ASIDE, payload: { second: true }, ...again });
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.json, { id: 'twice', queue: ASIDE, status: 'pending', existing: true });
      assert.equal(answer.location, `${JOBS}/twice?queue=${ASIDE}`);
    }
    assert.deepEqual((await view('twice')).payload, { first: true });
    assertProblem(await site.get(`${JOBS}/another?queue=${ASIDE}`), 404);
  });

  test('what is wrong is told by field, and nothing is pushed', async () => {
    const before_ = await peygir.redis.dbsize();
    const wrong = await mistakes({
      type: 'default', payload: [1], queue: 'stats', priority: 11, delay: -1, unique_for: 5, id: 'a b', tries: 0, timeout: 1.5, backoff: 'soon', user_id: [], parent: 7, colour: 'red',
    });
    assert.deepEqual(Object.keys(wrong).sort(), [
      'backoff', 'colour', 'delay', 'id', 'parent', 'payload', 'priority', 'queue', 'timeout', 'tries', 'unique_for', 'user_id',
    ]);
    for (const backoff of [[null], [[1]], [{}], [-1], ['5'], [1.5], {}, true])
      assert.ok((await mistakes({ type: 'default', backoff })).backoff, JSON.stringify(backoff));
    assert.match((await mistakes({ id: 'req_00000000000000000000000000', type: 'default' })).id, /belong to requests/);
    assert.match((await mistakes({})).type, /required/);
    assert.match((await mistakes({ type: 7 })).type, /name of a job type/);
    assert.equal(await peygir.redis.dbsize(), before_);
  });

  test('an unknown type is told what is known, and requests are made elsewhere', async () => {
    assert.match((await mistakes({ type: 'nonsense' })).type, /Known are:.* default/);
    assert.match((await mistakes({ type: 'service' })).type, /\/api\/local-requests/);
  });

  test('many jobs go in one call, in their order', async () => {
    const jobs = Array.from({ length: 500 }, (_, i) => ({ type: 'default', queue: 'many', id: `many-${i}`, payload: { i } }));
    const answer = await pushed({ jobs });
    assert.deepEqual(answer.jobs.map(({ id }) => id), jobs.map(({ id }) => id));
    assert.deepEqual(await peygir.redis.lrange('peygir:many:queue', 0, -1), jobs.map(({ id }) => id).reverse());
    const again = await pushed({ jobs: [jobs[0], { type: 'default', queue: ASIDE, priority: 2 }, jobs[0]] });
    assert.deepEqual(again.jobs.map(({ existing }) => existing), [true, undefined, true]);
    assert.equal(await peygir.redis.llen('peygir:many:queue'), 500);
  });

  test('of many jobs none is pushed when one is wrong, and it is named', async () => {
    const wrong = await mistakes({ jobs: [{ type: 'default', queue: 'none' }, { type: 'nonsense', queue: 'none' }, 3] });
    assert.deepEqual(Object.keys(wrong), ['jobs[1].type', 'jobs[2].type']);
    assert.equal(await peygir.redis.exists('peygir:none:queue'), 0);
    for (const jobs of [[], {}, 'x', Array(501).fill({ type: 'default' })]) assertProblem(await site.push({ jobs }), 422);
    assertProblem(await site.push({ jobs: [{ type: 'default' }], queue: ASIDE }), 422);
  });

  test('a body that cannot be read is refused', async () => {
    assertProblem(await site.push('{"type":'), 400);
    assertProblem(await site.push('{"type":"default","type":"default"}'), 400);
    assertProblem(await site.push('[]'), 422);
    assertProblem(await site.push(''), 422);
    assertProblem(await site.push('{}', { 'content-type': 'text/plain' }), 415);
    assertProblem(await site.push({ type: 'default', payload: { text: 'x'.repeat(BODY_MAX) } }), 413);
    assertProblem(await site.get(JOBS), 405);
  });

  test('jobs that leave their ids to Peygir are pushed by transactions, others by scripts', async () => {
    const transactions = async () => Number(/cmdstat_exec:calls=(\d+)/.exec(await peygir.redis.info('commandstats'))?.[1] ?? 0);
    const ran = async (jobs) => {
      const before = await transactions();
      assert.equal((await pushed({ jobs })).jobs.length, jobs.length);
      return (await transactions()) - before;
    };
    const jobs = Array.from({ length: 20 }, () => ({ type: 'default', queue: ASIDE, user_id: 5 }));
    // The first push of each thread goes by script, and finds out.
    await waitFor(async () => (await ran(jobs)) === jobs.length, 'transactions');
    assert.equal(await ran(jobs.map((job, i) => ({ ...job, id: `named-${i}` }))), 0);
    const { id } = await pushed(jobs[0]);
    const kept = await jobOf(id);
    assert.equal(kept.user_id, '5');
    assert.ok(Math.abs(Date.now() - Number(kept.created_at)) < 60_000, kept.created_at);
    assert.equal((await view(id)).status, 'pending');
  });
});

describe('what becomes of a job', () => {
  test('it is carried out, and its result and its children can be looked at', async () => {
    bot.on('/api/jobs/default', async (call) => {
      const { job, payload } = call.data;
      if (payload.spread) {
        const jobs = payload.spread.map((n) => ({ type: 'default', parent: job.id, payload: { n } }));
        const children = (await new Program(tokens.bot).push({ jobs })).json.jobs;
        return call.success({ children: children.map(({ id }) => id) });
      }
      return call.success({ doubled: payload.n * 2, empty: [] });
    });
    const { id, queue } = await pushed({ type: 'default', payload: { spread: [1, 2, 3] } });
    assert.equal(queue, 'task');
    const done = (job) => waitFor(async () => {
      const seen = await site.json(`${JOBS}/${job}`);
      return seen.status === 'completed' && seen;
    }, { what: `${job} to be completed` });
    const { result, place, started_at, completed_at, expires_at } = await done(id);
    assert.equal(place, 'done');
    for (const at of [started_at, completed_at, expires_at]) assert.ok(Date.parse(at) > 0, at);
    for (const [i, child] of result.children.entries()) {
      const seen = await done(child);
      assert.deepEqual([seen.parent, seen.result], [id, { doubled: (i + 1) * 2, empty: [] }]);
    }
  });

  test('one that nobody knows is 404, and so is one in a queue that cannot be', async () => {
    for (const place of [`${JOBS}/unknown`, `${JOBS}/unknown?queue=${ASIDE}`, `${JOBS}/twice?queue=no%20queue`, `${JOBS}/${'x'.repeat(129)}`, `${JOBS}/a%0Ab`]) {
      assertProblem(await site.get(place), 404);
    }
    assertProblem(await site.cancel('unknown'), 404);
  });

  test('one that waits is cancelled once', async () => {
    const { id } = await pushed({ type: 'default', queue: ASIDE });
    const answer = await site.cancel(id, `?queue=${ASIDE}`);
    assert.equal(answer.status, 200, answer.html);
    assert.deepEqual([answer.json.id, answer.json.status, answer.json.place], [id, 'cancelled', 'done']);
    assert.ok(!(await peygir.redis.lrange(`peygir:${ASIDE}:queue`, 0, -1)).includes(id));
    assertProblem(await site.cancel(id, `?queue=${ASIDE}`), 409);
  });

  test('cancelling the job of a request cancels the request', async () => {
    bot.on(OCR, () => {}); // never answers
    const hash = await peygir.visitor().request(OCR, SCAN);
    assert.equal((await site.json(`${JOBS}/${hash}`)).request_hash, hash);
    assert.equal((await site.cancel(hash)).status, 200);
    await peygir.status(hash, 'cancelled');
    assertProblem(await site.cancel(hash), 409);
  });

  test('a payload that an outsider stored and that is no JSON is shown as text', async () => {
    await peygir.redis.hset(`peygir:${ASIDE}:data:odd`, { type: 'default', status: 'pending', payload: '{"broken', created_at: '1' });
    assert.equal((await view('odd')).payload, '{"broken');
  });
});

describe('bad days', () => {
  test('when Redis is full nothing new is taken, and what is there can still be looked at and cancelled', async () => {
    const { id } = await pushed({ type: 'default', queue: ASIDE });
    await peygir.redis.config('SET', 'maxmemory', '1');
    try {
      for (const value of [{ type: 'default', queue: ASIDE }, { jobs: [{ type: 'default', queue: ASIDE }] }]) {
        const answer = await site.push(value);
        assertProblem(answer, 503);
        assert.ok(Number(answer.headers.get('retry-after')) > 0);
      }
      assert.equal((await view(id)).status, 'pending');
      assert.equal((await site.cancel(id, `?queue=${ASIDE}`)).status, 200);
    } finally {
      await peygir.redis.config('SET', 'maxmemory', '0');
    }
  });

  test('when Redis does not answer it is 503, and nobody is let in', async () => {
    const pid = peygir.kill('redis', 'SIGSTOP');
    try {
      const answer = await site.push({ type: 'default', queue: ASIDE });
      assertProblem(answer, 503);
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await waitFor(async () => (await site.push({ type: 'default', queue: ASIDE })).status === 201, { what: 'Redis to be back' });
  });

  test('no token is in any log, nor in Redis', async () => {
    const everything = peygir.logs() + (await peygir.dump());
    for (const one of Object.values(tokens)) assert.ok(!everything.includes(one.slice(4)));
  });
});
