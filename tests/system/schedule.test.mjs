// schedule.test.mjs: job types that a worker reads from their files, and jobs that it pushes by the clock. No test
// waits for a tick: one is made due by writing back what is remembered in Redis, and a worker looks when it starts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD, SOURCE, isAlive, start, tempDir, waitFor } from '../lib/peygir.mjs';

const DAY_MS = 86_400_000;
const YEARLY = '0 0 1 1 *';

let peygir;

const types = {
  yearly: { handler: 'none', schedule: { cron: YEARLY, time_zone: 'Asia/Tehran', payload: { for: 'tests' } } },
  skipping: { handler: 'none', schedule: { cron: YEARLY, missed: 'skip' } },
  aside: { handler: 'none', queue: 'a_queue_of_its_own', priority: 9 },
};

const putTypes = (dir, all) => {
  for (const [name, type] of Object.entries(all)) {
    fs.writeFileSync(path.join(dir, `${name}.json`), JSON.stringify(type));
  }
};

// As if the last look had been more than a year ago.
const putBack = (type) => peygir.redis.hset('peygir:schedule', type, Date.now() - 367 * DAY_MS);

async function restartWorker() {
  const old = peygir.kill('worker', 'SIGTERM');
  await waitFor(() => !isAlive(old), { what: 'the old worker to end' });
}

const jobs = async (pattern) => (await peygir.redis.keys(pattern)).sort();

const completed = (key) =>
  waitFor(async () => (await peygir.redis.hget(key, 'status')) === 'completed', { what: `${key} to be completed` });

before(async () => {
  peygir = await start({ services: (dir) => putTypes(path.join(dir, '../jobs'), types) });
});
after(() => peygir?.stop());

describe('by the clock', () => {
  test('a worker begins each schedule with the first tick after its start', async () => {
    await waitFor(async () => (await peygir.redis.hget('peygir:schedule', 'yearly:line')) === `${YEARLY}|Asia/Tehran`);
    assert.equal(await peygir.redis.hget('peygir:schedule', 'skipping:line'), `${YEARLY}|UTC`);
    assert.deepEqual(await jobs('peygir:*:data:schedule:*'), []);
  });

  test('a tick that was missed while no worker ran is run once, or skipped, as the type says', async () => {
    await putBack('yearly');
    await putBack('skipping');
    await restartWorker();
    const [key, ...others] = await waitFor(async () => {
      const found = await jobs('peygir:task:data:schedule:yearly:*');
      return found.length > 0 && found;
    });
    await completed(key);
    assert.deepEqual(others, []);
    const job = await peygir.redis.hgetall(key);
    assert.equal(job.type, 'yearly');
    const tick = Number(key.split(':').at(-1)) * 1000;
    assert.equal(new Date(tick).toISOString().slice(4), '-12-31T20:30:00.000Z', 'midnight in Tehran');
    await waitFor(async () => Number(await peygir.redis.hget('peygir:schedule', 'yearly')) === tick);
    const skipped = async () => Number(await peygir.redis.hget('peygir:schedule', 'skipping'));
    await waitFor(async () => (await skipped()) > Date.now() - 367 * DAY_MS);
    await restartWorker();
    await waitFor(async () => (await peygir.redis.zcard('peygir:workers')) > 0);
    assert.deepEqual(await jobs('peygir:*:data:schedule:*'), [key]);
  });
});

describe('by hand', () => {
  test('peygir schedule run pushes a job of the type, and a worker carries it out', async () => {
    const { id } = await peygir.cliJson('schedule', 'run', 'yearly');
    assert.match(id, /^schedule:yearly:\d{13}$/);
    await completed(`peygir:task:data:${id}`);
  });

  test('a worker that was given no queues works on every queue that a type names', async () => {
    const { id } = await peygir.cliJson('schedule', 'run', 'aside');
    await completed(`peygir:a_queue_of_its_own:data:${id}`);
  });

  test('a type that does not exist is refused', async () => {
    const { code, stderr } = await peygir.cli('schedule', 'run', 'nothing');
    assert.equal(code, 1);
    assert.match(stderr, /nothing/);
  });
});

describe('a wrong file stops the start-up', () => {
  const worker = (dir) =>
    new Promise((resolve) => {
      const args = ['--config', '/dev/null', '--set', `PEYGIR_SERVICES_DIR=${SOURCE}/etc/services`];
      args.push('--set', `PEYGIR_LOCALES_DIR=${SOURCE}/www/locales`, '--set', `PEYGIR_JOBS_DIR=${dir}`, '--once');
      execFile(path.join(BUILD, 'peygir-worker'), args, { env: {} }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stderr }),
      );
    });

  const wrong = [
    ['an unknown member', { x: { handler: 'none', quene: 'a' } }, /x\.json: quene: is not known here/],
    ['a cron line', { x: { handler: 'none', schedule: { cron: '0 25 * * *' } } }, /schedule\.cron: The field hour/],
    ['a time zone', { x: { handler: 'none', schedule: { cron: '@daily', time_zone: 'Mars' } } }, /no time zone "Mars"/],
    ['a reserved name', { service: { handler: 'none' } }, /service\.json: /],
  ];
  for (const [what, files, sentence] of wrong) {
    test(what, async () => {
      const dir = tempDir();
      putTypes(dir, { default: { handler: 'http' }, ...files });
      const { code, stderr } = await worker(dir);
      fs.rmSync(dir, { recursive: true });
      assert.equal(code, 78);
      assert.match(stderr, sentence);
    });
  }

  test('no default type', async () => {
    const dir = tempDir();
    const { code, stderr } = await worker(dir);
    fs.rmSync(dir, { recursive: true });
    assert.equal(code, 78);
    assert.match(stderr, /there is no default\.json/);
  });
});
