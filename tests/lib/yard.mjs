// yard.mjs: a private redis-server, workers and peygir-push on it, without web and nginx: to break them, and to measure them. It needs no
// npm package. Everything started is stopped by close().
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { redisCli, redisInfo } from './looks.mjs';
import { waitFor } from './wait.mjs';

const SOURCE = fileURLToPath(new URL('../..', import.meta.url));
const START_MS = 20_000;
const STOP_MS = 20_000;
const alive = new Set();

// A program that ends in the middle leaves nothing running.
process.on('exit', () => alive.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// A child process whose end is a promise of { code, signal }.
class Child {
  constructor(program, args, { env, log }) {
    const out = log ? fs.openSync(log, 'a') : 'ignore';
    this.process = spawn(program, args, { env, stdio: ['ignore', out, out] });
    this.pid = this.process.pid;
    alive.add(this.process);
    this.process.once('exit', () => alive.delete(this.process));
    this.ended = new Promise((resolve, reject) => {
      this.process.once('exit', (code, signal) => resolve({ code, signal }));
      this.process.once('error', reject);
    });
    if (log) fs.closeSync(out);
  }

  get alive() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  async end(signal = 'SIGTERM') {
    if (this.alive) this.process.kill(signal);
    const timer = setTimeout(() => this.process.kill('SIGKILL'), STOP_MS);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }
}

export class Yard {
  #programs = new Set();

  // options: settings of every program; conf: lines for redis.conf, which win over those of etc/redis.conf; jobs: job types by name,
  // instead of etc/jobs.
  static async start(build, { options = {}, conf = '', jobs } = {}) {
    const self = new Yard();
    self.build = build;
    self.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'peygir-yard-'));
    self.socket = path.join(self.dir, 'redis.sock');
    self.url = `unix://${self.socket}?db=0`;
    self.jobsDir = jobs ? self.#writeJobs(jobs) : path.join(SOURCE, 'etc/jobs');
    self.options = options;
    fs.writeFileSync(self.file('secret'), `${'0123456789abcdef'.repeat(4)}\n`, { mode: 0o600 });
    self.#writeRedisConf(conf);
    await self.startRedis();
    return self;
  }

  file(name) {
    return path.join(this.dir, name);
  }

  #writeJobs(jobs) {
    const dir = this.file('jobs');
    fs.mkdirSync(dir);
    for (const [name, type] of Object.entries(jobs)) fs.writeFileSync(path.join(dir, `${name}.json`), JSON.stringify(type));
    return dir;
  }

  #writeRedisConf(conf) {
    const lines = [`include "${path.join(SOURCE, 'etc/redis.conf')}"`, 'port 0', `unixsocket "${this.socket}"`, 'unixsocketperm 600',
      `dir "${this.dir}"`, 'logfile ""', conf];
    fs.writeFileSync(this.file('redis.conf'), `${lines.join('\n')}\n`);
  }

  // --- Redis ---

  async startRedis() {
    fs.rmSync(this.socket, { force: true });
    this.server = new Child('redis-server', [this.file('redis.conf')], { log: this.file('redis.log') });
    await waitFor(() => {
      if (!this.server.alive) throw new Error(`redis-server ended:\n${this.log('redis')}`);
      return this.answers();
    }, { timeout: START_MS, what: 'redis-server to answer' });
  }

  answers() {
    try {
      return fs.existsSync(this.socket) && this.redis('PING').trim() === 'PONG';
    } catch {
      return false;
    }
  }

  redis(...command) {
    return redisCli(this.socket, ...command);
  }

  info(section) {
    return redisInfo(this.socket, section);
  }

  log(name) {
    return fs.existsSync(this.file(`${name}.log`)) ? fs.readFileSync(this.file(`${name}.log`), 'utf8') : '';
  }

  // --- programs ---

  environment(options = {}) {
    const sanitizers = Object.entries(process.env).filter(([name]) => /^[A-Z]+SAN_OPTIONS$/.test(name));
    return {
      ...Object.fromEntries(sanitizers), PATH: process.env.PATH, REDIS_URL: this.url, PEYGIR_JOBS_DIR: this.jobsDir, PEYGIR_SOURCES_DIR: path.join(SOURCE, 'etc/sources'),
      PEYGIR_SECRET_FILE: this.file('secret'),
      PEYGIR_SERVICES_DIR: path.join(SOURCE, 'etc/services'), PEYGIR_TEMPLATES_DIR: path.join(SOURCE, 'www/templates'),
      PEYGIR_NOTIFICATIONS_DIR: path.join(SOURCE, 'etc/notifications'),
      PEYGIR_LOCALES_DIR: path.join(SOURCE, 'www/locales'), ...this.options, ...options,
    };
  }

  // `log` names the file in the yard without .log.
  #run(program, args, { log, options }) {
    const child = new Child(program, args, { env: this.environment(options), log: this.file(`${log}.log`) });
    this.#programs.add(child);
    child.ended.then(() => this.#programs.delete(child));
    return child;
  }

  // A worker of its own: options are added to those of the yard.
  worker({ log = 'worker', options = {}, args = [] } = {}) {
    return this.#run(path.join(this.build, 'peygir-worker'), ['--config', '/dev/null', ...args], { log, options });
  }

  // A program of the build that stays.
  program(name, args = [], { log = name, options = {} } = {}) {
    return this.#run(path.join(this.build, name), args, { log, options });
  }

  // A peygir-push, on push.sock of the yard.
  push({ log = 'push', options = {} } = {}) {
    const args = ['-n', '-s', this.file('push.sock'), '-M', '0600', '-b', '4096', '--', path.join(this.build, 'peygir-push')];
    return this.#run('spawn-fcgi', [...args, '--config', '/dev/null'], { log, options });
  }

  // A program of the build to its end: { code, stdout, stderr }.
  command(name, args = [], options = {}) {
    return new Promise((resolve) => {
      const child = execFile(path.join(this.build, name), args, { env: this.environment(options), maxBuffer: 1 << 28 },
        (error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }));
    });
  }

  // The same; it must succeed: what it printed, as JSON.
  async json(name, args, options) {
    const { code, stdout, stderr } = await this.command(name, args, options);
    if (code !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  peygir(...args) {
    return this.command('peygir', ['--config', '/dev/null', ...args]);
  }

  // Programs are asked to stop first, so that Redis is still there; a stopped process is woken for it.
  async close() {
    for (const program of this.#programs) program.process.kill('SIGCONT');
    await Promise.all([...this.#programs].map((program) => program.end()));
    await this.server?.end();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}
