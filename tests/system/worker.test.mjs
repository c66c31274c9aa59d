// worker.test.mjs: workers that die, stop or hang in the middle of a call; the request always ends honestly.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CREDIT, GOOD, OCR, resultPath } from '../lib/demo.mjs';
import { BUILD, LONG, freePort, isAlive, start, waitFor } from '../lib/peygir.mjs';

const LEASE_MS = 15_000;
const RECOVERED_MS = 20_000;

let peygir;
let bot;
const behaviours = new Map();

let count = 0;
async function ask(visitor, behave) {
  const file_id = `case-${++count}`;
  behaviours.set(file_id, behave);
  return visitor.request(OCR, { file_id, language: 'fa' });
}

const jobOf = (id) => peygir.redis.hgetall(`peygir:task:data:${id}`);
const callsOf = (hash) => bot.of(hash).filter(({ path }) => path === `/api/services/${OCR}`);

before(async () => {
  bot = await new Bot().listen(await freePort());
  bot.on(OCR, (call) => behaviours.get(call.data.file_id)(call));
  peygir = await start({ env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_BACKOFF: '0', WORKER_DRAIN: '5' } });
});
after(async () => {
  await bot?.close(); // no call of it keeps a worker
  await peygir?.stop();
});

describe('a worker stops', () => {
  test('SIGTERM: it finishes what runs, takes nothing more, and ends with 0', async () => {
    const visitor = peygir.visitor();
    let call;
    const running = await ask(visitor, (one) => (call = one));
    await waitFor(() => call);
    const old = peygir.kill('worker', 'SIGTERM');
    const next = await ask(visitor, (one) => one.success({ by: 'the next worker' }));
    assert.equal(isAlive(old), true, 'it waits for its call');
    assert.equal((await peygir.document(next)).status, 'pending', 'it takes nothing more');
    call.success({ by: 'the old worker' });
    await waitFor(() => !isAlive(old));
    assert.deepEqual((await peygir.status(running, 'completed')).result_data, { by: 'the old worker' });
    await peygir.status(next, 'completed');
    assert.equal(callsOf(running).length, 1);
    assert.match(peygir.run.said.stderr, /worker ended with status 0/);
  });

  test('SIGTERM and a call that does not end: it is given back without using up an attempt', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => callsOf(call.hash).length > 1 && call.success({ at: 'last' }));
    await waitFor(() => callsOf(hash).length === 1);
    const old = peygir.kill('worker', 'SIGTERM');
    await waitFor(() => !isAlive(old), { timeout: 8000, what: 'the drain to be over' });
    await peygir.status(hash, 'completed');
    const job = await waitFor(async () => {
      const now = await jobOf(hash);
      return now.status === 'completed' && now;
    });
    assert.equal(job.attempts ?? '0', '0', 'an interruption uses up no attempt');
    assert.equal(job.deaths ?? '0', '0');
    const [first, second] = callsOf(hash).map(({ headers }) => Number(headers['peygir-run']));
    assert.ok(second > first, 'under a new run');
  });

  test('a second worker beside it shares the work', async () => {
    const visitor = peygir.visitor();
    const waiting = [];
    const hashes = [];
    for (let i = 0; i < 10; i++) hashes.push(await ask(visitor, (call) => waiting.push(call)));
    await waitFor(() => waiting.length === 10);
    waiting.forEach((call) => call.success({}));
    for (const hash of hashes) await peygir.status(hash, 'completed');
    assert.equal(bot.calls.filter(({ hash }) => hashes.includes(hash)).length, 10, 'each was called once');
  });
});

describe('a worker is killed in the middle of a call', () => {
  test('its jobs run elsewhere within 20 s, the visitor loses nothing, a late word of the dead run counts for nothing', async () => {
    const visitor = peygir.visitor();
    const again = await ask(visitor, (call) => callsOf(call.hash).length > 1 && call.success({ run: 'second' }));
    const codeBot = (call) => (call.data.otp ? undefined : call.smsSent({ expiry: 120 }));
    bot.on(CREDIT, codeBot);
    const verifying = await visitor.request(CREDIT, GOOD);
    await peygir.status(verifying, 'otp_required');
    await visitor.act(verifying, 'otp', { otp: '54321' });
    await waitFor(() => callsOf(again).length === 1 && bot.of(verifying).some(({ data }) => data.otp));
    const at = performance.now();
    peygir.kill('worker');
    await peygir.ready();
    assert.equal((await peygir.document(again)).status, 'processing');

    const done = await waitFor(async () => callsOf(again).length === 2, { timeout: RECOVERED_MS + 5000, what: 'the job to be recovered' })
      .then(() => peygir.status(again, 'completed'));
    const ms = callsOf(again)[1].at - at;
    assert.ok(ms > LEASE_MS - 6000 && ms < RECOVERED_MS, `recovered after ${ms} ms`);
    assert.deepEqual(done.result_data, { run: 'second' });
    const job = await waitFor(async () => {
      const now = await jobOf(again);
      return now.status === 'completed' && now;
    });
    assert.equal(job.deaths, '1');
    assert.equal(job.attempts ?? '0', '0', 'a death uses up no attempt');

    // The leg that had the code is not called twice: the visitor is asked for another.
    const document = await waitFor(async () => {
      const now = await peygir.document(verifying);
      return now.status === 'otp_required' && now;
    }, { timeout: RECOVERED_MS });
    assert.equal(document.current_message, 'messages.code_lost');
    assert.equal(document.otp_data.attempts, 0);
    assert.equal(bot.of(verifying).filter(({ data }) => data.otp).length, 1);
  });

  test('a job that kills its worker three times is failed as poison', { skip: LONG }, async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, () => {});
    for (let deaths = 1; deaths <= 3; deaths++) {
      await waitFor(() => callsOf(hash).length === deaths, { timeout: 30_000, what: `call ${deaths}` });
      peygir.kill('worker');
    }
    const document = await waitFor(async () => {
      const now = await peygir.document(hash);
      return now.status === 'failed' && now;
    }, { timeout: 30_000 });
    assert.equal(document.error_data.code, 'poison');
    assert.equal((await jobOf(hash)).error, 'poison');
    assert.match((await visitor.get(resultPath(hash, OCR))).text, /broke off several times/);
  });

  test('past a step that must not be repeated it is not run again', { skip: LONG }, async () => {
    const visitor = peygir.visitor();
    bot.on(CREDIT, (call) => (call.data.otp ? undefined : call.smsSent({ expiry: 120 })));
    const hash = await visitor.request(CREDIT, GOOD);
    await peygir.status(hash, 'otp_required');
    await visitor.act(hash, 'otp', { otp: '54321' });
    await waitFor(() => bot.of(hash).some(({ data }) => data.otp));
    const key = `local_request:${hash}`;
    const document = JSON.parse(await peygir.redis.get(key));
    await peygir.redis.setex(key, 1800, JSON.stringify({ ...document, status: 'processing', step: 'verifying_otp', progress: 80 }));
    await visitor.view(hash);
    peygir.kill('worker');
    const end = await waitFor(async () => {
      const now = await peygir.document(hash);
      return now.status === 'failed' && now;
    }, { timeout: 30_000 });
    assert.equal(end.error_data.code, 'interrupted');
    assert.equal(bot.of(hash).filter(({ data }) => data.otp).length, 1);
    assert.match((await visitor.get(resultPath(hash))).text, /not safe to repeat/);
  });

  test('its whole machine stands still: another takes over, and the old one does no harm when it wakes', { skip: LONG }, async () => {
    const visitor = peygir.visitor();
    const calls = [];
    const hash = await ask(visitor, (call) => calls.push(call));
    await waitFor(() => calls.length === 1);
    const old = peygir.kill('worker', 'SIGSTOP');
    const second = spawn(path.join(BUILD, 'peygir-worker'), ['--config', peygir.file('peygir.env')], { stdio: 'ignore' });
    await waitFor(() => calls.length === 2, { timeout: 30_000, what: 'the other worker to take it' });
    process.kill(old, 'SIGCONT');
    calls[0].success({ from: 'the dead' });
    await new Promise((resolve) => calls[0].res.once('close', resolve));
    calls[1].success({ from: 'the living' });
    assert.deepEqual((await peygir.status(hash, 'completed')).result_data, { from: 'the living' });
    second.kill('SIGTERM');
    assert.deepEqual(await once(second, 'exit'), [0, null]);
  });
});
