// cli_schedule.test.mjs: peygir schedule …: what runs by the clock, when, and now.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BUILD, program, waitFor } from '../lib/peygir.mjs';
import { Yard } from '../lib/yard.mjs';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NONE = { handler: 'none' };
const DAY_MS = 86_400_000;

let yard;

before(async () => {
  yard = await Yard.start(BUILD, {
    jobs: {
      default: NONE,
      hourly: { ...NONE, schedule: { cron: '@hourly' } },
      nightly: { ...NONE, queue: 'night', schedule: { cron: '30 2 * * *', time_zone: 'Asia/Tehran', missed: 'skip', payload: { n: 1 } } },
    },
  });
});
after(() => yard?.close());

const json = async (...args) => {
  const { code, stdout, stderr } = await yard.peygir('--json', ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
};
const refused = async (...args) => {
  const { code, stdout, stderr } = await yard.peygir(...args);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  return stderr;
};

test('types that run by the clock are listed with their next time', async () => {
  const list = await json('schedule', 'list');
  assert.deepEqual(list.map(({ type }) => type), ['hourly', 'nightly']);
  const [hourly, nightly] = list;
  assert.deepEqual([hourly.cron, hourly.time_zone, hourly.missed, hourly.queue, hourly.last_at], ['@hourly', 'UTC', 'run', 'task', null]);
  assert.match(hourly.next_at, /^\S+:00:00\.000Z$/);
  assert.ok(Date.parse(hourly.next_at) - Date.now() <= DAY_MS / 24);
  assert.deepEqual([nightly.time_zone, nightly.missed, nightly.queue], ['Asia/Tehran', 'skip', 'night']);
  assert.match((await yard.peygir('schedule', 'list')).stdout, /hourly +@hourly +UTC +run +- +in \d+ (min|s|ms)/);
});

test('the next times of one type are told in its own zone', async () => {
  const ticks = await json('schedule', 'next', 'nightly', '--count', '3');
  assert.equal(ticks.length, 3);
  for (const { type, at, local, time_zone: zone } of ticks) {
    assert.equal(type, 'nightly');
    assert.match(at, /T23:00:00\.000Z$/);
    assert.match(local, /^\d{4}-\d\d-\d\d 02:30 \+03:30$/);
    assert.equal(zone, 'Asia/Tehran');
  }
  assert.equal(Date.parse(ticks[2].at) - Date.parse(ticks[0].at), 2 * DAY_MS);
});

test('the next times of all come in order, and need no Redis', async () => {
  const { code, stdout, stderr } = await yard.command('peygir', ['--config', '/dev/null', '--json', 'schedule', 'next', '--count', '30'],
    { REDIS_URL: 'unix:///nowhere/redis.sock' });
  assert.equal(code, 0, stderr);
  const ticks = JSON.parse(stdout);
  assert.equal(ticks.length, 30);
  assert.deepEqual(ticks.map(({ at }) => at), ticks.map(({ at }) => at).sort());
  assert.deepEqual([...new Set(ticks.map(({ type }) => type))].sort(), ['hourly', 'nightly']);
  assert.ok(ticks.every(({ at }) => RFC3339.test(at)));
});

test('a type is run now, whatever the clock says, and prints the id of its job', async () => {
  const { id } = await json('schedule', 'run', 'nightly');
  assert.match(id, /^schedule:nightly:\d+$/);
  const shown = await json('queue', 'show', id);
  assert.deepEqual([shown.queue, shown.type, shown.place], ['night', 'nightly', 'queue']);
  const worker = yard.worker({ args: ['night'] });
  await waitFor(async () => (await json('queue', 'show', id)).status === 'completed', { what: 'the job to be carried out' });
  await worker.end();
  assert.match((await yard.peygir('schedule', 'run', 'hourly')).stdout, /^schedule:hourly:\d+\n$/);
});

test('what is not there or has no schedule is said so', async () => {
  assert.match(await refused('schedule', 'next', 'nonsense'), /no job type "nonsense"/);
  assert.match(await refused('schedule', 'next', 'default'), /"default" has no schedule/);
  assert.match(await refused('schedule', 'run', 'nonsense'), /nonsense/);
});

test('a wrong file of a job type ends these verbs with 78', async () => {
  const { code, stderr } = await program('peygir', ['--config', '/dev/null', 'schedule', 'next'], { PEYGIR_JOBS_DIR: '/nowhere' });
  assert.equal(code, 78);
  assert.match(stderr, /nowhere/);
});
