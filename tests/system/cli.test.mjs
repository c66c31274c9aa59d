// cli.test.mjs: the administrator's command line, and what every program says about its options.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CREDIT, GOOD, OCR, misdeed, untilCode } from '../lib/demo.mjs';
import { BUILD, SOURCE, command, program, start, tempDir, waitFor } from '../lib/peygir.mjs';

const NOBODY = `req_${'0'.repeat(26)}`;

let peygir;

before(async () => {
  peygir = await start({ env: { REDIS_PASSWORD: '', WORKER_BACKOFF: '0' } });
});
after(() => peygir?.stop());

const ok = async (...args) => {
  const { code, stdout, stderr } = await peygir.cli(...args);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  return stdout;
};

describe('requests', () => {
  test('are listed newest first, as a table and as JSON', async () => {
    const visitor = peygir.visitor();
    const first = await visitor.request(OCR, { file_id: 'file-now', language: 'fa' });
    await peygir.status(first, 'completed');
    const second = await untilCode(peygir, visitor);
    const list = await peygir.cliJson('request', 'list');
    assert.deepEqual(list.slice(0, 2).map(({ hash }) => hash), [second, first]);
    assert.deepEqual(list.slice(0, 2).map(({ status }) => status), ['otp_required', 'completed']);
    assert.equal((await peygir.cliJson('request', 'list', '--limit', '1')).length, 1);
    const [head, ...rows] = (await ok('request', 'list')).split('\n');
    assert.match(head, /^HASH +SERVICE +STATUS/);
    assert.ok(rows[0].startsWith(second));
  });

  test('are shown with their history, personal values masked', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(peygir, visitor);
    const shown = await peygir.cliJson('request', 'show', hash);
    assert.equal(shown.hash, hash);
    assert.equal(shown.history.length, shown.revision);
    assert.equal(shown.history.at(-1).message, shown.current_message, 'a sentence, not the key that is kept');
    assert.doesNotMatch(JSON.stringify(shown.history), /messages\./);
    assert.ok(shown.ttl_seconds > 1700);
    for (const output of [await ok('request', 'show', hash), JSON.stringify(shown), await ok('request', 'list'), await ok('--json', 'request', 'list')]) {
      for (const value of Object.values(GOOD)) assert.ok(!output.includes(value));
      assert.ok(!output.includes((await peygir.guard(hash)).owner), 'nor whose it is');
    }
    assert.match(shown.request_data.mobile, /\*/);
    const open = await visitor.request(OCR, { file_id: 'not-personal', language: 'fa' });
    assert.equal((await peygir.cliJson('request', 'show', open)).request_data.file_id, 'not-personal');
  });

  test('are cancelled, and their running call ends within a second', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('hang'));
    await waitFor(async () => (await peygir.document(hash)).progress === 30);
    assert.deepEqual(await peygir.cliJson('request', 'cancel', hash), { hash, cancelled: true });
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}`, 'status')) === 'cancelled', { timeout: 1500 });
    assert.equal((await visitor.view(hash)).is_cancelled, true);
    assert.equal((await peygir.cliJson('request', 'cancel', hash)).cancelled, false, 'once is enough');
    const done = await visitor.request(OCR, { file_id: 'file-now', language: 'fa' });
    await peygir.status(done, 'completed');
    const refused = await peygir.cli('request', 'cancel', done);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /completed/);
  });

  test('leave nothing behind: cleanup counts first and removes then', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(OCR, { file_id: 'file-now', language: 'fa' });
    await peygir.status(hash, 'completed');
    const living = await visitor.request(OCR, { file_id: 'file-now', language: 'en' });
    await peygir.status(living, 'completed');
    await peygir.redis.del(`local_request:${hash}`);
    const dry = await peygir.cliJson('request', 'cleanup', '--dry-run');
    assert.ok(dry.list_entries >= 1 && dry.companion_keys >= 2);
    assert.equal(await peygir.redis.exists(`{local_request:${hash}}:guard`), 1, 'dry-run changes nothing');
    const wet = await peygir.cliJson('request', 'cleanup');
    assert.equal(wet.list_entries, dry.list_entries);
    assert.equal(await peygir.redis.exists(`{local_request:${hash}}:guard`, `{local_request:${hash}}:events`), 0);
    assert.equal(await peygir.redis.lpos('local_requests_list', hash), null);
    assert.equal(await peygir.redis.exists(`local_request:${living}`, `{local_request:${living}}:guard`), 2);
    assert.equal((await peygir.cliJson('request', 'cleanup')).list_entries, 0);
  });
});

describe('the state of the house', () => {
  test('health is 0 and says what it looked at', async () => {
    const { status, checks } = await peygir.cliJson('health');
    assert.equal(status, 'ok');
    const names = checks.map(({ check }) => check);
    for (const name of ['redis', 'workers', 'queue', 'persistence', 'eviction']) assert.ok(names.includes(name), name);
    assert.match(await ok('health'), /^ok\n/);
  });

  test('health warns about a server that drops keys, and is still 0', async () => {
    await peygir.redis.config('SET', 'maxmemory', '500mb', 'maxmemory-policy', 'allkeys-lru');
    const { status, checks } = await peygir.cliJson('health');
    await peygir.redis.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    assert.equal(status, 'warning');
    assert.match(checks.find(({ check }) => check === 'eviction').detail, /allkeys-lru/);
  });

  test('stats count what was done', async () => {
    const visitor = peygir.visitor();
    const earlier = await peygir.cliJson('stats');
    const hash = await visitor.request(OCR, { file_id: 'file-now', language: 'fa' });
    await peygir.status(hash, 'completed');
    const later = await waitFor(async () => {
      const now = await peygir.cliJson('stats');
      return now.tasks_completed > earlier.tasks_completed && now;
    });
    assert.equal(later.tasks_total, earlier.tasks_total + 1);
    assert.equal(later.workers, 1);
  });

  test('services are listed', async () => {
    const list = await peygir.cliJson('service', 'list');
    assert.deepEqual(list.map(({ slug }) => slug).sort(), [CREDIT, OCR]);
    assert.match(await ok('service', 'check'), /credit-score-rating\.json/);
  });

  test('a check of service files is a list of files, whether each is good, and what is wrong, also with status 1', async () => {
    const dir = tempDir(), good = path.join(servicesDir(), `${OCR}.json`), bad = path.join(dir, 'bad.json');
    fs.writeFileSync(bad, '{}');
    assert.deepEqual(await peygir.cliJson('service', 'check', good), [{ file: good, ok: true, error: null }]);
    const { code, stdout } = await peygir.cli('--json', 'service', 'check', good, bad);
    assert.equal(code, 1);
    const [first, second, ...more] = JSON.parse(stdout);
    assert.deepEqual([first, more], [{ file: good, ok: true, error: null }, []]);
    assert.deepEqual({ ...second, error: typeof second.error }, { file: bad, ok: false, error: 'string' });
    assert.match(second.error, /bad\.json/);
    fs.rmSync(dir, { recursive: true });
  });

  test('health does not call a Redis without maxmemory one whose limit is 0', async () => {
    assert.match((await peygir.cli('health')).stdout, /^memory +ok +\d+ bytes used, no limit$/m);
  });

  test('tables show quotes as they are', async () => {
    const dir = tempDir();
    const file = path.join(dir, `${OCR}.json`);
    fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(path.join(servicesDir(), `${OCR}.json`))), seal: 'maybe' }));
    const { code, stdout } = await peygir.cli('service', 'check', file);
    assert.equal(code, 1);
    assert.match(stdout, /seal: unknown value "maybe"/);
    fs.rmSync(dir, { recursive: true });
  });

  test('config shows every option, where it comes from, and no secret', async () => {
    const list = await peygir.cliJson('config');
    const of = (name) => list.find((row) => row.name === name);
    assert.equal(of('PEYGIR_DEMO_SPEED').value, '20');
    assert.equal(of('PEYGIR_DEMO_SPEED').source, 'file');
    assert.equal(of('PEYGIR_REQUEST_TTL').source, 'default');
    for (const name of ['REDIS_URL', 'REDIS_CACHE_DB', 'LOCAL_API_TIMEOUT', 'PEYGIR_PREFIX', 'REDIS_TASK_QUEUE_PREFIX', 'PEYGIR_LOCALE', 'WEB_THREADS',
      'WORKER_QUEUES', 'SESSION_TTL', 'SESSION_KEYS', 'CRYPTO_API_URL', 'RESPONSE_REMINDER_HOURS', 'COMMISSION_RATE', 'MAIL_URL', 'MAIL_FROM']) {
      assert.ok(of(name), name);
    }
    const secret = { REDIS_PASSWORD: 'hush-hush', REDIS_URL: 'redis://me:hush-hush@127.0.0.1:1/0' };
    const { stdout, code } = await program('peygir', ['--json', 'config'], secret);
    assert.equal(code, 0);
    assert.ok(!stdout.includes('hush-hush'));
  });
});

describe('exit codes and sentences', () => {
  test('1: it could not be done', async () => {
    for (const args of [['request', 'show', NOBODY], ['request', 'cancel', NOBODY], ['request', 'show', 'x']]) {
      const { code, stdout, stderr } = await peygir.cli(...args);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /^peygir: .{10}/);
    }
  });

  test('2: it was asked wrongly', async () => {
    for (const args of [[], ['nonsense'], ['request'], ['request', 'show'], ['request', 'show', NOBODY, NOBODY], ['request', 'list', '--nothing'],
      ['request', 'list', '--limit', 'x'], ['--nothing', 'config']]) {
      const { code, stdout, stderr } = await peygir.cli(...args);
      assert.equal(code, 2, `peygir ${args.join(' ')}`);
      assert.equal(stdout, '');
      assert.ok(stderr.length > 0);
    }
  });

  test('69: Redis cannot be reached', async () => {
    for (const args of [['health'], ['stats'], ['request', 'list'], ['request', 'cleanup']]) {
      const { code, stderr } = await program('peygir', args, { REDIS_URL: 'unix:///nowhere/redis.sock', PEYGIR_SERVICES_DIR: servicesDir() });
      assert.equal(code, 69, stderr);
      assert.match(stderr, /nowhere/);
    }
  });

  test('78: the configuration is wrong, in a sentence that names option, value and what is accepted', async () => {
    const cases = [
      [{ PEYGIR_NONSENSE: '1' }, /PEYGIR_NONSENSE/],
      [{ WORKER_CONCURRENCY: 'many' }, /WORKER_CONCURRENCY.*many/],
      [{ WORKER_CONCURRENCY: '0' }, /WORKER_CONCURRENCY.*0/],
      [{ PEYGIR_REQUEST_TTL: '-5' }, /PEYGIR_REQUEST_TTL.*-5/],
      [{ SESSION_KEYS: 'open' }, /SESSION_KEYS.*open.*hashed.*plain/s],
      [{ REDIS_URL: 'http://me:hush@x' }, /REDIS_URL(?!.*hush).*redis:\/\//s], // its value may hold a password
      [{ PEYGIR_LOG_LEVEL: 'loud' }, /PEYGIR_LOG_LEVEL.*loud.*error/s],
      [{ LOCAL_API_URL: 'ftp://x' }, /LOCAL_API_URL.*ftp/s],
      [{ PEYGIR_DEMO: 'maybe' }, /PEYGIR_DEMO.*maybe.*on.*off/s],
      [{ PEYGIR_BOT_PORT: '0' }, /PEYGIR_BOT_PORT.*0.*65535/s],
      [{ PEYGIR_DEMO_SPEED: '0' }, /PEYGIR_DEMO_SPEED.*0.*0\.1 to 1000/s],
    ];
    for (const [env, said] of cases) {
      for (const name of ['peygir', 'peygir-worker', 'peygir-web', 'peygir-push']) {
        const { code, stderr } = await program(name, name === 'peygir' ? ['config'] : [], env);
        assert.equal(code, 78, `${name} ${JSON.stringify(env)}: ${stderr}`);
        assert.match(stderr, said);
      }
    }
  });

  test('a file of options: file before default, environment before file, argument before all', async () => {
    const dir = tempDir();
    const file = path.join(dir, 'test.env');
    fs.writeFileSync(file, '# a comment\n\nPEYGIR_REQUEST_TTL=100\nWORKER_TRIES="7"\nPEYGIR_PREFIX=\'fromfile\'\n');
    const value = async (name, env, ...args) => {
      const { stdout, stderr } = await program('peygir', ['--config', file, ...args, '--json', 'config'], env);
      assert.ok(stdout, stderr);
      return JSON.parse(stdout).find((row) => row.name === name);
    };
    assert.equal((await value('PEYGIR_REQUEST_TTL', {})).value, '100');
    assert.equal((await value('PEYGIR_PREFIX', {})).value, 'fromfile');
    assert.equal((await value('PEYGIR_REQUEST_TTL', { PEYGIR_REQUEST_TTL: '200' })).value, '200');
    assert.equal((await value('PEYGIR_REQUEST_TTL', { PEYGIR_REQUEST_TTL: '200' }, '--set=PEYGIR_REQUEST_TTL=300')).value, '300');
    fs.writeFileSync(file, 'PEYGIR_NONSENSE=1\n');
    const wrong = await program('peygir', ['--config', file, 'config']);
    assert.equal(wrong.code, 78);
    assert.match(wrong.stderr, /test\.env.*PEYGIR_NONSENSE|PEYGIR_NONSENSE.*test\.env/s);
    const missing = await program('peygir', ['--config', path.join(dir, 'none.env'), 'config']);
    assert.equal(missing.code, 78);
    assert.match(missing.stderr, /none\.env/);
    fs.rmSync(dir, { recursive: true });
  });

  test('web says that it wants a listening socket, and a secret', async () => {
    const none = await program('peygir-web', [], { PEYGIR_SERVICES_DIR: servicesDir() });
    assert.equal(none.code, 78);
    assert.match(none.stderr, /PEYGIR_SECRET_FILE|spawn-fcgi/);
    const socketless = await program('peygir-web', ['--config', peygir.file('peygir.env')]);
    assert.equal(socketless.code, 78);
    assert.match(socketless.stderr, /spawn-fcgi/);
    const push = await program('peygir-push', ['--config', peygir.file('peygir.env')]);
    assert.equal(push.code, 78);
    assert.match(push.stderr, /listening socket.*spawn-fcgi/);
    const dir = tempDir();
    const open = path.join(dir, 'secret');
    fs.writeFileSync(open, `${'a'.repeat(64)}\n`, { mode: 0o644 });
    const web = [path.join(BUILD, 'peygir-web'), '--config', peygir.file('peygir.env'), `--set=PEYGIR_SECRET_FILE=${open}`];
    const readable = await command('spawn-fcgi', ['-n', '-s', path.join(dir, 'web.sock'), '--', ...web], { env: { PATH: process.env.PATH } });
    assert.equal(readable.code, 78);
    assert.match(readable.stderr, /secret.*0?600/);
    fs.rmSync(dir, { recursive: true });
  });
});

describe('help and version', () => {
  for (const name of ['peygir', 'peygir-web', 'peygir-worker', 'peygir-push']) {
    test(`of ${name}`, async () => {
      const help = await program(name, ['--help']);
      assert.equal(help.code, 0);
      assert.equal(help.stderr, '');
      assert.match(help.stdout, /^Usage: /);
      assert.match(help.stdout, /REDIS_URL/);
      assert.ok(Math.max(...help.stdout.split('\n').map((line) => line.length)) < 200);
      const version = await program(name, ['--version']);
      assert.equal(version.code, 0);
      assert.match(version.stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n$`));
      const wrong = await program(name, ['--no-such-flag']);
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /--no-such-flag/);
    });
  }

  test('half a verb is answered with those that begin so, a wrong one with where they are listed', async () => {
    const { code, stderr } = await program('peygir', ['user', '--help']);
    assert.equal(code, 2);
    assert.equal(stderr, 'peygir: there is no verb "user"; those that begin so are: user add, user list, user passwd, user remove; see peygir --help\n');
    assert.equal((await program('peygir', ['frob', 'x'])).stderr, 'peygir: there is no verb "frob x"; see peygir --help\n');
  });

  test('peygir --help knows every verb', async () => {
    const { stdout } = await program('peygir', ['--help']);
    for (const verb of ['config', 'health', 'stats', 'service list', 'service check', 'request list', 'request show', 'request cancel', 'request cleanup']) {
      assert.ok(stdout.includes(`\n  ${verb}`), verb);
    }
  });
});

test('the commands of the documents that make a secret end its line, so that another key can follow', async () => {
  for (const document of ['README.md', 'etc/peygir.env']) {
    const text = fs.readFileSync(path.join(SOURCE, document), 'utf8');
    const [, commands] = text.match(/umask 077; (.*) > \/etc\/peygir\/secret\)/);
    assert.match((await command('sh', ['-c', commands])).stdout, /^[0-9a-f]{64}\n$/, document);
  }
});

function servicesDir() {
  return fs.readFileSync(peygir.file('peygir.env'), 'utf8').match(/PEYGIR_SERVICES_DIR='([^']*)'/)[1];
}
