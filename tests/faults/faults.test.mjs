// faults.test.mjs: everything goes wrong at once, and nothing is lost. Producers push 20,000 numbered jobs in every way there is; four
// workers carry them out at a bot that keeps a ledger; meanwhile workers are killed with -9, stopped or frozen, Redis is killed and
// started again, connections break before and after the answer. At the end each job has exactly one end, the ledger and Redis agree,
// and each repeated call is explained by what was done to the worker that made the one before.
//
//   FAULTS_SEED     the same faults in the same order (random; printed)
//   FAULTS_SECONDS  go on with another 20,000 until so many seconds are over (one time 20,000; 600 with ./run check --all)
//   FAULTS_JOBS     how many at a time (20000)
//   FAULTS_KEEP     a directory that the ledger, the faults and all logs are copied to
//
// Redis writes each command to its file before it answers (appendfsync always): what was acknowledged may not be lost at all.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import Redis from 'ioredis';
import { BUILD, SOURCE, waitFor } from '../lib/peygir.mjs';
import { Yard } from '../lib/yard.mjs';
import { idOf } from './jobs.mjs';
import { judge } from './judge.mjs';
import { Proxy } from './proxy.mjs';
import { Random } from './random.mjs';

const SEED = Number(process.env.FAULTS_SEED ?? Math.floor(Math.random() * 2 ** 32));
const SECONDS = Number(process.env.FAULTS_SECONDS ?? (process.env.CHECK_ALL ? 600 : 0));
const JOBS = Number(process.env.FAULTS_JOBS ?? 20_000);
const WORKERS = 4;
const ROUND_MS = 150_000; // a round that takes longer hangs; it takes about a minute on two cores
const FROZEN_MS = 17_000; // longer than a lease
const CALLS_BETWEEN = [JOBS / 200, JOBS / 40]; // how many calls the ledger gets from one fault to the next
const STILL_MS = 1500; // the next fault comes after so long without any call, too
const PLACES = ['queue', 'priority', 'delayed', 'active', 'failed'];
// Shares of the jobs by the way they are pushed.
const WAYS = { one: 0.3, many: 0.4, priority: 0.1, delayed: 0.1, lpush: 0.06, zadd: 0.04 };

const random = new Random(SEED);
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let yard, proxy, bot, redis, ledger;
const workers = [], harms = [], done = {};
let workersMade = 0, pushed = 0, outages = 0;

before(async () => {
  // No other type, for those that come with Peygir have schedules, and their ticks count as jobs.
  const jobs = { default: JSON.parse(fs.readFileSync(path.join(SOURCE, 'etc/jobs/default.json'), 'utf8')) };
  yard = await Yard.start(BUILD, {
    jobs, conf: 'appendfsync always', options: { WORKER_TRIES: '5', WORKER_BACKOFF: '0', WORKER_CONCURRENCY: '64', WORKER_DRAIN: '1' },
  });
  ledger = yard.file('ledger');
  fs.writeFileSync(ledger, '');
  bot = fork(fileURLToPath(new URL('ledgerbot.mjs', import.meta.url)), [ledger], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  bot.port = Number(String((await once(bot.stdout, 'data'))[0]));
  proxy = await new Proxy().listen(yard.file('proxy.sock'), yard.socket);
  redis = connect();
  for (let i = 0; i < WORKERS; i++) workers.push(addWorker());
});

after(async () => {
  const closing = yard?.close();
  proxy?.release();
  await closing;
  proxy?.close();
  redis?.disconnect();
  bot?.disconnect();
});

// What is asked of Redis directly is asked again when it was away: it is harmless twice.
function connect() {
  const client = new Redis({ path: yard.socket, maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => {});
  return client;
}

async function stubborn(action) {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (/^ERR|^NOSCRIPT|^WRONGTYPE/.test(error.message)) throw error;
      await pause(20);
    }
  }
}

function addWorker() {
  const number = ++workersMade;
  const child = yard.worker({
    log: `worker-${number}`, options: { REDIS_URL: proxy.url, LOCAL_API_URL: `http://127.0.0.1:${bot.port}/w${number}` },
  });
  return { number, child, frozen: false };
}

// --- producers ---

// Somebody else's producer, which may not know whether its last try reached Redis: what is not there yet is pushed and counted. Every
// second job has data, with its number in a field that the contract does not name; the others are nothing but an id.
const BARE = `
local list, set, data, total = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', data) == 1 or redis.call('LPOS', list, ARGV[1]) or redis.call('ZSCORE', set, ARGV[1]) then return 0 end
if ARGV[2] == 'zadd' then redis.call('ZADD', set, ARGV[3] % 11, ARGV[1]) else redis.call('LPUSH', list, ARGV[1]) end
if ARGV[3] % 2 == 0 then redis.call('HSET', data, 'n', ARGV[3]) end
redis.call('INCR', total)
return 1`;

async function pushBare(from, to, way) {
  for (let n = from; n < to; n++) {
    const keys = ['peygir:task:queue', 'peygir:task:priority', `peygir:task:data:${idOf(n)}`, 'peygir:stats:tasks:total'];
    await stubborn(() => redis.eval(BARE, keys.length, ...keys, idOf(n), way, n));
  }
}

const pushOurs = (from, to, way) => yard.json('queue-push', [proxy.url, 'peygir', 'numbered', String(from), String(to), way]);

const PRODUCERS = { one: pushOurs, many: pushOurs, priority: pushOurs, delayed: pushOurs, lpush: pushBare, zadd: pushBare };

// All ways at once. What is not pushed yet when this returns is already counted in `pushed`.
function produce(count) {
  const end = pushed + count;
  return Promise.all(Object.entries(WAYS).map(([way, share], i, all) => {
    const from = pushed;
    pushed = i === all.length - 1 ? end : from + Math.round(count * share);
    return PRODUCERS[way](from, pushed, way);
  }));
}

// --- faults ---

const healthy = () => workers.filter(({ frozen }) => !frozen);
function harm(worker, how) {
  harms.push({ worker: worker.number, at: now(), until: now(), how });
  return harms.at(-1);
}

async function replace(worker) {
  await worker.child.ended;
  workers[workers.indexOf(worker)] = addWorker();
}

async function awayAndBack(signal) {
  outages++;
  await yard.server.end(signal);
  if (random.next() < 0.3) await pause(500);
  await yard.startRedis();
}

const FAULTS = {
  async 'a worker is killed'() {
    const worker = random.pick(healthy());
    harm(worker, 'killed');
    worker.child.process.kill('SIGKILL');
    await replace(worker);
  },
  async 'all workers are killed'() {
    const all = healthy();
    for (const worker of all) {
      harm(worker, 'killed');
      worker.child.process.kill('SIGKILL');
    }
    await Promise.all(all.map(replace));
  },
  async 'a worker is stopped'() {
    const worker = random.pick(healthy());
    harm(worker, 'stopped');
    worker.child.process.kill('SIGTERM');
    await replace(worker);
  },
  'Redis is killed': () => awayAndBack('SIGKILL'),
  'Redis is stopped': () => awayAndBack('SIGTERM'),
  async 'all connections are cut'() {
    proxy.cut();
  },
  async 'answers are lost'() {
    proxy.loseAnswers(random.int(1, 6));
  },
  async 'answers stand still'() {
    proxy.hold();
    await pause(random.int(200, 1500));
    proxy.release();
  },
  async 'Redis ends clients'() {
    await redis.client('KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => {});
  },
};
const SHARES = {
  'a worker is killed': 10, 'all workers are killed': 1, 'a worker is stopped': 3, 'Redis is killed': 3, 'Redis is stopped': 2,
  'all connections are cut': 4, 'answers are lost': 4, 'answers stand still': 2, 'Redis ends clients': 3,
};
const deck = Object.entries(SHARES).flatMap(([name, share]) => Array(share).fill(name));

// One worker stands still for longer than its leases; what it says when it wakes must count for nothing.
async function freezeOne() {
  const worker = random.pick(healthy());
  done['a worker is frozen'] = (done['a worker is frozen'] ?? 0) + 1;
  worker.frozen = true;
  const frozen = harm(worker, 'frozen');
  worker.child.process.kill('SIGSTOP');
  await pause(FROZEN_MS);
  frozen.until = now();
  worker.child.process.kill('SIGCONT');
  worker.frozen = false;
}

// Calls that the bot was asked for so far.
const asked = { count: 0, offset: 0, file: null, buffer: Buffer.alloc(1 << 16) };
function calls() {
  asked.file ??= fs.openSync(ledger, 'r');
  for (let bytes; (bytes = fs.readSync(asked.file, asked.buffer, 0, asked.buffer.length, asked.offset)) > 0; asked.offset += bytes)
    asked.count += asked.buffer.toString('latin1', 0, bytes).split('"worker"').length - 1;
  return asked.count;
}

// Faults one after the other, each after some more calls, until `over` says true.
async function makeTrouble(over) {
  let frozen = null;
  for (let i = 0; !over(); i++) {
    const until = calls() + random.int(...CALLS_BETWEEN), since = now();
    const name = random.pick(deck);
    while (!over() && calls() < until && now() - since < STILL_MS) await pause(5);
    if (i === 3) frozen = freezeOne();
    fs.appendFileSync(yard.file('faults'), `${now().toFixed(0)} ${name} after ${calls()} calls\n`);
    await FAULTS[name]();
    done[name] = (done[name] ?? 0) + 1;
  }
  await frozen;
}

// --- the end ---

async function places() {
  const found = new Map();
  for (const place of PLACES) {
    const key = `peygir:task:${place}`;
    for (const id of place === 'queue' ? await redis.lrange(key, 0, -1) : await redis.zrange(key, 0, -1))
      found.set(id, [...(found.get(id) ?? []), place]);
  }
  return found;
}

async function dataOf(jobs) {
  const found = new Map();
  for (let i = 0; i < jobs.length; i += 1000) {
    const pipeline = redis.pipeline(), some = jobs.slice(i, i + 1000);
    for (const n of some) pipeline.hgetall(`peygir:task:data:${idOf(n)}`);
    (await pipeline.exec()).forEach(([, hash], at) => found.set(some[at], hash));
  }
  return found;
}

const counter = async (name) => Number(await stubborn(() => redis.get(`peygir:stats:tasks:${name}`)));
const ended = async () => (await counter('completed')) + (await counter('failed'));
const waiting = async () => Object.fromEntries(await Promise.all(PLACES.map(async (place) =>
  [place, place === 'queue' ? await redis.llen('peygir:task:queue') : await redis.zcard(`peygir:task:${place}`)])));

// Faults go on until nine of ten jobs have been called; then all workers are well, and the rest ends.
async function round() {
  const goal = pushed + JOBS * 0.9;
  let pushing = true, broken = null;
  produce(JOBS).then(() => (pushing = false), (error) => (broken = error));
  const start = now();
  const late = () => now() - start > ROUND_MS;
  await makeTrouble(() => (!pushing && calls() > goal) || broken || late());
  await waitFor(async () => {
    if (broken) throw broken;
    return !pushing && (await ended()) >= pushed;
  }, {
    timeout: Math.max(0, ROUND_MS - (now() - start)), what: `all ${pushed} jobs to end`, now: async () => ({ ended: await ended(), pushing, ...(await waiting()) }),
  });
}

const shown = (list) => `${list.length} complaints:\n${list.slice(0, 20).join('\n')}\nFAULTS_SEED=${SEED} brings the same faults; FAULTS_KEEP=DIR keeps the ledger`;

test(`${JOBS} jobs survive everything (FAULTS_SEED=${SEED})`, async (t) => {
  const start = now();
  do await round(); while (now() - start < SECONDS * 1000);

  const jobs = Array.from({ length: pushed }, (_, n) => n);
  const data = await dataOf(jobs), standing = await places();
  const entries = fs.readFileSync(ledger, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const { complaints, ...seen } = judge({
    jobs, entries, harms, data: (n) => data.get(n), places: (n) => standing.get(idOf(n)) ?? [],
  });
  t.diagnostic(`${((now() - start) / 1000).toFixed(1)} s, ${pushed} jobs: ${JSON.stringify(seen)}`);
  t.diagnostic(`what was done: ${JSON.stringify(done)}`);
  fs.writeFileSync(yard.file('harms'), JSON.stringify(harms));
  if (process.env.FAULTS_KEEP) fs.cpSync(yard.dir, process.env.FAULTS_KEEP, { recursive: true, filter: (name) => !/sock$/.test(name) });

  await t.test('no job is lost, each has one end, each repetition is explained', () => assert.equal(complaints.length, 0, shown(complaints)));
  await t.test('the counters add up', async () => {
    assert.deepEqual(
      { total: await counter('total'), completed: await counter('completed'), failed: await counter('failed') },
      { total: pushed, completed: seen.completed, failed: seen.failed });
    const daily = await Promise.all((await redis.keys('peygir:stats:daily:*')).map((key) => redis.hgetall(key)));
    const sum = (name) => daily.reduce((all, day) => all + Number(day[name] ?? 0), 0);
    assert.deepEqual([sum('tasks_completed'), sum('tasks_failed')], [seen.completed, seen.failed]);
    assert.ok((await counter('retried')) >= seen.retried, `${await counter('retried')} retried, the ledger has ${seen.retried}`);
  });
  await t.test('peygir queue check finds nothing', async () => {
    const { code, stdout, stderr } = await yard.peygir('queue', 'check');
    assert.equal(code, 0, stdout + stderr);
  });
  await t.test('no worker ended by itself, and none is hurt', async () => {
    for (const { child, number } of workers) assert.ok(child.alive, yard.log(`worker-${number}`));
    const said = fs.readdirSync(yard.dir).filter((name) => /^worker-/.test(name))
      .map((name) => fs.readFileSync(yard.file(name), 'utf8')).join('');
    assert.doesNotMatch(said, /Sanitizer|runtime error:/);
  });
});
