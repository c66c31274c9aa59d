// exec.test.mjs: job types whose jobs are local programs: what they are given, what they say, and that nothing of them is left.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isAlive, start, waitFor } from '../lib/peygir.mjs';

const sh = (script, more = {}) => ({ handler: 'exec', command: ['sh', '-c', script], tries: 1, ...more });

// Descriptors beside stdin, stdout and stderr that the program has.
const OPEN =
  'for f in /proc/$$/fd/*; do [ "${f##*/}" -gt 2 ] && [ -e "$f" ] && all="$all $(readlink "$f")"; done; echo "{\\"result\\":\\"$all\\"}"';

const TYPES = {
  echo: sh('read -r line; echo "{\\"progress\\":40,\\"message\\":\\"reading\\"}"; echo "line for the log" >&2; printf "{\\"result\\":%s}\\n" "$line"'),
  where: sh('printf "{\\"result\\":{\\"directory\\":\\"%s\\",\\"word\\":\\"%s\\",\\"names\\":\\"%s\\"}}" "$PWD" "$WORD" "$(env | cut -d= -f1 | sort | tr "\\n" " ")"',
    { directory: '/usr', environment: { WORD: 'of its type' } }),
  open: sh(OPEN),
  refuses: sh('echo \'{"error":{"code":"no_such_page","message":"There is no page 7.","retryable":false}}\'; exit 1', { tries: 3 }),
  breaks: sh('exit 3'),
  missing: { handler: 'exec', command: ['no-such-program'], tries: 1 },
  twice: sh('[ "$PEYGIR_RUN" -gt 1 ] && exec echo \'{"result":"second"}\'; exit 4', { tries: 2, backoff: [1] }),
  hangs: sh('sleep 1000 & echo "{\\"message\\":\\"$$ $!\\"}"; wait', { timeout: 1 }),
  waits: sh('sleep 1000 & echo "{\\"message\\":\\"$$ $!\\"}"; wait'),
  orphaned: sh('[ "$PEYGIR_RUN" -gt 1 ] && exec echo \'{"result":"by the next worker"}\'; sleep 1000 & echo "{\\"message\\":\\"$$ $!\\"}"; wait'),
  resumes: sh('[ "$PEYGIR_RUN" -gt 1 ] && exec echo \'{"result":"by the next worker"}\'; echo "{\\"message\\":\\"$$\\"}"; sleep 1000'),
};

let peygir;
let count = 0;

const data = (id) => peygir.redis.hgetall(`peygir:task:data:${id}`);

async function push(type, payload = {}) {
  const id = `exec-${++count}`;
  await peygir.redis.hset(`peygir:task:data:${id}`, { type, payload: JSON.stringify(payload), status: 'pending' });
  await peygir.redis.lpush('peygir:task:queue', id);
  return id;
}

const ended = (id, ...wanted) =>
  waitFor(
    async () => {
      const job = await data(id);
      return wanted.includes(job.status) && job;
    },
    { timeout: 20_000, what: `job ${id} to be ${wanted.join(' or ')}`, now: () => data(id) },
  );

async function completed(type, payload) {
  const id = await push(type, payload);
  const job = await ended(id, 'completed', 'failed');
  assert.equal(job.status, 'completed', job.error);
  return JSON.parse(job.result);
}

// What the running program has said last.
const said = (id) => waitFor(async () => (await data(id)).message, { what: `job ${id} to say something` });

before(async () => {
  peygir = await start({
    env: { PEYGIR_DEMO: 'off', TZ: 'UTC', SECRET_OF_THE_WORKER: 'x' },
    services: (dir) => {
      const jobs = path.join(dir, '../jobs');
      for (const [name, type] of Object.entries(TYPES)) fs.writeFileSync(path.join(jobs, `${name}.json`), JSON.stringify(type));
    },
  });
});
after(() => peygir?.stop());

describe('a job that is a program', () => {
  test('gets job and payload as one line of JSON, and its result is the job\'s', async () => {
    const payload = { page: 7, text: 'سلام "world"', nested: [1, { a: null }] };
    const result = await completed('echo', payload);
    assert.deepEqual(result.payload, payload);
    assert.equal(result.job.type, 'echo');
    assert.equal(result.job.attempt, 1);
  });

  test('says how far it is, and its stderr is in the log with the id of the job', async () => {
    const id = await push('echo');
    const job = await ended(id, 'completed');
    assert.equal(job.message, 'reading');
    await waitFor(() => peygir.log('worker').includes(`the program says: line for the log job=${id}\n`));
  });

  test('runs where its type says, with the variables of its type and few others', async () => {
    const { directory, word, names } = await completed('where');
    assert.equal(directory, '/usr');
    assert.equal(word, 'of its type');
    const known = /^(PATH|HOME|LANG|LC_\w+|TZ|PEYGIR_JOB|PEYGIR_RUN|PEYGIR_TYPE|WORD|PWD|OLDPWD|SHLVL|_)$/;
    assert.deepEqual(names.trim().split(' ').filter((name) => !known.test(name)), []);
  });

  test('has no descriptor of the worker\'s own', async () => {
    assert.deepEqual(await completed('open'), { value: '' });
  });

  test('an error of its own that no repetition helps fails the job at once', async () => {
    const id = await push('refuses');
    const job = await ended(id, 'failed');
    assert.match(job.error, /no_such_page/);
    assert.notEqual(await peygir.redis.zscore('peygir:task:failed', id), null);
    assert.equal(job.run, '1');
  });

  test('a status that is not 0, and a program that is not there, are said in the job', async () => {
    const [broken, missing] = [await push('breaks'), await push('missing')];
    assert.match((await ended(broken, 'failed')).error, /The program ended with status 3\./);
    assert.match((await ended(missing, 'failed')).error, /The program no-such-program of the job type missing was not found in PATH\./);
  });

  test('is tried again as its type says', async () => {
    assert.deepEqual(await completed('twice'), { value: 'second' });
  });

  test('a time-out ends its whole process group', async () => {
    const id = await push('hangs');
    const pids = (await said(id)).split(' ').map(Number);
    assert.ok(pids.every(isAlive));
    const job = await ended(id, 'failed');
    assert.match(job.error, /time/);
    await waitFor(() => !pids.some(isAlive), { what: 'the processes to be gone' });
  });

  test('cancelling the job ends its whole process group, and it is not tried again', async () => {
    const id = await push('waits');
    const pids = (await said(id)).split(' ').map(Number);
    const { code, stderr } = await peygir.cli('queue', 'cancel', id);
    assert.equal(code, 0, stderr);
    await waitFor(() => !pids.some(isAlive), { what: 'the processes to be gone' });
    assert.equal((await ended(id, 'cancelled')).run, '1');
  });

  test('a worker that stops ends it and gives the job back; the next worker runs it', async () => {
    const id = await push('resumes');
    const pid = Number(await said(id));
    const worker = peygir.kill('worker', 'SIGTERM');
    await waitFor(() => !isAlive(worker), { timeout: 10_000 });
    assert.equal(isAlive(pid), false);
    const job = await ended(id, 'completed');
    assert.deepEqual(JSON.parse(job.result), { value: 'by the next worker' });
    assert.equal(job.attempts ?? '0', '0');
  });

  test('a worker that is killed outright takes its whole process group along, before the next worker runs it', async () => {
    const id = await push('orphaned');
    const pids = (await said(id)).split(' ').map(Number);
    assert.ok(pids.every(isAlive));
    peygir.kill('worker', 'SIGKILL');
    await waitFor(() => !pids.some(isAlive), { timeout: 10_000, what: 'the processes to be gone' });
    assert.equal((await data(id)).run, '1');
    const job = await waitFor(async () => (await data(id)).status === 'completed' && data(id), { timeout: 40_000, what: 'the next run' });
    assert.deepEqual(JSON.parse(job.result), { value: 'by the next worker' });
    assert.equal(job.deaths, '1');
  });
});
