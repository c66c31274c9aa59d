// cli_token.test.mjs: peygir token …, and services that are closed for a while.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CREDIT, OCR } from '../lib/demo.mjs';
import { BUILD } from '../lib/peygir.mjs';
import { Yard } from '../lib/yard.mjs';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let yard;

before(async () => {
  yard = await Yard.start(BUILD);
});
after(() => yard?.close());

const json = async (...args) => {
  const { code, stdout, stderr } = await yard.peygir('--json', ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
};
const refused = async (status, ...args) => {
  const { code, stdout, stderr } = await yard.peygir(...args);
  assert.equal(code, status, `peygir ${args.join(' ')}: ${stdout}${stderr}`);
  assert.equal(stdout, '');
  return stderr;
};

describe('tokens', () => {
  test('are shown once, alone, and stored as a digest', async () => {
    const { code, stdout, stderr } = await yard.peygir('token', 'create', '--role', 'bot', 'crawler');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^pgt_[A-Za-z0-9_-]{43}\n$/);
    assert.match(stderr, /this once/);
    assert.ok(!stderr.includes(stdout.trim()));
    const digest = createHash('sha256').update(stdout.trim()).digest('hex');
    assert.equal(yard.redis('HGET', `peygir:token:${digest}`, 'role').trim(), 'bot');
    const list = await yard.peygir('--json', 'token', 'list');
    assert.ok(!list.stdout.includes(stdout.trim()));
  });

  test('are JSON for scripts', async () => {
    const answer = await json('token', 'create', '--role=site', 'shop');
    assert.deepEqual(Object.keys(answer), ['token']);
    assert.match(answer.token, /^pgt_/);
  });

  test('are listed in order of name, and revoked', async () => {
    await json('token', 'create', '--role', 'api', 'aaa');
    const list = await json('token', 'list');
    assert.deepEqual(list.map(({ name }) => name), [...list.map(({ name }) => name)].sort());
    const { created_at: created, ...rest } = list[0];
    assert.deepEqual(rest, { name: 'aaa', role: 'api', services: null, callbacks: null, last_used: null });
    assert.match(created, RFC3339);
    assert.match((await yard.peygir('token', 'list')).stdout, /^NAME +ROLE +SERVICES +CALLBACKS +CREATED +LAST USED\naaa +api +- +- +(now|\d+ s ago) +-/);
    assert.deepEqual(await json('token', 'revoke', 'aaa'), { name: 'aaa', revoked: true });
    assert.ok(!(await json('token', 'list')).some(({ name }) => name === 'aaa'));
    assert.match(await refused(1, 'token', 'revoke', 'aaa'), /no token "aaa"/);
  });

  test('need a role, and a name that is free and plain', async () => {
    assert.match(await refused(2, 'token', 'create', 'x'), /--role/);
    assert.match(await refused(2, 'token', 'create', '--role', 'admin', 'x'), /bot api site/);
    assert.match(await refused(2, 'token', 'create', '--role', 'bot'), /NAME/);
    await json('token', 'create', '--role', 'bot', 'taken');
    assert.match(await refused(1, 'token', 'create', '--role', 'api', 'taken'), /taken/);
    await refused(1, 'token', 'create', '--role', 'api', 'not plain');
    assert.match(await refused(1, 'token', 'create', '--role', 'bot', '--service', 'a,,b', 'odd'), /commas/);
  });
});

describe('services', () => {
  const closed = async () => Object.fromEntries((await json('service', 'list')).map((row) => [row.slug, row.closed_message]));

  test('are closed with a message, listed so, and opened again', async () => {
    assert.deepEqual(await closed(), { [CREDIT]: null, [OCR]: null });
    assert.deepEqual(await json('service', 'close', CREDIT, '--message', 'Back at noon'), { slug: CREDIT, closed: true, changed: true });
    assert.deepEqual(await closed(), { [CREDIT]: 'Back at noon', [OCR]: null });
    assert.match((await yard.peygir('service', 'list')).stdout, /credit-score-rating .*yes +Back at noon/);
    assert.equal((await json('stats')).closed_services, 1);
    const health = await yard.peygir('--json', 'health');
    assert.match(JSON.parse(health.stdout).checks.find(({ check }) => check === 'closed').detail, /credit-score-rating is closed: Back at noon/);
    assert.deepEqual(await json('service', 'open', CREDIT), { slug: CREDIT, closed: false, changed: true });
    assert.equal((await json('service', 'open', CREDIT)).changed, false);
    assert.deepEqual(await closed(), { [CREDIT]: null, [OCR]: null });
  });

  test('must exist, and say why they are closed', async () => {
    assert.match(await refused(1, 'service', 'close', 'nonsense', '--message', 'x'), /no service "nonsense"/);
    assert.match(await refused(1, 'service', 'open', 'nonsense'), /no service "nonsense"/);
    assert.match(await refused(2, 'service', 'close', CREDIT), /--message/);
    await refused(1, 'service', 'close', CREDIT, '--message', 'x'.repeat(501));
  });

  test('are listed without Redis too, with a note', async () => {
    const { code, stdout, stderr } = await yard.command('peygir', ['--config', '/dev/null', '--json', 'service', 'list'], { REDIS_URL: 'unix:///nowhere/redis.sock' });
    assert.equal(code, 0);
    assert.match(stderr, /not known/);
    assert.deepEqual(JSON.parse(stdout).map((row) => row.closed), [null, null]);
  });
});
