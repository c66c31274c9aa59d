// cli_failed.test.mjs: peygir failed …: what failed, why, and trying it once more.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CREDIT, misdeed } from '../lib/demo.mjs';
import { BUILD, start, waitFor } from '../lib/peygir.mjs';
import { Yard } from '../lib/yard.mjs';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let bot;
let yard;
let working; // what the bot does with a job

before(async () => {
  bot = await new Bot().listen();
  for (const type of ['default', 'mail']) bot.on(`/api/jobs/${type}`, (call) => working(call));
  yard = await Yard.start(BUILD, {
    options: { LOCAL_API_URL: bot.url },
    jobs: { default: { handler: 'http', tries: 2, backoff: [0] }, mail: { handler: 'http', queue: 'mail', tries: 1 } },
  });
  yard.worker({ args: ['task', 'mail'] });
});
after(async () => {
  await yard?.close();
  await bot?.close();
});

const run = async (...args) => {
  const { code, stdout, stderr } = await yard.peygir(...args);
  assert.equal(code, 0, stderr);
  return stdout;
};
const json = async (...args) => JSON.parse(await run('--json', ...args));
const push = async (type, ...args) => (await json('queue', 'push', type, ...args)).id;
const list = (...args) => json('failed', 'list', ...args);

// Jobs that have failed.
async function failing(...types) {
  working = (call) => call.error('BROKEN', { retryable: true });
  const ids = [];
  for (const type of types) ids.push(await push(type, '--payload', '{"mobile": "09121234567"}'));
  await waitFor(async () => (await list()).length === ids.length, { what: 'them to fail', now: list });
  return ids;
}

const completed = (id) => waitFor(async () => (await json('queue', 'show', id)).status === 'completed', { what: `${id} to be completed` });

beforeEach(() => run('failed', 'flush'));

test('failed jobs of all queues are listed, newest first, with their error', async () => {
  const [task] = await failing('default');
  const [mail] = await (async () => {
    const id = await push('mail');
    await waitFor(async () => (await list()).length === 2);
    return [id];
  })();
  const rows = await list();
  assert.deepEqual(rows.map(({ id, queue }) => [id, queue]), [[mail, 'mail'], [task, 'task']]);
  assert.match(rows[0].failed_at, RFC3339);
  assert.match(rows[0].error, /BROKEN/);
  assert.deepEqual((await list('--queue', 'mail')).map(({ id }) => id), [mail]);
  assert.deepEqual((await list('--limit', '1')).map(({ id }) => id), [mail]);
  assert.match(await run('failed', 'list'), /^ID +QUEUE +TYPE +FAILED +RUNS +ERROR\n.*mail.*(now|\d+ (ms|s) ago)/);
});

test('one is shown with its attempts, its payload masked', async () => {
  const [id] = await failing('default');
  const shown = await json('failed', 'show', id);
  assert.equal(shown.status, 'failed');
  assert.equal(shown.history.length, 2);
  for (const { at, error, run: number, worker } of shown.history) {
    assert.match(at, RFC3339);
    assert.match(error, /BROKEN/);
    assert.ok(number >= 1 && worker.length > 0);
  }
  assert.deepEqual(shown.payload, { mobile: '***67' });
  assert.match(await run('failed', 'show', id), /RUN +ENDED +ERROR +WORKER/);
  const other = await push('default', '--delay', '60');
  const { code, stderr } = await yard.peygir('failed', 'show', other);
  assert.equal(code, 1);
  assert.match(stderr, /not among the failed/);
  await run('queue', 'cancel', other);
});

test('one is tried once more and completes', async () => {
  const [id] = await failing('default');
  working = (call) => call.success({});
  assert.deepEqual(await json('failed', 'retry', id), [{ id, retried: true, error: null }]);
  await completed(id);
  assert.deepEqual(await list(), []);
  const { code, stdout } = await yard.peygir('--json', 'failed', 'retry', id, 'job_nobody');
  assert.equal(code, 1, 'some could not be');
  const [first, second] = JSON.parse(stdout);
  assert.match(first.error, /not among the failed/);
  assert.match(second.error, /no job job_nobody/);
});

test('all are tried once more, paced, and counted first', async () => {
  const ids = await failing('default', 'default', 'mail');
  assert.deepEqual(await json('failed', 'retry', 'all', '--dry-run'), { dry_run: true, retried: 3, left: 0 });
  assert.equal((await list()).length, 3);
  working = (call) => call.success({});
  assert.deepEqual(await json('failed', 'retry', 'all', '--queue', 'mail'), { dry_run: false, retried: 1, left: 0 });
  assert.deepEqual(await json('failed', 'retry', 'all', '--rate', '1000'), { dry_run: false, retried: 2, left: 0 });
  await Promise.all(ids.map(completed));
  const { code, stderr } = await yard.peygir('failed', 'retry', ids[0], '--rate', '5');
  assert.equal(code, 1);
  assert.match(stderr, /retry all/);
});

test('some are forgotten, or all', async () => {
  const [first, second, third] = await failing('default', 'default', 'mail');
  assert.deepEqual(await json('failed', 'forget', first, second), [{ id: first, forgotten: true, error: null }, { id: second, forgotten: true, error: null }]);
  assert.deepEqual((await list()).map(({ id }) => id), [third]);
  assert.deepEqual(await json('failed', 'flush', '--dry-run'), { dry_run: true, forgotten: 1 });
  assert.deepEqual(await json('failed', 'flush', '--queue', 'task'), { dry_run: false, forgotten: 0 });
  assert.deepEqual(await json('failed', 'flush'), { dry_run: false, forgotten: 1 });
  assert.equal(await run('failed', 'list'), 'There are no failed jobs.\n');
});

test('failed jobs make health warn, which is no failure', async () => {
  await failing('default');
  const { status, checks } = await json('health');
  assert.equal(status, 'warning');
  assert.match(checks.find(({ check }) => check === 'failed').detail, /1 in the queue task: peygir failed list/);
});

describe('a request whose job failed', () => {
  let peygir;
  before(async () => {
    peygir = await start({ env: { WORKER_TRIES: '1', WORKER_BACKOFF: '0' } });
  });
  after(() => peygir?.stop());

  test('is opened again by a retry, under a new run', async () => {
    const hash = await peygir.visitor().request(CREDIT, misdeed('retry'));
    await peygir.status(hash, 'failed');
    const { run: before } = await peygir.guard(hash);
    await waitFor(async () => (await peygir.cliJson('failed', 'list')).some(({ id }) => id === hash));
    assert.deepEqual(await peygir.cliJson('failed', 'retry', hash), [{ id: hash, retried: true, error: null }]);
    await peygir.status(hash, 'otp_required', 'failed', 'completed');
    assert.ok(Number((await peygir.guard(hash)).run) > Number(before));
  });

  test('stays as it is when the request has expired', async () => {
    const hash = await peygir.visitor().request(CREDIT, misdeed('fail'));
    await peygir.status(hash, 'failed');
    await waitFor(async () => (await peygir.cliJson('failed', 'list')).some(({ id }) => id === hash));
    await peygir.redis.del(`local_request:${hash}`);
    const { code, stdout } = await peygir.cli('--json', 'failed', 'retry', hash);
    assert.equal(code, 1);
    assert.match(JSON.parse(stdout)[0].error, /expired/);
    assert.ok((await peygir.cliJson('failed', 'retry', 'all')).left >= 1);
    assert.ok((await peygir.cliJson('failed', 'list')).some(({ id }) => id === hash), 'it can still be forgotten');
  });
});
