// code.mjs: how long a code that a visitor enters is on its way to the bot that holds out for it, as `make bench-push` prints it: from just
// before the visitor's POST until the bot has it, through a whole ./run. The bot is here: it holds its call, asks for the code by report, and
// waits as bots do, by the long poll that push serves and by BLPOP. One request after the other: what is told is the way, not a crowd. A
// missed target is said, not punished.
//
//   BUILD_DIR    the build that is measured
//   BENCH_CODES  codes of each way (300)
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';

import { Instance } from './instance.mjs';
import { notMeasured, number, part, percentile, report, summary } from './report.mjs';
import { Visitor, nationalCode } from './visitor.mjs';

const build = path.resolve(process.env.BUILD_DIR ?? '.');
const CODES = number('BENCH_CODES', 300), WAIT_S = 25, TARGET_MS = 100;

// --- the bot ---

// Takes calls and answers none by itself: call(hash) is the next one for a request, with what ends it.
class Bot {
    #waiting = new Map(); // by hash: who wants the call

    async listen() {
        this.server = http.createServer((req, res) => this.#take(req, res)).listen(0, '127.0.0.1');
        await new Promise((resolve) => this.server.once('listening', resolve));
        this.url = `http://127.0.0.1:${this.server.address().port}`;
        return this;
    }

    async #take(req, res) {
        let body = '';
        for await (const chunk of req) body += chunk;
        const { requestHash } = JSON.parse(body);
        const done = () => res.end('{"status":"success","data":{}}');
        this.#of(requestHash).resolve({ run: req.headers['peygir-run'], done });
    }

    #of(hash) {
        if (!this.#waiting.has(hash)) {
            const one = {};
            one.promise = new Promise((resolve) => (one.resolve = resolve));
            this.#waiting.set(hash, one);
        }
        return this.#waiting.get(hash);
    }

    async call(hash) {
        const call = await this.#of(hash).promise;
        this.#waiting.delete(hash);
        return call;
    }

    close() {
        this.server.closeAllConnections();
        this.server.close();
    }
}

// --- ways to wait: each gives what the mailbox had ---

const agent = new http.Agent({ keepAlive: true });

function ask(url, headers, body) {
    return new Promise((resolve, reject) => {
        const req = http.request(url, { agent, method: body ? 'POST' : 'GET', headers: { ...headers, ...(body && { 'content-type': 'application/json' }) } }, async (res) => {
            let text = '';
            for await (const chunk of res) text += chunk;
            if (res.statusCode === 200) resolve(text);
            else reject(new Error(`${url} was answered with ${res.statusCode}: ${text}`));
        });
        req.on('error', reject);
        req.end(body);
    });
}

// The answer is a list of two texts, the key and the letter.
function blpop(socket, key) {
    return new Promise((resolve, reject) => {
        let text = '';
        socket.removeAllListeners('data').on('data', (chunk) => {
            text += chunk;
            const letter = /^\*2\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n([^\r]*)\r\n$/.exec(text)?.[1];
            if (letter) resolve(letter);
            else if (/^(-|\*-1)/.test(text)) reject(new Error(`BLPOP was answered with ${text}`));
        });
        socket.write(`BLPOP ${key} ${WAIT_S}\r\n`);
    });
}

// --- the measurement ---

async function measure(name, instance, bot, program, wait) {
    const visitor = new Visitor(instance.url), took = [];
    for (let i = 0; i < CODES; i++) {
        const hash = await visitor.submit(await visitor.open(), nationalCode(i));
        const { run, done } = await bot.call(hash), headers = { ...program, 'peygir-run': run };
        await ask(`${instance.url}/api/internal/local-requests/${hash}/otp-required`, headers, '{"length":5}');
        let at;
        const letter = wait(hash, headers).then((text) => {
            at = performance.now();
            return text;
        });
        letter.catch(() => {});
        await visitor.until(hash, ['otp_required'], 10);
        const from = performance.now();
        await visitor.enterCode(hash);
        const text = await letter;
        if (!JSON.parse(text).otp) throw new Error('the letter is no code');
        took.push(at - from);
        done();
    }
    visitor.close();
    report(`${name}: codes`, took.length, '');
    report(`${name}: p50`, percentile(took, 0.5), 'ms');
    report(`${name}: p99`, percentile(took, 0.99), 'ms', ['at most', TARGET_MS]);
    report(`${name}: the longest`, Math.max(...took), 'ms');
}

const bot = await new Bot().listen();
let instance, redis;
try {
    instance = await Instance.start(build, { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url });
    const { token } = JSON.parse(execFileSync(path.join(instance.run, 'peygir'), ['--json', 'token', 'create', '--role', 'bot', 'bench'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    const program = { authorization: `Bearer ${token}` };
    redis = net.connect(path.join(instance.run, 'redis.sock'));
    await part('a code on its way to a bot that waits', async () => {
        const poll = (hash, headers) => ask(`${instance.url}/api/internal/local-requests/${hash}/otp?wait=${WAIT_S}`, headers);
        await measure('long poll', instance, bot, program, poll);
        await measure('BLPOP', instance, bot, program, (hash) => blpop(redis, `{local_request:${hash}}:otp`));
    });
} catch (error) {
    notMeasured('start', error);
} finally {
    redis?.destroy();
    agent.destroy();
    await instance?.close();
    bot.close();
}
process.exitCode = summary();
