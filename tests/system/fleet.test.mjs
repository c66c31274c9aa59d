// fleet.test.mjs: workers as others see and command them: the registry, cancelling what runs, starting all anew, progress.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { BUILD, freePort, waitFor } from '../lib/peygir.mjs';
import { Yard } from '../lib/yard.mjs';

const JOBS = {
  default: { handler: 'http', path: '/api/jobs/default' },
  talker: {
    handler: 'exec',
    command: ['sh', '-c', 'echo "{\\"progress\\":10,\\"message\\":\\"begun\\"}"; ' +
      'for i in 1 2 3 4 5 6 7 8 9; do echo "{\\"progress\\":${i}0}"; done; ' +
      'echo "{\\"progress\\":97,\\"message\\":\\"nearly\\"}"; echo "{\\"result\\":{\\"lines\\":11}}"'],
  },
  sleeper: { handler: 'exec', command: ['sleep', '300'] },
};

let yard;
let bot;
let count = 0;

const key = (...parts) => ['peygir', ...parts].join(':');
const json = (...words) => JSON.parse(yard.redis('--json', ...words));
const dataOf = (id) => json('HGETALL', key('task', 'data', id));
const callsOf = (id) => bot.calls.filter(({ data }) => data.job?.id === id);
const workers = () => json('ZRANGE', key('workers'), '0', '-1');

function push(fields = {}) {
  const id = `job-${++count}`;
  yard.redis('HSET', key('task', 'data', id), ...Object.entries({ payload: '{}', ...fields }).flat().map(String));
  yard.redis('LPUSH', key('task', 'queue'), id);
  return id;
}

const until = (id, status) =>
  waitFor(() => {
    const data = dataOf(id);
    return data.status === status && data;
  }, { timeout: 20_000, what: `${id} to be ${status}`, now: () => dataOf(id) });

const exits = async (child) => (await child.ended).code;

// A worker that has taken a job of ours, which its bot does not answer.
async function holding() {
  bot.on('/api/jobs/default', () => {});
  const child = yard.worker();
  const id = push({ type: 'default' });
  await waitFor(() => callsOf(id).length === 1);
  return { child, id };
}

before(async () => {
  bot = await new Bot().listen(await freePort());
  yard = await Yard.start(BUILD, { jobs: JOBS, options: { LOCAL_API_URL: bot.url, WORKER_SLEEP: '60', WORKER_DRAIN: '5' } });
});
after(async () => {
  await bot?.close(); // no call of it keeps a worker
  const said = yard?.log('worker') ?? '';
  await yard?.close();
  assert.doesNotMatch(said, /Sanitizer|runtime error:/);
});

test('a worker is registered while it lives, with what it does', async () => {
  const { child, id } = await holding();
  const [worker] = await waitFor(() => workers().length === 1 && workers());
  const entry = await waitFor(() => {
    const now = json('HGETALL', key('worker', worker));
    return now.running === '1' && now;
  });
  assert.equal(entry.pid, String(child.pid));
  assert.equal(entry.concurrency, '1000');
  assert.equal(entry.queues, 'task');
  assert.ok(entry.host.length > 0 && Number(entry.beat_at) >= Number(entry.started_at) && Number(entry.started_at) > 1e12);
  assert.deepEqual(JSON.parse(entry.jobs), [{ id, type: 'default', queue: 'task' }]);
  callsOf(id)[0].success({});
  assert.equal((await child.end()).code, 0);
  assert.deepEqual(workers(), []);
  assert.deepEqual(json('HGETALL', key('worker', worker)), {});
});

describe('a job that runs is cancelled', () => {
  const cancel = async (id) => {
    const { code, stderr } = await yard.peygir('queue', 'cancel', id);
    assert.equal(code, 0, stderr);
  };

  test('its call is ended, and it is not tried again', async () => {
    const { child, id } = await holding();
    await cancel(id);
    await callsOf(id)[0].closed;
    assert.equal(dataOf(id).status, 'cancelled');
    assert.equal((await child.end()).code, 0);
    assert.equal(dataOf(id).status, 'cancelled');
    assert.equal(json('ZSCORE', key('task', 'active'), id), null);
  });

  test('so is its program', async () => {
    const child = yard.worker();
    const id = push({ type: 'sleeper' });
    await until(id, 'processing');
    await cancel(id);
    assert.equal((await child.end()).code, 0); // within the drain: nothing runs any more
    assert.equal(dataOf(id).status, 'cancelled');
    assert.doesNotMatch(yard.log('worker'), /given back/);
  });
});

describe('queue restart', () => {
  test('every worker finishes what it has and exits with 0; one that begins later stays', async () => {
    const { child, id } = await holding();
    const idle = yard.worker();
    await waitFor(() => workers().length === 2);
    const { code, stderr } = await yard.peygir('queue', 'restart');
    assert.equal(code, 0, stderr);
    assert.equal(await exits(idle), 0);
    assert.equal(child.alive, true);
    const next = yard.worker();
    callsOf(id)[0].success({});
    assert.equal(await exits(child), 0);
    assert.equal(dataOf(id).status, 'completed');
    bot.on('/api/jobs/default', (call) => call.success({}));
    await until(push(), 'completed');
    assert.equal(next.alive, true);
    await next.end();
  });

  test('who did not hear it sees it with its next beat', async () => {
    const child = yard.worker();
    await waitFor(() => workers().length === 1);
    const [seconds, micros] = json('TIME');
    yard.redis('SET', key('workers', 'restart'), String(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)));
    assert.equal(await exits(child), 0);
  });
});

// Lines of redis-cli on a channel, from the moment it listens.
async function listen(channel) {
  const child = spawn('redis-cli', ['-s', yard.socket, 'SUBSCRIBE', channel], { stdio: ['ignore', 'pipe', 'ignore'] });
  const heard = { text: '', stop: () => child.kill() };
  child.stdout.on('data', (chunk) => (heard.text += chunk));
  await waitFor(() => heard.text.includes('subscribe'));
  return heard;
}

test('progress is told at most once a second, the last word before the end', async () => {
  const child = yard.worker();
  const heard = await listen(key('notifications', 'task', `job-${count + 1}`));
  const data = await until(push({ type: 'talker' }), 'completed');
  assert.equal(data.progress, '97');
  assert.equal(data.message, 'nearly');
  assert.deepEqual(JSON.parse(data.result), { lines: 11 });
  await waitFor(() => heard.text.includes('task_completed'));
  const told = heard.text.match(/"type":"task_progress".*/g);
  assert.ok(told.length <= 3, `told ${told.length} times`);
  assert.match(told.at(-1), /"progress":97,"message":"nearly"/);
  heard.stop();
  await child.end();
});
