// run.test.mjs: ./run itself: starting, stopping, taken ports, two side by side, programs that die, what it leaves behind; and
// web started by hand as the README shows.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exchange, request } from '../lib/fcgi.mjs';
import { BUILD, SOURCE, childrenOf, command, environment, freePort, isAlive, processesOf, program, programOf, runCommand, start, tempDir, waitFor } from '../lib/peygir.mjs';

const NAMES = ['redis', 'bot', 'worker', 'web', 'nginx'];
const modeOf = (file) => (fs.statSync(file).mode & 0o777).toString(8);
const run = path.join(SOURCE, 'run');

const nothingLeft = (dir) => waitFor(() => processesOf(dir).length === 0, { what: 'all processes to end', now: () => processesOf(dir).map(programOf) });

describe('a running instance', () => {
  let peygir;
  before(async () => {
    peygir = await start({ env: { WEB_THREADS: '3', PEYGIR_REQUEST_TTL: '777' } });
  });
  after(() => peygir?.stop());

  test('says one line on stdout when a request succeeds', async () => {
    assert.equal(peygir.run.said.stdout, `peygir is ready: http://127.0.0.1:${peygir.port}/\n`);
    assert.equal((await peygir.visitor().get('/')).status, 200);
    assert.equal((await peygir.visitor().get('/readyz')).status, 200);
  });

  test('listens on loopback only, and Redis on no port at all', async () => {
    const listening = fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1).map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A' && parseInt(fields[1].split(':')[1], 16) === peygir.port);
    assert.deepEqual(listening.map((fields) => fields[1].split(':')[0]), ['0100007F']);
    assert.equal((await peygir.redis.config('GET', 'port'))[1], '0');
    assert.equal((await peygir.redis.acl('WHOAMI')), 'default');
    assert.match((await peygir.redis.acl('LIST'))[0], /user default on .*~\* &\* \+@all/);
  });

  test('keeps everything in its directory, for its owner only', () => {
    assert.equal(modeOf(peygir.runDir), '700');
    const expected = { 'redis.sock': '600', 'web.sock': '600', secret: '600', 'peygir.env': '600', peygir: '700' };
    for (const [name, mode] of Object.entries(expected)) assert.equal(modeOf(peygir.file(name)), mode, name);
    for (const name of fs.readdirSync(peygir.runDir)) assert.equal(parseInt(modeOf(peygir.file(name)), 8) & 0o077, 0, name);
    for (const name of NAMES) {
      assert.ok(isAlive(peygir.pid(name)), name);
      assert.ok(fs.existsSync(peygir.file(`${name}.log`)), name);
    }
  });

  test('hands the options of its environment on to the programs', async () => {
    const settings = fs.readFileSync(peygir.file('peygir.env'), 'utf8');
    assert.match(settings, /^WEB_THREADS='?3'?$/m);
    assert.match(settings, /^PEYGIR_REQUEST_TTL='?777'?$/m);
    assert.match(peygir.log('web'), /3 threads/);
    const visitor = peygir.visitor();
    const hash = await visitor.request('document-ocr', { file_id: 'x', language: 'fa' });
    await peygir.status(hash, 'completed');
    const ttl = await peygir.redis.ttl(`local_request:${hash}`);
    assert.ok(ttl > 700 && ttl <= 777, `${ttl} s`);
  });

  test('starts what dies again', async () => {
    for (const name of ['worker', 'bot', 'nginx', 'web', 'redis']) {
      const old = peygir.kill(name);
      await waitFor(() => {
        const now = peygir.pid(name);
        return now && now !== old && isAlive(now);
      }, { timeout: 15_000, what: `${name} to be started again` });
      await peygir.ready();
    }
    for (const name of ['worker', 'bot', 'nginx', 'redis']) assert.match(peygir.run.said.stderr, new RegExp(`${name} ended by signal 9; it is started again`));
    const visitor = peygir.visitor();
    const hash = await visitor.request('document-ocr', { file_id: 'after-all', language: 'fa' });
    await peygir.status(hash, 'completed');
  });

  test('refuses a second one in the same directory, in one sentence', async () => {
    const second = runCommand(await environment(peygir.runDir));
    const { code, stdout, stderr } = await second.ended;
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^run: Peygir already runs in \S+ \(process \d+\); .*\n$/);
    assert.equal((await peygir.visitor().get('/')).status, 200);
  });

  test('lives side by side with another', async () => {
    const other = await start();
    try {
      assert.notEqual(other.port, peygir.port);
      const visitor = other.visitor();
      const hash = await visitor.request('document-ocr', { file_id: 'other', language: 'fa' });
      await other.status(hash, 'completed');
      assert.equal(await peygir.document(hash), null);
    } finally {
      assert.equal((await other.stop()).code, 0);
    }
    assert.equal((await peygir.visitor().get('/')).status, 200);
  });
});

describe('starting', () => {
  test('a taken port is one clear sentence that names it', async () => {
    for (const name of ['PEYGIR_HTTP_PORT', 'PEYGIR_BOT_PORT']) {
      const server = net.createServer();
      const port = await freePort();
      await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
      const dir = tempDir();
      const { code, stdout, stderr } = await runCommand(await environment(path.join(dir, 'run'), { [name]: String(port) })).ended;
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, new RegExp(`^run: port ${port} is taken by another program; .*${name}=\\d+.*\\n$`));
      assert.deepEqual(processesOf(dir), []);
      server.close();
      fs.rmSync(dir, { recursive: true });
    }
  });

  test('a wrong option stops it with 78 and the sentence of the programs', async () => {
    for (const [env, said] of [[{ WORKER_TRIES: 'often' }, /WORKER_TRIES.*often/], [{ PEYGIR_NONSENSE: '1' }, /PEYGIR_NONSENSE/]]) {
      const dir = tempDir();
      const { code, stderr } = await runCommand(await environment(path.join(dir, 'run'), env)).ended;
      assert.equal(code, 78, stderr);
      assert.match(stderr, said);
      assert.deepEqual(processesOf(dir), []);
      fs.rmSync(dir, { recursive: true });
    }
  });

  test('without a build in BUILD_DIR it says so', async () => {
    const dir = tempDir();
    const { code, stderr } = await runCommand(await environment(path.join(dir, 'run'), { BUILD_DIR: dir })).ended;
    assert.equal(code, 1);
    assert.match(stderr, /BUILD_DIR=.* holds no peygir-web/);
    fs.rmSync(dir, { recursive: true });
  });

  test('--help helps, anything else is usage', async () => {
    const help = await command(run, ['--help']);
    assert.equal(help.code, 0);
    for (const name of ['PEYGIR_HTTP_PORT', 'PEYGIR_BOT_PORT', 'PEYGIR_RUN_DIR', 'PEYGIR_DEMO', 'PEYGIR_DEMO_SPEED', './run stop', './run check']) {
      assert.ok(help.stdout.includes(name), name);
    }
    for (const args of [['nonsense'], ['check', 'x'], ['stop', 'now'], ['--nothing']]) {
      const { code, stderr } = await command(run, args);
      assert.equal(code, 2, args.join(' '));
      assert.ok(stderr.startsWith(`run: "${args.join(' ')}" is nothing`), stderr);
    }
  });

  test('a run directory may be relative, and keeps requests and secret for the next start', async () => {
    const dir = tempDir();
    const env = await environment('here', { PEYGIR_RUN_DIR: 'here' });
    const first = runCommand(env, { cwd: dir });
    await waitFor(() => first.said.stdout.includes('ready'), { timeout: 30_000 });
    const secret = fs.readFileSync(path.join(dir, 'here/secret'), 'utf8');
    assert.match(secret, /^[0-9a-f]{64}\n$/);
    first.child.kill('SIGINT');
    assert.equal((await first.ended).code, 0);
    const again = runCommand(env, { cwd: dir });
    await waitFor(() => again.said.stdout.includes('ready'), { timeout: 30_000 });
    assert.equal(fs.readFileSync(path.join(dir, 'here/secret'), 'utf8'), secret);
    again.child.kill('SIGTERM');
    await again.ended;
    fs.rmSync(dir, { recursive: true });
  });
});

describe('missing packages that cannot be installed', () => {
  // install_packages of ./run, with an apt-get that fails after having said `said`; of the sources of packages only `nginx` is known.
  async function install(said) {
    const script = `. ./run --help >/dev/null
      sudo() { [[ $1 == -n ]] || "$@"; }
      missing_packages() { echo "$@"; }
      apt_install() { ${said.map((line) => `echo '${line}'`).join('; ')}; return 100; }
      apt-cache() { [[ $2 == nginx ]]; }
      install_packages nginx no-such-thing`;
    const { code, stdout, stderr } = await command('bash', ['-c', script], { cwd: SOURCE });
    assert.equal(code, 1);
    assert.equal(stdout, '');
    const [, log] = stderr.match(/; everything apt-get said is in (\S+)\n$/);
    assert.equal(fs.readFileSync(log, 'utf8'), said.map((line) => `${line}\n`).join(''));
    fs.rmSync(log);
    return stderr.replace(log, 'LOG').split('\n').slice(1, -1); // the first line says what is being installed
  }

  test('an unknown one is one sentence that names it', async () => {
    assert.deepEqual(await install(['Reading package lists...', 'E: Unable to locate package no-such-thing']),
      ['run: the package sources of this machine have no package no-such-thing; everything apt-get said is in LOG']);
  });

  test('when the sources cannot be reached, what apt-get said last comes first', async () => {
    const said = ['W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease', 'E: Unable to locate package no-such-thing'];
    assert.deepEqual(await install(said), [...said, 'run: the packages could not be installed; everything apt-get said is in LOG']);
  });
});

describe('stopping', () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    test(`${signal} stops all it started, with 0, and leaves no socket or pid file`, async () => {
      const peygir = await start();
      peygir.run.child.kill(signal);
      const { code } = await peygir.run.ended;
      assert.equal(code, 0);
      assert.deepEqual(processesOf(peygir.dir), []);
      assert.deepEqual(fs.readdirSync(peygir.runDir).filter((name) => /\.(pid|sock)$/.test(name)), []);
      await peygir.stop();
    });
  }

  test('./run stop stops one that was started elsewhere, and says when there is none', async () => {
    const peygir = await start();
    const stop = await command(run, ['stop'], { env: peygir.env, timeout: 60_000 });
    assert.equal(stop.code, 0, stop.stderr);
    assert.equal((await peygir.run.ended).code, 0);
    assert.deepEqual(processesOf(peygir.dir), []);
    const again = await command(run, ['stop'], { env: peygir.env });
    assert.equal(again.code, 0);
    assert.match(again.stderr, /nothing runs/);
    await peygir.stop();
  });

  test('kill -9 of ./run itself leaves nothing behind, and the next start is clean', async () => {
    const peygir = await start();
    const visitor = peygir.visitor();
    const hash = await visitor.request('document-ocr', { file_id: 'before', language: 'fa' });
    await peygir.status(hash, 'completed');
    peygir.run.child.kill('SIGKILL');
    await peygir.run.ended;
    await nothingLeft(peygir.runDir);
    const next = runCommand(peygir.env);
    await waitFor(() => next.said.stdout.includes('ready'), { timeout: 30_000 });
    assert.ok(await peygir.document(hash), 'what was accepted is still there');
    next.child.kill('SIGTERM');
    assert.equal((await next.ended).code, 0);
    await peygir.stop();
  });
});

describe('web by hand, as the README shows', () => {
  // The command of the README, with the paths of this test and without changing the user.
  function commandOfReadme(sock, web) {
    const readme = fs.readFileSync(path.join(SOURCE, 'README.md'), 'utf8');
    const [, line] = readme.match(/```\n(spawn-fcgi [^]*?)```/);
    return line.replace(/\\\n/g, ' ').trim()
      .replace('/run/peygir/web.sock', sock)
      .replace(/ -[ugUG] \S+/g, '')
      .replace('/usr/local/sbin/peygir-web', web);
  }

  test('spawn-fcgi makes the socket, multiwatch keeps web alive on it, SIGTERM ends all', async () => {
    const peygir = await start();
    const sock = peygir.file('own.sock');
    const line = commandOfReadme(sock, `${path.join(BUILD, 'peygir-web')} --config ${peygir.file('peygir.env')}`);
    const child = spawn('sh', ['-c', `exec ${line}`], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH } });
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    const serves = async () => fs.existsSync(sock) && (await exchange(sock, request('GET', '/readyz')))?.status === 200;
    try {
      await waitFor(serves, { what: 'web to serve' });
      assert.equal(modeOf(sock), '660');
      const [web] = childrenOf(child.pid);
      assert.equal(programOf(web), 'peygir-web');
      process.kill(web, 'SIGKILL');
      await waitFor(() => !isAlive(web));
      await waitFor(serves, { what: 'web to serve again' });
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
    await nothingLeft(sock);
    assert.doesNotMatch(said, /Sanitizer|runtime error:/);
    await peygir.stop();
  });

  test('a worker by hand takes its part of the work, and --once ends after one job', async () => {
    const peygir = await start();
    const pid = peygir.kill('worker', 'SIGSTOP');
    const visitor = peygir.visitor();
    const hash = await visitor.request('document-ocr', { file_id: 'by-hand', language: 'fa' });
    const { code } = await program('peygir-worker', ['--config', peygir.file('peygir.env'), '--once']);
    assert.equal(code, 0);
    assert.equal((await peygir.document(hash)).status, 'completed');
    const empty = await program('peygir-worker', ['--config', peygir.file('peygir.env'), '--stop-when-empty']);
    assert.equal(empty.code, 0);
    process.kill(pid, 'SIGCONT');
    await peygir.stop();
  });
});
