// reminders.test.mjs: vendors are reminded of messages that they have not answered, and then others are recommended: /api/internal/reminders.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isAlive, start, waitFor } from '../lib/peygir.mjs';
import { bearers, signedIn } from '../lib/programs.mjs';
import { oddMailServer } from '../lib/smtp.mjs';
import { connect } from '../lib/sockets.mjs';
import { Visitor } from '../lib/visitor.mjs';

const REMINDERS = '/api/internal/reminders';
const DELAYED = 'peygir:notification:delayed';
const HOUR_MS = 3_600_000;

let peygir, bearer, mails;

before(async () => {
  mails = await oddMailServer();
  peygir = await start({ env: { PEYGIR_DEMO: 'off', RESPONSE_REMINDER_HOURS: '8,24', PEYGIR_SITE_URL: 'https://site.example', MAIL_URL: `smtp://127.0.0.1:${mails.port}`, MAIL_FROM: 'peygir@example.org' } });
  bearer = await bearers(peygir);
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await mails?.stop();
  }
});

const site = (headers = bearer.site) => new Visitor(peygir.base, { headers });
const ask = (body, headers) => site(headers).fetch(REMINDERS, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
const answered = (message, headers) => site(headers).fetch(`${REMINDERS}/${message}`, { method: 'DELETE' });
const jobOf = (message, what) => `reminder:${message}:${what}`;

async function remind(message_id, more = {}) {
  const answer = await ask({ message_id, vendor_id: `${message_id}-v`, client_id: `${message_id}-c`, data: { client: 'Reza', vendor: 'Sara' }, ...more });
  assert.equal(answer.status, 202, answer.html);
  return answer.json;
}

// As when its hour has come.
const due = (message, what) => peygir.redis.zadd(DELAYED, 'XX', 0, jobOf(message, what));

const jobEnds = (message, what) => waitFor(async () => {
  const status = await peygir.redis.hget(`peygir:notification:data:${jobOf(message, what)}`, 'status');
  return ['completed', 'failed', 'cancelled'].includes(status) && status;
}, { what: `${jobOf(message, what)} to end` });

const inboxOf = async (user) => (await (await signedIn(peygir, bearer, user)).get('/api/notifications')).json.notifications;

function assertProblem(answer, status) {
  assert.equal(answer.status, status, answer.html);
  assert.equal(answer.type, 'application/problem+json');
  return answer.json;
}

describe('A vendor who does not answer', () => {
  test('is reminded after each of the hours, and then the client hears of others', async () => {
    const line = await (await connect(await signedIn(peygir, bearer, 'm1-v'))).subscribe('notifications');
    assert.deepEqual(await remind('m1', { alternatives: ['A', 'B'] }), { message_id: 'm1', hours: [8, 24] });
    const before = Date.now(), times = await peygir.redis.zrange(DELAYED, 0, -1, 'WITHSCORES');
    assert.deepEqual(times.filter((one, i) => i % 2 === 0), ['8', '24', 'alternatives'].map((what) => jobOf('m1', what)));
    assert.deepEqual(times.filter((one, i) => i % 2 === 1).map((at) => Math.round((at - before) / HOUR_MS)), [8, 24, 25]);
    for (const [what, hours] of [['8', 8], ['24', 24]]) {
      await due('m1', what);
      const { data } = await line.until((heard) => heard.data?.id === jobOf('m1', what));
      assert.match(data.texts.en.text, new RegExp(`^Reza has waited ${hours} hours`));
      assert.deepEqual(data.data, { message_id: 'm1', vendor_id: 'm1-v', client_id: 'm1-c', hours, client: 'Reza', vendor: 'Sara' });
    }
    await due('m1', 'alternatives');
    assert.equal(await jobEnds('m1', 'alternatives'), 'completed');
    const [one] = await inboxOf('m1-c');
    assert.equal(one.text, 'Sara has not answered your message yet. You may also ask: A, B');
    assert.deepEqual((await inboxOf('m1-v')).map(({ event }) => event), ['response_reminder', 'response_reminder'], 'who else was recommended is told to the client alone');
    line.close();
  });

  test('is mailed as well where the host site gave an address, and the client is not', async () => {
    await remind('m4', { email: 'vendor@example.org', locale: 'en', alternatives: ['A'], data: { client: 'Reza', link: '/requests' } });
    for (const what of ['8', 'alternatives']) {
      await due('m4', what);
      assert.equal(await jobEnds('m4', what), 'completed');
    }
    const { text } = await waitFor(() => mails.mails.find(({ name }) => name === 'vendor'), { what: 'the mail' });
    const words = text.replaceAll('=\r\n', '');
    assert.match(words, /Reza has waited 8 hours for your answer/);
    assert.match(words, /\r\nhttps:\/\/site\.example\/requests\r\n/);
    assert.equal(await peygir.redis.exists(`peygir:mail:data:${jobOf('m4', 'alternatives')}.mail`), 0);
    assert.doesNotMatch(peygir.logs(), /vendor@example/);
  });

  test('is not reminded twice when the host site asks twice', async () => {
    await remind('m2');
    assert.deepEqual(await remind('m2'), { message_id: 'm2', hours: [8, 24], existing: true });
    assert.equal((await peygir.redis.zrange(DELAYED, 0, -1)).filter((id) => id.startsWith('reminder:m2:')).length, 3);
  });

  test('is reminded once by a job whose worker was killed before it could say that it had told', async () => {
    const id = jobOf('m3', '8'), data = `peygir:notification:data:${id}`;
    await remind('m3', { email: 'once@example.org', locale: 'en' });
    const stored = await peygir.redis.hgetall(data);
    await due('m3', '8');
    assert.equal(await jobEnds('m3', '8'), 'completed');
    const mailEnds = () => waitFor(async () => (await peygir.redis.hget(`peygir:mail:data:${id}.mail`, 'status')) === 'completed', { what: 'the mail to be sent' });
    await mailEnds();
    const old = peygir.kill('worker');
    await waitFor(() => !isAlive(old), { what: 'the worker to be dead' });
    // As it would have left the job: taken, told, not ended, its lease over.
    await peygir.redis.multi().del(data).hset(data, { ...stored, status: 'processing', run: 1, worker_id: 'dead' }).zadd('peygir:notification:active', 1, id).exec();
    assert.equal(await jobEnds('m3', '8'), 'completed');
    assert.deepEqual(await peygir.redis.hmget(data, 'run', 'deaths'), ['2', '1'], 'another worker took it');
    assert.deepEqual((await inboxOf('m3-v')).map((one) => one.id), [id]);
    await mailEnds();
    assert.equal(await peygir.redis.hget(`peygir:mail:data:${id}.mail`, 'run'), '1');
    assert.equal(mails.mails.filter(({ name }) => name === 'once').length, 1);
  });
});

describe('A vendor who has answered', () => {
  test('hears no more, nor does the client', async () => {
    await remind('n1');
    await due('n1', '8');
    assert.equal(await jobEnds('n1', '8'), 'completed');
    assert.deepEqual((await answered('n1')).json, { cancelled: 2 });
    for (const what of ['24', 'alternatives']) assert.equal(await jobEnds('n1', what), 'cancelled');
    assert.deepEqual((await answered('n1')).json, { cancelled: 0 }, 'saying it again does no harm');
    assert.equal((await inboxOf('n1-v')).length, 1);
    assert.deepEqual(await inboxOf('n1-c'), []);
  });

  test('gets no mail that was put off until then', async () => {
    await remind('n4', { email: 'greylist@example.org', locale: 'en' });
    await due('n4', '8');
    const mail = `${jobOf('n4', '8')}.mail`;
    const waits = () => peygir.redis.zscore('peygir:mail:delayed', mail);
    await waitFor(waits, { what: 'the mail to be put off' });
    assert.deepEqual((await answered('n4')).json, { cancelled: 2 }, 'mails are not counted');
    assert.equal(await waits(), null);
    assert.equal(await peygir.redis.hget(`peygir:mail:data:${mail}`, 'status'), 'cancelled');
    // A mail after it comes after it.
    await remind('n5', { email: 'later@example.org', locale: 'en' });
    await due('n5', '8');
    await waitFor(() => mails.mails.some(({ name }) => name === 'later'), { what: 'another mail' });
    assert.equal(mails.tries.greylist, 1);
    assert.equal(mails.mails.some(({ name }) => name === 'greylist'), false);
  });

  test('is not reminded by a job that had been taken already', async () => {
    await remind('n2');
    assert.equal((await peygir.cli('queue', 'pause', 'notification')).code, 0);
    const stored = await peygir.redis.hgetall(`peygir:notification:data:${jobOf('n2', '8')}`);
    assert.deepEqual((await answered('n2')).json, { cancelled: 3 });
    // Such a job as it was, under another id that nobody cancels.
    const copy = await peygir.cliJson('queue', 'push', 'response_reminder', '--payload', stored.payload);
    assert.equal((await peygir.cli('queue', 'resume', 'notification')).code, 0);
    const done = await waitFor(async () => {
      const job = await peygir.cliJson('queue', 'show', copy.id);
      return job.status === 'completed' && job;
    }, { what: 'the job to end' });
    assert.deepEqual(JSON.parse(await peygir.redis.hget(`peygir:notification:data:${copy.id}`, 'result')), { answered: true }, JSON.stringify(done));
    assert.deepEqual(await inboxOf('n2-v'), []);
  });

  test('is not reminded of the same message again', async () => {
    await remind('n3');
    await answered('n3');
    assertProblem(await ask({ message_id: 'n3', vendor_id: 'v', client_id: 'c' }), 409);
  });
});

describe('A host site', () => {
  test('is told which member is wrong, without its value', async () => {
    const good = { message_id: 'x', vendor_id: 1, client_id: 'c' };
    for (const [body, ...fields] of [
      [{}, 'message_id', 'vendor_id', 'client_id'], [{ ...good, message_id: 'secret id' }, 'message_id'], [{ ...good, message_id: 'x'.repeat(65) }, 'message_id'],
      [{ ...good, vendor_id: '' }, 'vendor_id'], [{ ...good, client_id: {} }, 'client_id'], [{ ...good, email: 'secret' }, 'email'], [{ ...good, locale: 'xx' }, 'locale'],
      [{ ...good, data: 'secret' }, 'data'], [{ ...good, data: { x: 'y'.repeat(2048) } }, 'data'], [{ ...good, alternatives: [] }, 'alternatives'],
      [{ ...good, alternatives: Array(21).fill('a') }, 'alternatives'], [{ ...good, alternatives: [{}] }, 'alternatives'], [{ ...good, hours: 1 }, 'hours'],
    ]) {
      const { errors } = assertProblem(await ask(body), 422);
      assert.deepEqual(errors.map((one) => one.field), fields, JSON.stringify(body).slice(0, 100));
      assert.doesNotMatch(JSON.stringify(errors), /secret/);
    }
    assertProblem(await ask([]), 422);
    assert.equal(await peygir.redis.exists('peygir:notifications:reminder:x'), 0);
  });

  test('is told 404 for a message that nobody is reminded of, and 405 for another method', async () => {
    for (const message of ['nothing', 'a%20b', 'x'.repeat(100)]) assertProblem(await answered(message), 404);
    const other = await site().get(`${REMINDERS}/nothing`);
    assertProblem(other, 405);
    assert.equal(other.headers.get('allow'), 'DELETE');
  });

  test('needs a token of role site', async () => {
    for (const role of ['bot', 'api']) {
      assertProblem(await ask({}, bearer[role]), 403);
      assertProblem(await answered('m1', bearer[role]), 403);
    }
    assertProblem(await ask({}, {}), 401);
    assertProblem(await answered('m1', {}), 401);
  });

  test('hears 503 from a full Redis, which takes answers all the same', async () => {
    await remind('f1');
    await peygir.redis.config('SET', 'maxmemory', '1');
    try {
      const answer = await ask({ message_id: 'f2', vendor_id: 'v', client_id: 'c' });
      assertProblem(answer, 503);
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
      assert.deepEqual((await answered('f1')).json, { cancelled: 3 });
    } finally {
      await peygir.redis.config('SET', 'maxmemory', '0');
    }
  });
});
