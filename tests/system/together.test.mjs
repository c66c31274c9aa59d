// together.test.mjs: a thread that finds several requests ready asks Redis for all of them at once. Web is stopped while they are
// sent straight to its socket, so that they are surely ready at the same moment.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { start } from '../lib/peygir.mjs';

const CREDIT = 'credit-score-rating';
const GOOD = { mobile: '09121234567', national_code: '0499370899' };
const HANG = { ...GOOD, national_code: '9990000069' };
const NOBODY = `req_${'0'.repeat(26)}`;

let peygir;
const people = []; // { visitor, hash, status }, each with a request of their own

before(async () => {
  peygir = await start({ env: { WEB_THREADS: '1', PEYGIR_LIMIT_FACTOR: '0', WORKER_CONCURRENCY: '3' } });
  for (const [values, status] of [[GOOD, 'otp_required'], [HANG, 'processing'], [{ ...GOOD, national_code: '9990000182' }, 'completed']]) {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, values);
    await peygir.status(hash, status);
    people.push({ visitor, hash, status });
  }
});
after(() => peygir?.stop());

const cookiesOf = ({ visitor }) => [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
const statusOf = (hash) => `/api/local-requests/${hash}/status`;
const asks = (who, path, more = {}) => fcgi(more.method ?? 'GET', path, { HTTP_COOKIE: who ? cookiesOf(who) : '', HTTP_ACCEPT_LANGUAGE: 'en', ...more });

// Send all of them while web stands still; their answers, and how many round trips to Redis these took.
async function atOnce(questions) {
  const trips = async () => Number(/^peygir_web_redis_round_trips_total (\d+)$/m.exec((await peygir.visitor().get('/metrics')).html)[1]);
  const first = await trips(), before = await trips(), own = before - first; // what /metrics itself asks
  const web = peygir.kill('web', 'SIGSTOP');
  const answers = questions.map((question) => exchange(peygir.file('web.sock'), question));
  await new Promise((resolve) => setImmediate(resolve)); // all are connected and written: a Unix socket takes them at once
  process.kill(web, 'SIGCONT');
  const parsed = await Promise.all(answers);
  return { answers: parsed, trips: (await trips()) - before - own };
}

describe('requests that are ready at the same moment', () => {
  test('each get their own answer, by far fewer round trips than there are of them', async () => {
    const turns = 12;
    const questions = [], wanted = [];
    for (let i = 0; i < turns; i++) {
      for (const who of people) {
        questions.push(asks(who, statusOf(who.hash)));
        wanted.push(who);
      }
    }
    const { answers, trips } = await atOnce(questions);
    answers.forEach((answer, i) => {
      assert.equal(answer.status, 200, answer.body);
      const view = JSON.parse(answer.body);
      assert.equal(view.hash, wanted[i].hash);
      assert.equal(view.status, wanted[i].status);
    });
    assert.ok(trips <= questions.length / 2, `${trips} round trips for ${questions.length} polls`);
  });

  test('give nobody the request of another', async () => {
    const [a, b, c] = people;
    const { answers } = await atOnce([
      asks(a, statusOf(b.hash)), asks(b, statusOf(b.hash)), asks(null, statusOf(b.hash)), asks(b, statusOf(NOBODY)), asks(c, statusOf(a.hash)),
      asks(c, `/api/local-requests/${c.hash}/result`), asks(a, `/api/local-requests/${c.hash}/result`), asks(b, `/api/local-requests/${b.hash}/result`),
    ]);
    assert.deepEqual(answers.map(({ status }) => status), [404, 200, 404, 404, 404, 200, 404, 409]);
    assert.ok(JSON.parse(answers[5].body).result.score);
  });

  test('do not disturb one whose request a bot wrote past the guard, nor does it disturb them', async () => {
    const [a, b, c] = people;
    const key = `local_request:${b.hash}`;
    const text = await peygir.redis.get(key);
    const progress = JSON.parse(text).progress + 1;
    await peygir.redis.setex(key, 1800, text.replace(/"progress":\d+/, `"progress":${progress}`));
    const { answers } = await atOnce([a, b, c, b, a].map((who) => asks(who, statusOf(who.hash))));
    const views = answers.map(({ body }) => JSON.parse(body));
    assert.deepEqual(views.map(({ hash }) => hash), [a, b, c, b, a].map(({ hash }) => hash));
    assert.deepEqual([views[1].progress, views[3].progress], [progress, progress]);
    assert.equal((await peygir.history(b.hash)).at(-1)[4], progress);
  });

  test('see a request that waits in the queue at its place', async () => {
    const visitor = peygir.visitor();
    assert.equal((await peygir.cli('queue', 'pause', '--message', 'Stock-taking')).code, 0);
    const hash = await visitor.request(CREDIT, GOOD);
    const late = { visitor, hash };
    const { answers } = await atOnce([late, people[0], late, people[2]].map((who) => asks(who, statusOf(who.hash))));
    const views = answers.map(({ body }) => JSON.parse(body));
    assert.deepEqual([views[0].queue_position, views[2].queue_position], [1, 1]);
    assert.equal(views[0].current_message, 'Stock-taking');
    assert.deepEqual([views[1].status, views[3].status], ['otp_required', 'completed']);
    await peygir.cli('queue', 'resume');
    await peygir.status(hash, 'otp_required');
  });

  test('mix with pages, bodies and mistakes', async () => {
    const [a, b] = people;
    const csrf = await b.visitor.token();
    const { answers } = await atOnce([
      asks(a, statusOf(a.hash)),
      asks(b, `/api/local-requests/${b.hash}/cancel`, { method: 'POST', body: '', HTTP_X_CSRF_TOKEN: csrf }),
      asks(a, `/services/${CREDIT}/otp/${a.hash}`),
      asks(a, '/nowhere'),
      asks(a, statusOf(a.hash), { method: 'POST', body: '{}' }),
      asks(a, statusOf(a.hash)),
    ]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 404, 405, 200]);
    assert.equal(JSON.parse(answers[1].body).status, 'cancelled');
    assert.match(answers[2].body, /one-time-code/);
  });
});
