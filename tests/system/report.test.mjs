// report.test.mjs: health and statistics: the command line, the host site's monitor and Prometheus are told the same.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { OCR } from '../lib/demo.mjs';
import { start, waitFor } from '../lib/peygir.mjs';
import { bearers } from '../lib/programs.mjs';
import { Visitor } from '../lib/visitor.mjs';

let peygir, bearer;
const monitor = (role = 'site') => new Visitor(peygir.base, { headers: bearer[role] });
const metrics = async () => (await fetch(`${peygir.base}/metrics`)).text();
const figure = async (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await metrics())?.[1]);

before(async () => {
  peygir = await start();
  bearer = await bearers(peygir);
});
after(() => peygir?.stop());

describe('/api/internal/health', () => {
  test('has one overall word and the checks of peygir health', async () => {
    const answer = await monitor().get('/api/internal/health');
    assert.equal(answer.status, 200, answer.html);
    const health = answer.json, said = await peygir.cliJson('health');
    assert.equal(health.status, said.status);
    const names = ({ checks }) => checks.map(({ check }) => check).filter((check) => check !== 'job types');
    assert.deepEqual(names(health), names(said));
    for (const check of ['redis', 'eviction', 'memory', 'persistence', 'workers', 'queue']) assert.ok(names(health).includes(check), check);
  });

  test('warns of what is wrong, and says what to do', async () => {
    assert.equal((await peygir.cli('queue', 'pause', '--message', 'moving house')).code, 0);
    const { status, checks } = await monitor().json('/api/internal/health');
    assert.equal((await peygir.cli('queue', 'resume')).code, 0);
    assert.equal(status, 'warning');
    assert.match(checks.find(({ check }) => check === 'paused').detail, /task is paused \(moving house\); peygir queue resume task/);
  });

  test('tells that a source wishes to be left alone', async () => {
    const crypto = async () => (await monitor().json('/api/internal/health')).checks.find(({ check }) => check === 'source crypto');
    assert.equal((await crypto()).status, 'ok');
    await peygir.redis.set('peygir:source:crypto:rest', '1', 'PX', 60_000);
    const told = await crypto(), figures = await metrics();
    await peygir.redis.del('peygir:source:crypto:rest');
    assert.equal(told.status, 'warning');
    assert.match(told.detail, /left alone for (59|60) s more/);
    assert.match(figures, /^peygir_health\{check="source crypto",about="crypto"\} 1$/m);
    assert.match(figures, /^peygir_health\{check="workers",about=""\} 0$/m);
    assert.match(figures, /^peygir_redis_memory_bytes [1-9]\d+$/m);
  });

  test('is for the host site alone', async () => {
    for (const path of ['/api/internal/health', '/api/internal/stats']) {
      assert.equal((await monitor('bot').get(path)).status, 403);
      assert.equal((await new Visitor(peygir.base).get(path)).status, 401);
    }
  });
});

describe('/api/internal/stats', () => {
  test('counts jobs, sessions and keys as peygir stats and /metrics do', async () => {
    const before = await monitor().json('/api/internal/stats');
    const visitor = peygir.visitor();
    const hash = await visitor.request(OCR, { file_id: 'scan', language: 'en' });
    await peygir.status(hash, 'completed');
    await visitor.view(hash);
    const now = () => monitor().json('/api/internal/stats');
    const stats = await waitFor(async () => {
      await visitor.view(hash); // what was counted is told with a later check
      const stats = await now();
      return stats.sessions_checked > before.sessions_checked && stats.tasks_completed > before.tasks_completed && stats;
    }, { what: 'the counters to move' });
    assert.equal(stats.sessions_made, before.sessions_made + 1);
    assert.ok(stats.tasks_total > before.tasks_total);
    const queue = stats.queues.find(({ queue }) => queue === 'task');
    assert.deepEqual([queue.waiting, queue.active, queue.workers], [0, 0, 1]);
    const families = Object.fromEntries(stats.keys.map(({ family, about }) => [family, about]));
    assert.ok(families.guards >= 1 && families.jobs >= 1 && stats.keys_total >= 5, JSON.stringify(stats.keys));
    assert.equal((await peygir.cliJson('stats')).sessions_made, stats.sessions_made);
    assert.equal(await figure('peygir_sessions_made_total'), stats.sessions_made);
    assert.ok((await figure('peygir_tasks_total')) >= stats.tasks_total);
    assert.equal(await figure('peygir_jobs\\{queue="task",state="waiting"\\}'), 0);
    const { stdout } = await peygir.cli('stats');
    assert.match(stdout, /^sessions_made +\d+$/m);
    assert.match(stdout, /^QUEUE +WAITING/m);
    assert.match(stdout, /^guards +\d+$/m);
  });
});

describe('Servers of their own for sessions and cache', () => {
  let other, house;
  before(async () => {
    house = await start(); // whose Redis is the second server
    other = await start({ env: { REDIS_SESSION_URL: `unix://${house.file('redis.sock')}?db=5`, REDIS_CACHE_URL: `unix://${house.file('redis.sock')}?db=6` } });
  });
  after(async () => {
    await other?.stop();
    await house?.stop();
  });

  test('are looked at as well; sessions that are away are a failure, a cache that is away a warning', async () => {
    const checks = async () => Object.fromEntries(JSON.parse((await other.cli('--json', 'health')).stdout).checks.map(({ check, status }) => [check, status]));
    const well = await checks();
    assert.deepEqual([well.sessions, well.cache], ['ok', 'ok']);
    await house.stop();
    const away = await checks();
    assert.deepEqual([away.redis, away.sessions, away.cache], ['ok', 'failed', 'warning']);
  });
});
