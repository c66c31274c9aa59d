// instance.mjs: what is measured: one private ./run, and beside it other responders behind an nginx with the same settings. It
// needs no npm package, so that `make bench` works without any.
import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { memoryOf, redisCli, redisInfo } from '../lib/looks.mjs';

// Limits are counted and never reached; PEYGIR_LIMIT_FACTOR=0 tells what counting costs.
const COUNTED = '100000';

const source = fileURLToPath(new URL('../..', import.meta.url));

// A port of this machine that nothing listens on, below those that the kernel gives to outgoing connections.
async function freePort() {
    const port = 18000 + Math.floor(Math.random() * 14000);
    const free = await new Promise((resolve) => {
        const server = net.createServer().on('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    return free ? port : freePort();
}

async function waitFor(what, seconds, probe) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) {
        const found = await probe();
        if (found) return found;
    }
    throw new Error(`${what} did not happen within ${seconds} s`);
}

function ended(child) {
    return child.exitCode !== null || child.signalCode !== null;
}

async function stop(child) {
    if (ended(child)) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
}

// Everything started is stopped by close(), last first.
export class Instance {
    #children = [];

    static async start(build, options = {}) {
        const self = new Instance();
        self.build = build;
        self.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'peygir-bench-'));
        self.run = path.join(self.dir, 'run');
        self.port = await freePort();
        self.url = `http://127.0.0.1:${self.port}`;
        await self.#startRun({ PEYGIR_BOT_PORT: String(await freePort()), ...options });
        return self;
    }

    async #startRun(options) {
        const child = spawn(path.join(source, 'run'), [], {
            stdio: ['ignore', 'pipe', 'pipe'],
            env: {
                PATH: process.env.PATH, HOME: process.env.HOME ?? '/', BUILD_DIR: this.build, PEYGIR_RUN_DIR: this.run,
                PEYGIR_HTTP_PORT: String(this.port), ...options,
                PEYGIR_LIMIT_FACTOR: process.env.PEYGIR_LIMIT_FACTOR ?? COUNTED,
            },
        });
        this.#children.push(child);
        let said = '', complaint = '';
        child.stdout.on('data', (data) => { said += data; });
        child.stderr.on('data', (data) => { complaint += data; });
        await waitFor('the start of ./run', 60, () => {
            if (ended(child)) throw new Error(`./run ended:\n${complaint}`);
            return said.includes('peygir is ready');
        });
    }

    // A responder on a socket of its own, and an nginx for it: the configuration that ./run wrote, with other names.
    async addResponder(name, command) {
        const socket = path.join(this.dir, `${name}.sock`), port = await freePort();
        this.#start(name, ['spawn-fcgi', '-n', '-s', socket, '-M', '0600', '-b', '4096', '--', ...command]);
        await waitFor(`the start of ${name}`, 5, () => fs.existsSync(socket));
        const conf = path.join(this.dir, `${name}.conf`);
        fs.writeFileSync(conf, fs.readFileSync(path.join(this.run, 'nginx.conf'), 'utf8')
            .replaceAll(path.join(this.run, 'web.sock'), socket)
            .replaceAll(`127.0.0.1:${this.port} `, `127.0.0.1:${port} `)
            .replace(/^ *server \{\n *listen 127\.0\.0\.1:\d+ default_server backlog=1024;\n *include "[^"]*bot\.conf"[^]*?\n    \}\n/m, '')
            .replaceAll(path.join(this.run, 'nginx'), path.join(this.dir, `${name}-nginx`)));
        fs.mkdirSync(path.join(this.dir, `${name}-nginx-tmp`));
        this.#start(`${name}-nginx`, ['nginx', '-p', this.dir, '-c', conf, '-e', path.join(this.dir, `${name}-nginx-error.log`)]);
        await waitFor(`nginx of ${name}`, 5, () => fetch(`http://127.0.0.1:${port}/static/favicon.svg`).then((r) => r.ok, () => false));
        return `http://127.0.0.1:${port}`;
    }

    #start(name, [program, ...args]) {
        const log = fs.openSync(path.join(this.dir, `${name}.log`), 'a');
        const child = spawn(program, args, { stdio: ['ignore', log, log] });
        child.on('error', (error) => { throw new Error(`${program}: ${error.message}`); });
        fs.closeSync(log);
        this.#children.push(child);
    }

    async close() {
        for (const child of this.#children.reverse()) await stop(child);
        fs.rmSync(this.dir, { recursive: true, force: true });
    }

    redis(...command) {
        return redisCli(path.join(this.run, 'redis.sock'), ...command);
    }

    // INFO as an object of texts.
    info(section) {
        return redisInfo(path.join(this.run, 'redis.sock'), section);
    }

    option(name) {
        const list = JSON.parse(execFileSync(path.join(this.run, 'peygir'), ['--json', 'config'], { encoding: 'utf8' }));
        return list.find((option) => option.name === name).value;
    }

    // Counters of the responder: name and labels, as they are printed, to number.
    async metrics() {
        const text = await (await fetch(`${this.url}/metrics`)).text();
        return Object.fromEntries([...text.matchAll(/^([a-z_]+(?:\{.*\})?) (\d+)$/gm)].map((m) => [m[1], Number(m[2])]));
    }

    // Process numbers of a service of ./run: those that run its program, whatever started them.
    pids(service) {
        const all = [Number(fs.readFileSync(path.join(this.run, `${service}.pid`), 'utf8'))];
        for (let i = 0; i < all.length; i++)
            all.push(...fs.readFileSync(`/proc/${all[i]}/task/${all[i]}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
        return all.filter((pid) => !/\/(multiwatch|spawn-fcgi)$/.test(fs.readlinkSync(`/proc/${pid}/exe`)));
    }

    // Resident and proportional memory of a service, in KiB.
    memory(service) {
        const sum = { rss: 0, pss: 0 };
        for (const pid of this.pids(service)) {
            const { rss, pss } = memoryOf(pid);
            sum.rss += rss;
            sum.pss += pss;
        }
        return sum;
    }
}
