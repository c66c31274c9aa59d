// peygir.mjs: starts a private Peygir through ./run and gives a test everything it needs to look at it: a visitor,
// Redis, logs, processes, the command line. `await using peygir = await start()` or `await peygir.stop()` ends it.
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import Redis from 'ioredis';
import { isSealed, openSealed } from './seal.mjs';
import { Visitor } from './visitor.mjs';
import { waitFor } from './wait.mjs';

Symbol.asyncDispose ??= Symbol('Symbol.asyncDispose');

export { waitFor };
export const SOURCE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const BUILD = path.resolve(process.env.BUILD_DIR ?? path.join(SOURCE, '.build/release'));
export const LONG = process.env.CHECK_ALL ? false : 'a long one: ./run check --all';

const READY = /^peygir is ready: (http:\S+)$/;
const START_MS = 60_000;
const STOP_MS = 60_000;
const alive = new Set();

// A test file that ends in the middle leaves nothing running.
process.on('exit', () => alive.forEach((child) => child.kill('SIGTERM')));

// --- places ---

export const tempDir = (name = 'peygir') => fs.mkdtempSync(path.join(os.tmpdir(), `${name}-`));

// Below the ports that the kernel gives to outgoing connections, so that a free one stays free. CHECK_PORTS=FROM-TO
// names another range.
export async function freePort() {
  const [from, to] = (process.env.CHECK_PORTS ?? '18000-31999').split('-').map(Number);
  for (;;) {
    const port = from + Math.floor(Math.random() * (to - from + 1));
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

// A tree that ./run takes for its own: what it reads there, and copies of etc/services that `edit` may change.
export function copyOfTree(dir, edit) {
  const tree = path.join(dir, 'tree');
  fs.mkdirSync(tree, { recursive: true });
  fs.copyFileSync(path.join(SOURCE, 'run'), path.join(tree, 'run'));
  fs.cpSync(path.join(SOURCE, 'etc'), path.join(tree, 'etc'), { recursive: true });
  for (const name of ['nginx', 'www']) fs.symlinkSync(path.join(SOURCE, name), path.join(tree, name));
  edit(path.join(tree, 'etc/services'));
  return tree;
}

// Change definitions in a directory of services: { slug: (definition) => {...} }; a new slug begins as `from`.
export function editServices(changes) {
  return (dir) => {
    for (const [slug, change] of Object.entries(changes)) {
      const file = path.join(dir, `${slug}.json`);
      const definition = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : { slug };
      fs.writeFileSync(file, JSON.stringify(change(definition) ?? definition, null, 2));
    }
  };
}

// --- starting ---

// The environment of a private instance. Nothing that Peygir reads is inherited from the caller's.
export async function environment(runDir, options = {}) {
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^(PEYGIR_|REDIS_|WORKER_|WEB_|SESSION_|ADMIN_|LOCAL_API_|MAIL_|CRYPTO_|STOCK_)|^BUILD_DIR$|^NODE_/.test(name)) env[name] = value;
  }
  return {
    ...env,
    BUILD_DIR: BUILD,
    PEYGIR_RUN_DIR: runDir,
    PEYGIR_HTTP_PORT: String(await freePort()),
    PEYGIR_BOT_PORT: String(await freePort()),
    PEYGIR_DEMO_SPEED: '20',
    PEYGIR_LIMIT_FACTOR: '0',
    WORKER_DRAIN: '1',
    TSAN_OPTIONS: process.env.TSAN_OPTIONS ?? `suppressions=${path.join(SOURCE, 'tests/lib/tsan.supp')}`,
    ...options,
  };
}

// ./run as a child: its lines are collected; `ended` is a promise of { code, signal, stdout, stderr }.
export function runCommand(env, { script = path.join(SOURCE, 'run'), args = [], cwd } = {}) {
  const child = spawn(script, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  alive.add(child);
  child.stderr.on('data', (chunk) => (said.stderr += chunk));
  const lines = readline.createInterface({ input: child.stdout });
  lines.on('line', (line) => (said.stdout += `${line}\n`));
  const ended = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      alive.delete(child);
      resolve({ code, signal, ...said });
    });
  });
  return { child, lines, said, ended };
}

function readyLine({ lines, ended }) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`./run was not ready within ${START_MS} ms`)), START_MS);
    lines.on('line', (line) => {
      if (READY.test(line)) resolve(line.match(READY)[1].replace(/\/$/, ''));
    });
    ended.then(({ code, stderr }) => reject(new Error(`./run ended with ${code} before it was ready:\n${stderr}`)));
    const done = () => clearTimeout(timer);
    ended.then(done);
    lines.once('line', done);
  });
}

// start({ env, services, tree, fatal }): env are options of Peygir; services(dir) edits a private copy of etc/services;
// fatal: programs may break, and stop() does not mind what a sanitizer said about that.
export async function start({ env = {}, services, tree, fatal = false } = {}) {
  const dir = tempDir();
  const runDir = path.join(dir, 'run');
  const source = tree ?? (services ? copyOfTree(dir, services) : SOURCE);
  for (let tries = 3; ; tries--) {
    const full = await environment(runDir, env);
    const run = runCommand(full, { script: path.join(source, 'run') });
    try {
      const base = await readyLine(run);
      return new Peygir({ base, dir, runDir, env: full, run, fatal });
    } catch (error) {
      run.child.kill('SIGTERM');
      await run.ended;
      if (tries > 1 && /is taken by another program|are both/.test(error.message)) continue;
      fs.rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }
}

// --- a running instance ---

class Peygir {
  constructor(parts) {
    Object.assign(this, parts);
    this.port = Number(new URL(this.base).port);
    this.redis = this.connect();
    this.clients = [this.redis];
  }

  connect() {
    const client = new Redis({
      path: this.file('redis.sock'),
      maxRetriesPerRequest: null,
      retryStrategy: () => 50,
    });
    client.on('error', () => {}); // tests that take Redis away look at Peygir, not at this connection
    return client;
  }

  file(name) {
    return path.join(this.runDir, name);
  }

  visitor(options) {
    return new Visitor(this.base, options);
  }

  // --- programs ---

  // What ./run started under this name; of web, which stands below multiwatch, the responder itself.
  pid(name) {
    const pid = Number(fs.readFileSync(this.file(`${name}.pid`), 'utf8'));
    return name === 'web' ? this.children(pid).find((child) => programOf(child) === 'peygir-web') : pid;
  }

  children(pid) {
    return childrenOf(pid);
  }

  kill(name, signal = 'SIGKILL') {
    const pid = this.pid(name);
    if (!pid) throw new Error(`${name} does not run`);
    process.kill(pid, signal);
    return pid;
  }

  log(name) {
    const file = this.file(`${name}.log`);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  }

  // Everything any program has written, as one text.
  logs() {
    return fs
      .readdirSync(this.runDir)
      .filter((name) => name.endsWith('.log'))
      .map((name) => fs.readFileSync(this.file(name), 'utf8'))
      .join('');
  }

  cli(...args) {
    return command(this.file('peygir'), args);
  }

  async cliJson(...args) {
    const { code, stdout, stderr } = await this.cli('--json', ...args);
    if (code !== 0) throw new Error(`peygir ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  ready(timeout = 15_000) {
    return waitFor(
      async () => {
        const answer = await fetch(`${this.base}/readyz`).catch(() => null);
        await answer?.arrayBuffer();
        return answer?.status === 200;
      },
      { timeout, what: 'Peygir to be ready again' },
    );
  }

  // While the responder is away and its socket too, whose supervisor waits: what nginx says then.
  async withoutWeb(action) {
    const supervisor = Number(fs.readFileSync(this.file('web.pid'), 'utf8'));
    const pid = this.pid('web');
    process.kill(supervisor, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    fs.renameSync(this.file('web.sock'), this.file('web.away'));
    try {
      await action();
    } finally {
      fs.renameSync(this.file('web.away'), this.file('web.sock'));
      process.kill(supervisor, 'SIGCONT');
    }
    await this.ready();
  }

  // --- requests in Redis ---

  // The document, its personal values opened; one whose key is not there stays sealed.
  async document(hash) {
    const text = await this.redis.get(`local_request:${hash}`);
    if (text === null) return null;
    const document = JSON.parse(text);
    for (const field of ['request_data', 'result_data']) {
      if (isSealed(document[field])) document[field] = openSealed(this.file('secret'), hash, field, document[field]) ?? document[field];
    }
    return document;
  }

  guard(hash) {
    return this.redis.hgetall(`{local_request:${hash}}:guard`);
  }

  async history(hash) {
    return (await this.redis.lrange(`{local_request:${hash}}:events`, 0, -1)).map((entry) => JSON.parse(entry));
  }

  // The document as soon as it has one of these states.
  status(hash, ...wanted) {
    return waitFor(
      async () => {
        const document = await this.document(hash);
        return document && wanted.includes(document.status) ? document : null;
      },
      { timeout: 20_000, what: `request ${hash} to be ${wanted.join(' or ')}`, now: () => this.document(hash) },
    );
  }

  // The messages of one request from now on.
  async messages(hash) {
    const client = this.connect();
    const list = [];
    this.clients.push(client);
    client.on('message', (channel, text) => list.push(JSON.parse(text)));
    await client.subscribe(`local_request_updates:${hash}`);
    return list;
  }

  // Every key and value of all three databases as one text.
  async dump() {
    const lines = [];
    for (const db of [0, 1, 2]) {
      const client = this.connect();
      await client.select(db);
      for (const key of await client.keys('*')) lines.push(`${key} ${JSON.stringify(await valueOf(client, key))}`);
      client.disconnect();
    }
    return lines.join('\n');
  }

  // --- the end ---

  // Stop ./run and remove the directory: how it ended. Twice is once.
  stop() {
    this.stopped ??= this.end();
    return this.stopped;
  }

  // What Redis refused to a program: its user in etc/redis-users.acl lacks a right. Nothing when Redis does not answer any more.
  async refusals() {
    const entries = await Promise.race([this.redis.acl('LOG').catch(() => []), late(2000)]);
    return (entries ?? [])
      .map((fields) => Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]])))
      .filter(({ username }) => username.startsWith('peygir-'))
      .map(({ username, reason, object, context }) => `${username}: ${reason} ${object} (${context})`);
  }

  async end() {
    const refusals = await this.refusals();
    this.clients.forEach((client) => client.disconnect());
    if (this.run.child.exitCode === null) this.run.child.kill('SIGTERM');
    const end = await Promise.race([this.run.ended, late(STOP_MS)]);
    if (!end) {
      this.run.child.kill('SIGKILL');
      throw new Error(`./run did not stop within ${STOP_MS} ms`);
    }
    const complaint = this.fatal ? null : this.logs().match(/^.*(Sanitizer|runtime error:)[^]{0,3000}/m);
    fs.rmSync(this.dir, { recursive: true, force: true });
    if (complaint) throw new Error(`a sanitizer complained:\n${complaint[0]}`);
    if (refusals.length) throw new Error(`Redis refused:\n${refusals.join('\n')}`);
    return end;
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}

async function valueOf(client, key) {
  const read = {
    string: () => client.get(key),
    list: () => client.lrange(key, 0, -1),
    hash: () => client.hgetall(key),
    set: () => client.smembers(key),
    zset: () => client.zrange(key, 0, -1, 'WITHSCORES'),
  };
  return read[await client.type(key)]?.();
}

// --- processes and commands ---

const late = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());

export function childrenOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export function programOf(pid) {
  try {
    return path.basename(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]);
  } catch {
    return '';
  }
}

export const isAlive = (pid) => {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

// Processes that mention a directory in their command line.
export function processesOf(dir) {
  return fs.readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(dir);
    } catch {
      return false;
    }
  });
}

// A program carried out to its end: { code, signal, stdout, stderr }.
export function command(file, args = [], options = {}) {
  return new Promise((resolve) => {
    const child = execFile(file, args, { timeout: 20_000, ...options }, (error, stdout, stderr) => {
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr });
    });
  });
}

// A program of the build under test, with nothing of Peygir in its environment but what is given.
export function program(name, args = [], env = {}) {
  return command(path.join(BUILD, name), args, { env: { PATH: process.env.PATH, ...sanitizers(), ...env } });
}

function sanitizers() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => /^[A-Z]+SAN_OPTIONS$/.test(name)));
}
