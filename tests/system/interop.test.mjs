// interop.test.mjs: other people's producers and listeners, as the OCR platform has them: Node.js with node-redis, Python with redis-py,
// prefix `ocr`. They know nothing of Peygir, only the keys of contract 4.2.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClient } from 'redis';
import { Bot } from '../lib/bot.mjs';
import { command, freePort, start, waitFor } from '../lib/peygir.mjs';

const JOBS = '/api/jobs/default';
const USER = 'user-17';

let peygir, bot, redis;
let count = 0;
const newId = () => `5f1c0c1e-0000-4000-8000-${String(++count).padStart(12, '0')}`;
const hold = new Map(); // ids whose calls are answered by the test

before(async () => {
  bot = await new Bot().listen(await freePort());
  bot.on(JOBS, (call) => {
    const held = hold.get(call.data.job.id);
    if (held) held(call);
    else call.success({ text: 'read' });
  });
  peygir = await start({
    env: { PEYGIR_PREFIX: 'ocr', PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_CONCURRENCY: '1' },
  });
  redis = await client();
});
after(async () => {
  redis?.destroy();
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
  }
});

const client = () => createClient({ socket: { path: peygir.file('redis.sock') } }).on('error', () => {}).connect();

const callsOf = (id) => bot.calls.filter(({ data }) => data.job?.id === id);
const dataOf = (id) => redis.hGetAll(`ocr:task:data:${id}`);
const completed = (id) =>
  waitFor(async () => {
    const data = await dataOf(id);
    return data.status === 'completed' && data;
  }, { what: `job ${id} to be completed`, now: () => dataOf(id) });

// A backend as in the platform's documents: one transaction.
async function upload(fields = {}) {
  const taskId = newId(), fileId = `file-${count}`;
  const multi = redis.multi();
  multi.lPush('ocr:task:queue', taskId);
  multi.hSet(`ocr:task:data:${taskId}`, {
    user_id: USER, file_id: fileId, status: 'pending', priority: 5, created_at: Date.now(), ...fields,
  });
  multi.incr('ocr:stats:tasks:total');
  await multi.exec();
  return { taskId, fileId };
}

// What a listener of the platform's notifications hears from now on: [[channel, message], ...].
async function listen(...channels) {
  const subscriber = await client(), heard = [];
  for (const channel of channels) await subscriber.subscribe(channel, (message) => heard.push([channel, JSON.parse(message)]));
  return { heard, close: () => subscriber.destroy() };
}
const statuses = (heard, channel, id) =>
  heard.filter(([where, { task_id }]) => where === channel && task_id === id).map(([, { status }]) => status);

describe('a producer with node-redis', () => {
  test('zAdd with plain priorities: the highest first, the list in the middle', async () => {
    const [low, list, high, highest] = [newId(), newId(), newId(), newId()];
    assert.equal((await peygir.cli('queue', 'pause')).code, 0);
    await redis.zAdd('ocr:task:priority', { score: 2, value: low });
    await redis.lPush('ocr:task:queue', list);
    await redis.zAdd('ocr:task:priority', { score: 8, value: high });
    await redis.zAdd('ocr:task:priority', { score: 9, value: highest });
    assert.equal((await peygir.cli('queue', 'resume')).code, 0);
    for (const id of [low, list, high, highest]) await completed(id);
    assert.deepEqual(bot.calls.map(({ data }) => data.job.id), [highest, high, list, low]);
    assert.equal(await redis.zCard('ocr:task:priority'), 0);
  });

  test('lPush, hSet and incr in one transaction: the bot gets the fields that are the producer\'s own', async () => {
    const { taskId, fileId } = await upload();
    const data = await completed(taskId);
    const [{ data: body }, ...more] = callsOf(taskId);
    assert.equal(more.length, 0);
    assert.deepEqual(body.payload, { file_id: fileId });
    assert.equal(body.job.type, 'default');
    assert.equal(body.job.run, 1);
    assert.ok(Number(data.completed_at) >= Number(data.started_at));
    const ttl = await redis.ttl(`ocr:task:data:${taskId}`);
    assert.ok(ttl > 86_000 && ttl <= 86_400, `its data goes after ${ttl} s`);
  });

  test('lPush alone: a job without data is carried out with an empty payload', async () => {
    const taskId = newId();
    await redis.lPush('ocr:task:queue', taskId);
    await completed(taskId);
    assert.deepEqual(callsOf(taskId).map(({ data }) => data.payload), [{}]);
  });

  test('hSet after lPush, and a worker was quicker: the job runs once and ends once', async () => {
    const taskId = newId();
    let call;
    hold.set(taskId, (one) => (call = one));
    await redis.lPush('ocr:task:queue', taskId);
    await waitFor(() => call, { what: 'the bot to be called' });
    await redis.hSet(`ocr:task:data:${taskId}`, { user_id: USER, file_id: 'late', status: 'pending', priority: 5, created_at: Date.now() });
    call.success({ text: 'read' });
    await completed(taskId);
    assert.equal(callsOf(taskId).length, 1);
    for (const set of ['priority', 'delayed', 'active', 'failed']) assert.equal(await redis.zScore(`ocr:task:${set}`, taskId), null, set);
  });

  test('payload as one field of JSON is handed on as it is', async () => {
    const { taskId } = await upload({ payload: '{"pages":[1,2],"empty":[],"big":12345678901234567890}' });
    await completed(taskId);
    assert.match(callsOf(taskId)[0].text, /"payload":\{"pages":\[1,2\],"empty":\[\],"big":12345678901234567890\}/);
  });
});

describe('a producer in Python with redis-py', () => {
  const python = async (script, ...args) => {
    const { code, stdout, stderr } = await command('/usr/bin/python3', ['-c', script, peygir.file('redis.sock'), ...args]);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const HEAD = 'import json, sys, time, redis\nr = redis.Redis(unix_socket_path=sys.argv[1], decode_responses=True)\n';

  test('lpush, hset with a mapping and zadd are carried out', async () => {
    const [first, second] = [newId(), newId()];
    await python(`${HEAD}
first, second = sys.argv[2:4]
r.lpush('ocr:task:queue', first)
r.hset('ocr:task:data:' + second, mapping={'user_id': '${USER}', 'file_id': 'فایل', 'status': 'pending', 'created_at': int(time.time() * 1000)})
r.zadd('ocr:task:priority', {second: 7})
`, first, second);
    await completed(first);
    await completed(second);
    assert.deepEqual(callsOf(second).map(({ data }) => data.payload), [{ file_id: 'فایل' }]);
  });

  test('it reads status and times of a job as whole numbers, and its end from its channel', async () => {
    const id = newId();
    const said = JSON.parse(await python(`${HEAD}
task = sys.argv[2]
ear = r.pubsub()
ear.subscribe('ocr:notifications:task:' + task)
ear.get_message(timeout=5)
r.lpush('ocr:task:queue', task)
status = None
while status != 'completed':
    message = ear.get_message(timeout=10)
    status = json.loads(message['data'])['status']
data = r.hgetall('ocr:task:data:' + task)
print(json.dumps({'status': data['status'], 'ms': int(data['completed_at']) - int(data['created_at'])}))
`, id));
    assert.equal(said.status, 'completed');
    assert.ok(said.ms >= 0);
  });
});

describe('a listener with node-redis', () => {
  test('all, the user\'s and the task\'s channel tell processing and completed of a job that somebody else pushed', async () => {
    const id = newId(), task = `ocr:notifications:task:${id}`, user = `ocr:notifications:user:${USER}`;
    const { heard, close } = await listen('ocr:notifications', user, task);
    await redis.hSet(`ocr:task:data:${id}`, { user_id: USER, file_id: 'f', status: 'pending' });
    await redis.lPush('ocr:task:queue', id);
    await completed(id);
    for (const channel of ['ocr:notifications', user, task]) {
      await waitFor(() => statuses(heard, channel, id).includes('completed'));
      assert.deepEqual(statuses(heard, channel, id), ['processing', 'completed'], channel);
    }
    const message = heard.find(([, { status }]) => status === 'completed')[1];
    const { timestamp, ...rest } = message;
    assert.deepEqual(rest, { type: 'task_completed', task_id: id, user_id: USER, status: 'completed' });
    assert.equal(typeof timestamp, 'number');
    close();
  });

  test('a job that Peygir pushes is told from pending on', async () => {
    const { heard, close } = await listen('ocr:notifications');
    const { id } = await peygir.cliJson('queue', 'push', 'default', '--payload', '{"file_id":"x"}');
    await waitFor(() => statuses(heard, 'ocr:notifications', id).includes('completed'));
    assert.deepEqual(statuses(heard, 'ocr:notifications', id), ['pending', 'processing', 'completed']);
    close();
  });

  test('the counters and the day\'s statistics are read as numbers', async () => {
    const before = Number((await redis.get('ocr:stats:tasks:total')) ?? 0), done = Number(await redis.get('ocr:stats:tasks:completed'));
    const { taskId } = await upload();
    await completed(taskId);
    assert.equal(Number(await redis.get('ocr:stats:tasks:total')), before + 1, 'the producer counted it, nobody else did');
    assert.equal(Number(await redis.get('ocr:stats:tasks:completed')), done + 1);
    const today = new Date(Number((await dataOf(taskId)).completed_at)).toISOString().split('T')[0];
    const daily = await redis.hGetAll(`ocr:stats:daily:${today}`);
    assert.ok(Number(daily.tasks_completed) >= 1);
    assert.ok(Number.isInteger(Number(daily.avg_processing_time)), JSON.stringify(daily));
    assert.equal(Number(daily.tasks_failed ?? 0), 0);
  });

  test('a failed job is told and counted as failed', async () => {
    const { heard, close } = await listen('ocr:notifications');
    const id = newId();
    hold.set(id, (call) => call.error('unreadable', { retryable: false }));
    await redis.lPush('ocr:task:queue', id);
    await waitFor(() => statuses(heard, 'ocr:notifications', id).includes('failed'));
    assert.equal((await dataOf(id)).status, 'failed');
    assert.ok((await redis.zScore('ocr:task:failed', id)) > 0);
    assert.equal(await redis.get('ocr:stats:tasks:failed'), '1');
    close();
  });
});
