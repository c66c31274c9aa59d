// redis_users.test.mjs: each program is a user of Redis who can do its own work and nothing else, under any prefix; and
// `peygir redis check`, /readyz and `peygir health` say what is wrong with a server. (That no program lacks a right, every other test
// sees as well: stop() complains about what Redis refused.)
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import Redis from 'ioredis';
import { CODE, OCR, enter, untilCode } from '../lib/demo.mjs';
import { start } from '../lib/peygir.mjs';

const PROGRAMS = ['web', 'worker', 'push', 'admin', 'bot'];

const passwordOf = (peygir, program) => fs.readFileSync(peygir.file('users.acl'), 'utf8').match(new RegExp(`^user peygir-${program} on >(\\S+)`, 'm'))[1];
const urlOf = (peygir, program) => `unix://${peygir.file('redis.sock')}?db=0&user=peygir-${program}&password=${passwordOf(peygir, program)}`;

// A connection as that program has it.
async function as(peygir, program, fn) {
  const client = new Redis({ path: peygir.file('redis.sock'), username: `peygir-${program}`, password: passwordOf(peygir, program), enableReadyCheck: false });
  try {
    return await fn(client);
  } finally {
    client.disconnect();
  }
}

async function refuses(peygir, program, commands) {
  await as(peygir, program, async (client) => {
    for (const command of commands) await assert.rejects(client.call(...command), /NOPERM/, `${program}: ${command.join(' ')}`);
  });
  await peygir.redis.acl('LOG', 'RESET');
}

for (const prefix of ['peygir', '{shop-2}.x']) {
  describe(`with the prefix ${prefix}`, () => {
    let peygir;
    before(async () => {
      peygir = await start({ env: prefix === 'peygir' ? {} : { PEYGIR_PREFIX: prefix } });
    });
    after(() => peygir?.stop());

    test('every program is a user of its own', async () => {
      await peygir.visitor().get('/requests');
      const users = new Set([...(await peygir.redis.client('LIST')).matchAll(/ name=(\S*) .* user=(\S+)/g)].map(([, name, user]) => `${name} ${user}`));
      for (const pair of ['peygir-web peygir-web', 'peygir-worker peygir-worker', 'peygir-worker-feed peygir-worker', 'peygir-push-feed peygir-push']) assert.ok(users.has(pair), pair);
      assert.equal((fs.statSync(peygir.file('users.acl')).mode & 0o777).toString(8), '600');
    });

    test('requests go through all their states, and the command line does its work', async () => {
      const visitor = peygir.visitor();
      const hash = await untilCode(peygir, visitor);
      await enter(visitor, hash, CODE);
      await peygir.status(hash, 'completed');
      const other = await visitor.request(OCR, { file_id: 'file-now', language: 'fa' });
      await peygir.status(other, 'completed');
      assert.ok((await peygir.redis.keys(`${prefix}:*`)).length > 0);
      for (const verb of [['queue', 'stats'], ['request', 'list'], ['failed', 'list'], ['schedule', 'list'], ['stats'], ['queue', 'check'], ['token', 'list'], ['request', 'cleanup', '--dry-run']]) {
        const { code, stderr } = await peygir.cli(...verb);
        assert.equal(code, 0, `${verb.join(' ')}: ${stderr}`);
      }
      assert.deepEqual(await peygir.refusals(), []);
    });

    test('a queue whose jobs may only begin so often is taken from all the same', async () => {
      const { code, stderr } = await peygir.cli('queue', 'limit', '--per', '1000/60');
      assert.equal(code, 0, stderr);
      await peygir.status(await peygir.visitor().request(OCR, { file_id: 'file-now', language: 'fa' }), 'completed');
      assert.equal((await peygir.cli('queue', 'limit', '--none')).code, 0);
      assert.deepEqual(await peygir.refusals(), []);
    });

    test('`peygir redis check` tries all that each program does, and leaves nothing behind', async () => {
      for (const program of PROGRAMS) {
        const { code, stdout, stderr } = await peygir.cli('--set', `REDIS_URL=${urlOf(peygir, program)}`, '--json', 'redis', 'check', '--program', program);
        assert.equal(code, 0, stdout + stderr);
        assert.ok(JSON.parse(stdout).every(({ status }) => status === 'ok'), stdout);
      }
      assert.equal((await peygir.cli('redis', 'check')).code, 0);
      assert.deepEqual(await peygir.refusals(), []);
      assert.deepEqual(await peygir.redis.keys('*check-*'), []);
    });
  });
}

describe('a program that was taken over', () => {
  let peygir;
  before(async () => {
    peygir = await start();
  });
  after(() => peygir?.stop());

  const server = [['FLUSHALL'], ['FLUSHDB'], ['KEYS', '*'], ['CONFIG', 'SET', 'dir', '/tmp'], ['CONFIG', 'GET', '*'], ['ACL', 'LIST'], ['ACL', 'SETUSER', 'x'], ['SHUTDOWN', 'NOSAVE'],
    ['MONITOR'], ['REPLICAOF', 'h', '1'], ['MODULE', 'LIST'], ['SAVE'], ['CLIENT', 'KILL', 'TYPE', 'normal'], ['SCRIPT', 'FLUSH'], ['FUNCTION', 'LIST'], ['MIGRATE', 'h', '1', 'k', '0', '1'], ['SWAPDB', '0', '1']];

  for (const program of PROGRAMS) {
    test(`cannot change, read or empty the server: ${program} (ASVS v4.0.3-1.2.2)`, () => refuses(peygir, program, server));
  }

  test('as web it reaches neither schedules nor locks, nor the list of tokens', () => refuses(peygir, 'web', [
    ['SCAN', '0'], ['HGETALL', 'peygir:schedule'], ['SET', 'peygir:lock:x', '1'], ['HGETALL', 'peygir:tokens'], ['HSET', 'peygir:tokens', 'x', 'y'], ['ZADD', 'peygir:workers', '1', 'x'],
    ['HSET', 'peygir:services:closed', 'x', 'y'], ['SET', 'peygir:task:paused', 'x'], ['GET', 'other:key'], ['PUBLISH', 'peygir:workers:restart', '1'], ['SUBSCRIBE', 'local_request_updates:x']]));

  test('as worker it makes neither session nor token, and reaches neither administrators nor limits', () => refuses(peygir, 'worker', [
    ['SCAN', '0'], ['SET', 'peygir:session:x', '{}'], ['GET', 'peygir:ticket:x'], ['HGETALL', 'peygir:users'], ['HGETALL', 'peygir:admin_session:x'], ['HGETALL', 'peygir:tokens'], ['HSET', 'peygir:token:x', 'role', 'site'], ['GET', 'peygir:limit:read:x'],
    ['GET', 'other:key'], ['SUBSCRIBE', 'other']]));

  test('as push it changes no job, reaches neither the list of tokens nor an administrator, and tells nobody but who looks at a request', () => refuses(peygir, 'push', [
    ['SCAN', '0'], ['LPUSH', 'peygir:task:queue', 'x'], ['HSET', 'peygir:task:data:x', 'y', 'z'], ['HGETALL', 'peygir:tokens'], ['HSET', 'peygir:tokens', 'x', 'y'], ['GET', 'peygir:ticket:x'], ['HGET', 'peygir:users', 'x'], ['GET', 'other:key'], ['PUBLISH', 'peygir:notifications', 'x'],
    ['SUBSCRIBE', 'other'], ['LRANGE', 'local_requests_list', '0', '-1'], ['GET', 'peygir:schedule']]));

  test('as bot it reaches requests alone', () => refuses(peygir, 'bot', [
    ['GET', 'peygir:session:x'], ['LRANGE', 'peygir:task:queue', '0', '-1'], ['HGETALL', 'peygir:task:data:x'], ['LRANGE', 'local_requests_list', '0', '-1'], ['PUBLISH', 'peygir:notifications', 'x'],
    ['EVAL', 'return redis.call("GET", KEYS[1])', '1', 'peygir:session:x']]));
});

describe('what is wrong with a server is said', () => {
  let peygir;
  before(async () => {
    peygir = await start();
  });
  after(() => peygir?.stop());

  test('a missing right: the command, the user\'s complaint, status 1', async () => {
    await peygir.redis.acl('SETUSER', 'peygir-web', '-lpush', '%R~peygir:session:*');
    const { code, stdout } = await peygir.cli('--set', `REDIS_URL=${urlOf(peygir, 'web')}`, '--json', 'redis', 'check', '--program', 'web');
    await peygir.redis.acl('LOAD');
    await peygir.redis.acl('LOG', 'RESET');
    assert.equal(code, 1);
    const bad = JSON.parse(stdout).filter(({ status }) => status === 'failed');
    assert.ok(bad.length >= 2, stdout);
    for (const { detail } of bad) assert.match(detail, /^LPUSH peygir:\S+ check: .*check its ACL.*'lpush'/);
  });

  test('a policy that drops keys and no persistence: a warning of redis check, health and /readyz, which go on being well', async () => {
    await peygir.redis.config('SET', 'maxmemory', '500mb', 'maxmemory-policy', 'allkeys-lru', 'appendonly', 'no');
    const check = await peygir.cli('--json', 'redis', 'check');
    const health = await peygir.cliJson('health');
    const ready = await peygir.visitor().get('/readyz');
    await peygir.redis.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction', 'appendonly', 'yes');
    assert.equal(check.code, 0);
    const rows = JSON.parse(check.stdout);
    assert.match(rows.find((row) => row.check === 'eviction').detail, /allkeys-lru.*noeviction/);
    assert.equal(rows.find((row) => row.check === 'persistence').status, 'warning');
    assert.equal(health.status, 'warning');
    assert.equal(ready.status, 200);
    assert.deepEqual(ready.json.warnings, ['eviction', 'persistence'], 'which, and to nobody what');
    assert.equal((await peygir.visitor().get('/readyz')).json.warnings, undefined);
  });

  test('a server that takes no writes, and one that is not there', async () => {
    await peygir.redis.replicaof('127.0.0.1', '1');
    const replica = await peygir.cli('--json', 'redis', 'check');
    await peygir.redis.replicaof('NO', 'ONE');
    assert.equal(replica.code, 1);
    assert.match(JSON.parse(replica.stdout).find((row) => row.check === 'role').detail, /replica.*primary/);
    const gone = await peygir.cli('--set', 'REDIS_URL=unix:///nowhere/redis.sock', 'redis', 'check');
    assert.equal(gone.code, 69);
    assert.match(gone.stderr, /nowhere/);
  });
});
