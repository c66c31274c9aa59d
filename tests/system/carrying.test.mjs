// carrying.test.mjs: what a worker does with jobs that are no service request: by type, by policy, in batches, in turns. One yard,
// workers of their own, and a bot whose every answer a test decides. --sleep is 60 s, so that nothing but a wake-up explains a job's end.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { BUILD, LONG, freePort, waitFor } from '../lib/peygir.mjs';
import { Yard } from '../lib/yard.mjs';

const JOBS = {
  default: { handler: 'http', path: '/api/jobs/default' },
  nothing: { handler: 'none' },
  elsewhere: { handler: 'none', queue: 'other' },
  once: { handler: 'http', path: '/once', tries: 1, timeout: 1 },
  patient: { handler: 'http', path: '/patient', tries: 3, backoff: [0] },
  growing: { handler: 'http', path: '/growing', tries: 2, backoff: { exponential: { base: 1, cap: 60 } } },
  pair: { handler: 'http', path: '/pair', limits: { at_once: 2 } },
};

let yard;
let bot;
let count = 0;

const key = (...parts) => ['peygir', ...parts].join(':');
const newId = () => `job-${++count}`;

// The hash of a job as an object.
function dataOf(id, queue = 'task') {
  const lines = yard.redis('--no-raw', '--json', 'HGETALL', key(queue, 'data', id));
  return JSON.parse(lines);
}

// A job as a producer leaves it that knows nothing but Redis.
function push(fields = {}, { queue = 'task', id = newId() } = {}) {
  const all = Object.entries({ payload: '{}', ...fields }).flat().map(String);
  yard.redis('HSET', key(queue, 'data', id), ...all);
  yard.redis('LPUSH', key(queue, 'queue'), id);
  return id;
}

const until = (id, status, queue) =>
  waitFor(() => {
    const data = dataOf(id, queue);
    return data.status === status && data;
  }, { timeout: 20_000, what: `${id} to be ${status}`, now: () => dataOf(id, queue) });

const worker = (args = [], options = {}) => yard.worker({ args, options });
const callsOf = (id) => bot.calls.filter(({ data }) => data.job?.id === id);

// With a worker that lives as long as the test.
async function withWorker(args, options, action) {
  const child = worker(args, options);
  try {
    return await action(child);
  } finally {
    const { code } = await child.end();
    assert.equal(code, 0, yard.log('worker'));
  }
}

before(async () => {
  bot = await new Bot().listen(await freePort());
  yard = await Yard.start(BUILD, {
    jobs: JOBS,
    options: { LOCAL_API_URL: bot.url, WORKER_SLEEP: '60', WORKER_BACKOFF: '0', WORKER_DRAIN: '5', LOCAL_API_RETRIES: '0' },
  });
});
after(async () => {
  await bot?.close(); // no call of it keeps a worker
  const said = yard?.log('worker') ?? '';
  await yard?.close();
  assert.doesNotMatch(said, /Sanitizer|runtime error:/);
});

describe('an idle worker is woken', () => {
  // It has looked and found nothing: from now on only a wake-up makes it look before a minute is over.
  const idle = (action) => withWorker([], {}, async (child) => {
    await until(push({ type: 'nothing' }), 'completed');
    await action(child);
  });

  test('by LPUSH, by a bare ZADD, and by an id without data', () => idle(async () => {
    await until(push({ type: 'nothing' }), 'completed');
    const id = newId();
    yard.redis('HSET', key('task', 'data', id), 'type', 'nothing');
    yard.redis('ZADD', key('task', 'priority'), '8', id);
    await until(id, 'completed');
    bot.on('/api/jobs/default', (call) => call.success({}));
    const bare = newId();
    yard.redis('LPUSH', key('task', 'queue'), bare);
    await until(bare, 'completed');
  }));

  test('when a delay has run out, and when a retry is due', () => idle(async () => {
    const id = newId();
    yard.redis('HSET', key('task', 'data', id), 'type', 'nothing', 'status', 'pending');
    yard.redis('ZADD', key('task', 'delayed'), String(Date.now() + 200), id);
    await until(id, 'completed');
    bot.on('/api/jobs/default', (call) => (call.data.job.attempt === 1 ? call.error('NOT_YET', { retryable: true }) : call.success({})));
    const again = push({ backoff: '1' });
    assert.equal((await until(again, 'completed')).attempts, '1');
  }));

  test('when its queue goes on after a pause', () => idle(async () => {
    yard.redis('SET', key('task', 'paused'), 'a test');
    const id = push({ type: 'nothing' });
    await until(push({ type: 'elsewhere' }, { queue: 'other' }), 'completed', 'other');
    assert.notEqual(dataOf(id).status, 'completed');
    yard.redis('DEL', key('task', 'paused'));
    await until(id, 'completed');
  }));

  test('also after its connection was cut', () => idle(async () => {
    yard.redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const id = push({ type: 'nothing' });
    await until(id, 'completed');
    await waitFor(() => yard.redis('CLIENT', 'LIST', 'TYPE', 'pubsub').includes('peygir-worker'));
    await until(push({ type: 'nothing' }), 'completed');
  }));
});

test('a worker that Redis does not tell of changes says so once, and looks every --sleep seconds', async () => {
  yard.redis('ACL', 'SETUSER', 'default', '-client|tracking');
  try {
    const child = yard.worker({ log: 'blind', args: ['--sleep=1'] });
    await until(push({ type: 'nothing' }), 'completed');
    await until(push({ type: 'nothing' }), 'completed');
    await child.end();
    assert.equal(yard.log('blind').match(/does not tell which keys change/g).length, 1);
  } finally {
    yard.redis('ACL', 'SETUSER', 'default', '+client|tracking');
  }
});

describe('a job is carried out by its type', () => {
  test('its bot is told what it is, and the data of a success stays with it', () => withWorker([], {}, async () => {
    bot.on('/patient', (call) => call.success({ answer: 42 }));
    const id = push({ type: 'patient', payload: '{"a":[1,2]}', user_id: 'u7' });
    const data = await until(id, 'completed');
    assert.deepEqual(JSON.parse(data.result), { answer: 42 });
    const [call] = callsOf(id);
    const { created_at: created, ...job } = call.data.job;
    assert.deepEqual(job, { id, type: 'patient', queue: 'task', attempt: 1, run: 1, user_id: 'u7' });
    assert.ok(created > 1e12);
    assert.deepEqual(call.data.payload, { a: [1, 2] });
    assert.equal(call.headers['peygir-job'], id);
    assert.equal(call.headers['peygir-run'], '1');
  }));

  test('an unknown type is carried out as the default one', () => withWorker([], {}, async () => {
    bot.on('/api/jobs/default', (call) => call.success({}));
    const id = push({ type: 'never heard of' });
    await until(id, 'completed');
    assert.equal(callsOf(id)[0].data.job.type, 'never heard of');
  }));

  test('the queues that types name are served without being named to the worker', () => withWorker([], {}, async () => {
    await until(push({ type: 'elsewhere' }, { queue: 'other' }), 'completed', 'other');
    await until(push({ type: 'nothing' }), 'completed');
  }));

  test('no more of a limited type run at once than it allows', () => withWorker([], {}, async () => {
    let open = 0;
    let most = 0;
    const waiting = [];
    bot.on('/pair', (call) => {
      most = Math.max(most, ++open);
      waiting.push(call);
    });
    const ids = Array.from({ length: 6 }, () => push({ type: 'pair' }));
    for (let i = 0; i < ids.length; i++) {
      const call = await waitFor(() => waiting.shift());
      open--;
      call.success({});
    }
    for (const id of ids) await until(id, 'completed');
    assert.equal(most, 2);
  }));
});

describe('room that a job of a limited type leaves', () => {
  // Four jobs, two of which run; the calls of those.
  async function fill() {
    const calls = [];
    bot.on('/pair', (call) => calls.push(call));
    const ids = Array.from({ length: 4 }, () => push({ type: 'pair' }));
    await waitFor(() => calls.length === 2);
    return { ids, calls };
  }

  test('by being cancelled is taken at once', () => withWorker([], {}, async () => {
    const { ids, calls } = await fill();
    const [first] = calls.map(({ data }) => data.job.id);
    assert.equal((await yard.peygir('queue', 'cancel', first)).code, 0);
    await waitFor(() => calls.length === 3, { timeout: 5000, what: 'a third call' });
    calls.slice(1).forEach((call) => call.success({}));
    await waitFor(() => calls.length === 4);
    calls[3].success({});
    for (const id of ids) await until(id, id === first ? 'cancelled' : 'completed');
  }));
});

describe('a worker that stood still for longer than a lease', { skip: LONG }, () => {
  test('does not begin a call that it was about to make: somebody else has the job', async () => {
    const port = await freePort(); // nobody listens there yet: the worker will try again in a second
    const options = { LOCAL_API_URL: `http://127.0.0.1:${port}`, LOCAL_API_RETRIES: '2' };
    const first = worker(['task', 'first'], options);
    const id = push({ type: 'once', timeout: 60 });
    await until(id, 'processing');
    process.kill(first.pid, 'SIGSTOP');

    const calls = [];
    const late = await new Bot().listen(port);
    late.on('/once', (call) => calls.push(call));
    const second = worker(['task'], options);
    await waitFor(() => calls.length === 1, { timeout: 30_000, what: 'the other worker to take it' });
    process.kill(first.pid, 'SIGCONT');
    await until(push({ type: 'nothing' }, { queue: 'first' }), 'completed', 'first'); // it is awake, and its clocks have rung
    calls[0].success({});
    assert.equal((await until(id, 'completed')).run, '2');
    for (const child of [first, second]) assert.equal((await child.end()).code, 0);
    assert.deepEqual(calls.map(({ headers }) => headers['peygir-run']), ['2']);
    await late.close();
  });
});

describe('how often, how long, how soon', () => {
  test('a type says how often, the job itself more, the worker what is left open', () => withWorker(['--tries=2'], {}, async () => {
    for (const path of ['/patient', '/api/jobs/default']) bot.on(path, (call) => call.error('BUSY', { retryable: true }));
    const typed = push({ type: 'patient' });
    const own = push({ type: 'patient', max_attempts: 1 });
    const plain = push();
    for (const [id, calls] of [[typed, 3], [own, 1], [plain, 2]]) {
      const { error } = await until(id, 'failed');
      assert.match(error, /BUSY/);
      assert.equal(callsOf(id).length, calls, id);
    }
    assert.deepEqual(callsOf(typed).map(({ data }) => data.job.attempt), [1, 2, 3]);
  }));

  test('an error that is not worth repeating fails the job at once', () => withWorker([], {}, async () => {
    bot.on('/patient', (call) => call.error('NO_SUCH_THING'));
    const id = push({ type: 'patient' });
    assert.match((await until(id, 'failed')).error, /NO_SUCH_THING/);
    assert.equal(callsOf(id).length, 1);
    assert.equal(yard.redis('ZSCORE', key('task', 'failed'), id).trim().length, 13);
  }));

  test('a call that takes too long is ended', () => withWorker([], {}, async () => {
    let closed;
    bot.on('/once', (call) => (closed = call.closed));
    const id = push({ type: 'once' });
    assert.match((await until(id, 'failed')).error, /in time/);
    await closed;
  }));

  test('the pause before the next attempt is the job\'s, the type\'s or the worker\'s', () => withWorker(['--backoff=500'], {}, async () => {
    for (const path of ['/growing', '/api/jobs/default']) bot.on(path, (call) => call.error('BUSY', { retryable: true }));
    const dueIn = async (id) => {
      const score = await waitFor(() => Number(yard.redis('ZSCORE', key('task', 'delayed'), id)));
      return (score - Number(dataOf(id).started_at)) / 1000;
    };
    const own = await dueIn(push({ backoff: '100,200' }));
    assert.ok(own >= 100 && own < 160, `${own}`);
    const workers = await dueIn(push());
    assert.ok(workers >= 500 && workers < 560, `${workers}`);
    const typed = push({ type: 'growing' });
    await until(typed, 'failed');
    assert.equal(callsOf(typed).length, 2);
  }));
});

describe('flags', () => {
  const exits = async (child) => (await child.ended).code;
  const fill = (n, queue) => Array.from({ length: n }, () => push({ type: 'nothing' }, { queue }));
  const completed = (ids, queue) => ids.filter((id) => dataOf(id, queue).status === 'completed').length;

  test('--once carries out one job, and waits no longer for it than --sleep says', async () => {
    const ids = fill(2);
    assert.equal(await exits(worker(['--once', 'task'])), 0);
    assert.equal(completed(ids), 1);
    assert.equal(await exits(worker(['--once', 'task'])), 0);
    assert.equal(completed(ids), 2);
    assert.equal(await exits(worker(['--once', '--sleep=1', 'task'])), 0);
  });

  test('--max-jobs carries out so many, over all queues', async () => {
    const ids = [fill(40, 'one'), fill(40, 'two')];
    assert.equal(await exits(worker(['--max-jobs=50', 'one', 'two'])), 0);
    const [one, two] = [completed(ids[0], 'one'), completed(ids[1], 'two')];
    assert.equal(one + two, 50);
    assert.ok(one > 0 && two > 0, `${one} and ${two}`);
    assert.equal(await exits(worker(['--stop-when-empty', 'two', 'one'])), 0);
    assert.equal(completed(ids[0], 'one') + completed(ids[1], 'two'), 80);
  });

  test('--stop-when-empty also carries out what its jobs leave behind', async () => {
    bot.on('/api/jobs/default', (call) => {
      if (call.data.payload.more) push({ payload: '{}' });
      call.success({});
    });
    const before = bot.calls.length;
    push({ payload: '{"more":true}' });
    assert.equal(await exits(worker(['--stop-when-empty', 'task'])), 0);
    assert.equal(bot.calls.length - before, 2);
  });

  test('--max-time ends it when it has finished what it has', async () => {
    let held;
    bot.on('/api/jobs/default', (call) => (held = call));
    const child = worker(['--max-time=1', 'task']);
    const id = push();
    await waitFor(() => held);
    await waitFor(() => /its time is over; 1 job/.test(yard.log('worker')));
    assert.equal(child.alive, true);
    held.success({});
    assert.equal(await exits(child), 0);
    assert.equal(dataOf(id).status, 'completed');
  });

  test('--drain is how long it waits, then jobs go back without an attempt used up', async () => {
    bot.on('/api/jobs/default', () => {});
    const child = worker(['--drain=1', 'task']);
    const id = push();
    await waitFor(() => callsOf(id).length === 1);
    assert.equal((await child.end()).code, 0);
    const data = dataOf(id);
    assert.equal(data.status, 'pending');
    assert.equal(data.attempts ?? '0', '0');
    assert.equal(yard.redis('LINDEX', key('task', 'queue'), '-1').trim(), id);
    yard.redis('DEL', key('task', 'queue'), key('task', 'data', id));
  });
});

describe('nobody starves', () => {
  test('a long queue does not hold up a short one in the same worker', async () => {
    const order = [];
    bot.on('/api/jobs/default', (call) => {
      order.push(call.data.job.queue);
      call.success({});
    });
    for (let i = 0; i < 30; i++) push({}, { queue: 'long' });
    push({}, { queue: 'short' });
    assert.equal((await worker(['--concurrency=1', '--stop-when-empty', 'long', 'short']).ended).code, 0);
    assert.equal(order.length, 31);
    assert.ok(order.indexOf('short') < 4, `the short queue's turn came as number ${order.indexOf('short')}`);
  });

  test('two workers share one queue', async () => {
    const waiting = [];
    bot.on('/api/jobs/default', (call) => waiting.push(call));
    const ids = Array.from({ length: 8 }, () => push());
    const two = [worker(['--concurrency=4', 'task']), worker(['--concurrency=4', 'task'])];
    await waitFor(() => waiting.length === 8);
    const workers = new Set(ids.map((id) => dataOf(id).worker_id));
    waiting.forEach((call) => call.success({}));
    for (const id of ids) await until(id, 'completed');
    for (const child of two) assert.equal((await child.end()).code, 0);
    assert.equal(workers.size, 2);
  });
});
