// queue.mjs: what the queue costs on this machine, as `make bench-queue` prints it. Every speed is told as a ratio to the least that the
// same work can cost (queue_floor.c, queue_floor.lua, redis-benchmark), measured in turns of a fraction of a second, because other
// things run on machines too; the ratio told is the median of the turns. A missed target is said, not punished.
//
//   BUILD_DIR      the build that is measured
//   BENCH_TURNS    turns of each pair (20)
//   BENCH_CALLS    calls that wait together (5000);  BENCH_WAITING  jobs in the long queue (1000000)
import { execFile, execFileSync, spawn } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

import { cpuSeconds, memoryOf } from '../lib/looks.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Yard } from '../lib/yard.mjs';
import { median, notMeasured, number, part, percentile, report, summary } from './report.mjs';

const build = path.resolve(process.env.BUILD_DIR ?? '.');
const TURNS = number('BENCH_TURNS', 20), CALLS = number('BENCH_CALLS', 5000), WAITING = number('BENCH_WAITING', 1000000);
const PREFIX = 'peygir', FLOOR = 'floor';
const PUSHES = 3000, BULK = 50000, CARRIED = 20000, PICKS = 100, STORED = 100000, PAYLOAD_BYTES = 200, TAKES = 200, FEW = 100;
const LONGEST_MS = 120000, KIB_PER_MIB = 1024, IDLE_S = 5;
const script = fileURLToPath(new URL('queue_floor.lua', import.meta.url));

const JOBS = {
    default: { handler: 'none' },
    slow: { handler: 'http', path: '/slow', timeout: 600 },
};

let yard;
const ours = (...args) => yard.json('queue-push', [yard.url, PREFIX, ...args.map(String)]);
const floor = (...args) => yard.json('queue-floor', [yard.socket, FLOOR, ...args.map(String)]);
const completed = () => Number(yard.redis('GET', `${PREFIX}:stats:tasks:completed`));

// Both do the same work in turns, and take turns in being first; each gives a speed or a time. The values of all turns.
async function inTurns(first, second, turns = TURNS) {
    const values = [[], []];
    for (let turn = 0; turn < turns; turn++) {
        const order = turn % 2 ? [1, 0] : [0, 1];
        for (const which of order) values[which].push(await [first, second][which]());
    }
    return values;
}

function compare(name, mine, least, unit, target) {
    report(`floor: ${name}`, median(least), unit);
    report(name, median(mine), unit);
    report(`${name}, ratio`, median(mine.map((value, i) => value / least[i])), '', target);
}

const fresh = () => { yard.redis('FLUSHALL'); };

async function measurePush() {
    const speed = ({ seconds }) => PUSHES / seconds;
    const [mine, least] = await inTurns(async () => speed(await ours('one', PUSHES)), async () => speed(await floor('lpush', PUSHES)));
    compare('jobs pushed one by one on one connection', mine, least, 'a second', ['at least', 0.85]);
    fresh();
}

// What redis-benchmark prints: a heading, then "LPUSH","1700680.25",...
async function benchmark() {
    const args = ['-s', yard.socket, '-P', '16', '-n', '400000', '-d', '30', '-t', 'lpush', '--csv'];
    const { stdout } = await promisify(execFile)('redis-benchmark', args);
    yard.redis('DEL', 'mylist');
    return Number(/"LPUSH","([0-9.]+)"/.exec(stdout)[1]);
}

async function measureBulk() {
    const push = async () => {
        const { seconds } = await ours('many', BULK, 'default', 2);
        fresh();
        return BULK / seconds;
    };
    const [mine, least] = await inTurns(push, benchmark);
    compare('jobs pushed together (floor: redis-benchmark -P 16 lpush)', mine, least, 'a second', ['at least', 0.15]);
}

async function measureStored() {
    const used = () => Number(yard.info('memory').used_memory);
    fresh();
    const before = used();
    await ours('many', STORED, 'default', PAYLOAD_BYTES);
    report(`Redis for a waiting job with a payload of ${PAYLOAD_BYTES} bytes`, (used() - before) / STORED, 'bytes', ['at most', 1023]);
    fresh();
}

async function measureTakes() {
    for (const max of [32, 1]) {
        const turns = [];
        for (let turn = 0; turn < TURNS; turn++)
            turns.push(await ours('take', max === 1 ? TAKES * 10 : TAKES, max, `few=${FEW}`, `many=${WAITING}`));
        report(`take of ${max} with ${FEW} waiting`, median(turns.map(({ few }) => few)) / TAKES * 1e6 / (max === 1 ? 10 : 1), 'us');
        report(`take of ${max} with ${WAITING} waiting, ratio`, median(turns.map(({ many, few }) => many / few)), '', ['at most', 1.5]);
    }
    fresh();
}

async function withWorker(options, work) {
    const worker = yard.worker({ options });
    try {
        await waitFor(() => worker.alive && yard.redis('ZCARD', `${PREFIX}:workers`) > 0, { what: 'the worker to be registered' });
        await work(worker);
    } catch (error) {
        throw new Error(`${error.message}\n${yard.log('worker')}`);
    } finally {
        await worker.end();
    }
}

const measureIdle = () => withWorker({}, async ({ pid }) => {
    const commands = () => Number(yard.info('stats').total_commands_processed);
    const before = [cpuSeconds(pid), commands()];
    await sleep(IDLE_S * 1000);
    report('processor of an idle worker', (cpuSeconds(pid) - before[0]) / IDLE_S * 1000, 'ms a second');
    report('commands of an idle worker', (commands() - before[1]) / IDLE_S, 'a second');
    report('resident, idle', memoryOf(pid).rss / KIB_PER_MIB, 'MiB');
});

const measureCarry = () => withWorker({}, async () => {
    const least = async () => {
        await yard.json('queue-push', [yard.url, FLOOR, 'many', String(CARRIED), 'default', '2']);
        const { seconds, jobs } = await floor('finish', script);
        return jobs / seconds;
    };
    const [mine, bare] = await inTurns(async () => CARRIED / (await ours('carry', CARRIED, 'default')).seconds, least);
    compare('jobs without work carried by one worker (floor: one script takes and finishes 32)', mine, bare, 'a second',
        ['at least', 0.5]);
});

// The floor is told of as an outsider sees it, like the worker: a message after the pop. What the popping program itself sees is
// printed beside it.
const measurePick = () => withWorker({}, async () => {
    const popper = spawn(path.join(build, 'queue-floor'), [yard.socket, FLOOR, 'pop', 'floor:list', 'floor:told']);
    let said = '';
    popper.stdout.on('data', (data) => { said += data; });
    const gone = new Promise((resolve) => popper.once('close', resolve));
    const pick = (...args) => floor('pick', PICKS, ...args);
    const [mine, least] = await inTurns(() => pick(`${PREFIX}:task:queue`, `${PREFIX}:notifications`, 'task_processing'),
        () => pick('floor:list', 'floor:told', '.'));
    yard.redis('LPUSH', 'floor:list', 'end');
    await gone;
    const bare = JSON.parse(said);
    for (const [name, share] of [['p50', 0.5], ['p99', 0.99]]) {
        const of = (list) => percentile(list.flat(), share) * 1e6;
        report(`floor: pick-up ${name} seen by the popping program itself`, of(bare), 'us');
        report(`floor: pick-up ${name}, told to a subscriber`, of(least), 'us');
        report(`pick-up ${name} of an idle worker, told to a subscriber`, of(mine), 'us');
        report(`pick-up ${name}, ratio`, of(mine) / of(least), '', ['at most', 2]);
    }
});

// Answers nobody before it is told to.
class SlowBot {
    #waiting = [];

    async listen() {
        this.server = http.createServer((req, res) => {
            req.resume();
            req.on('end', () => this.#waiting.push(res));
        });
        await new Promise((resolve) => this.server.listen({ port: 0, host: '127.0.0.1', backlog: 8192 }, resolve));
        this.url = `http://127.0.0.1:${this.server.address().port}`;
        return this;
    }

    until = (count) => waitFor(() => this.#waiting.length === count, {
        timeout: LONGEST_MS, what: `${count} calls to wait`, now: () => this.#waiting.length,
    });

    answer() {
        for (const res of this.#waiting.splice(0)) {
            res.setHeader('Content-Type', 'application/json');
            res.end('{"status":"success","data":{}}');
        }
    }

    close() {
        this.server.closeAllConnections();
        this.server.close();
    }
}

async function curlMemory(bot, count) {
    const done = floor('calls', count, `${bot.url}/slow`);
    await bot.until(count);
    const pid = execFileSync('pgrep', ['-n', '-f', `calls ${count} ${bot.url}/slow`], { encoding: 'utf8' }).trim();
    const { rss } = memoryOf(pid);
    bot.answer();
    const { answered } = await done;
    if (answered !== count) throw new Error(`libcurl alone got ${answered} answers of ${count}`);
    return rss;
}

async function workerMemory(bot, worker) {
    const before = completed(), idle = memoryOf(worker.pid).rss;
    await ours('many', CALLS, 'slow', PAYLOAD_BYTES);
    await bot.until(CALLS);
    const full = memoryOf(worker.pid).rss;
    bot.answer();
    await waitFor(() => completed() === before + CALLS, { timeout: LONGEST_MS, what: 'all jobs to be completed', now: completed });
    return { idle, full };
}

async function measureCalls() {
    const bot = await new SlowBot().listen();
    try {
        await withWorker({ WORKER_CONCURRENCY: String(CALLS), LOCAL_API_URL: bot.url, PEYGIR_LOG_LEVEL: 'error' }, async (worker) => {
            const { idle, full } = await workerMemory(bot, worker);
            report('resident before', idle / KIB_PER_MIB, 'MiB');
            report(`resident with ${CALLS} jobs that wait on a slow bot`, full / KIB_PER_MIB, 'MiB', ['at most', 110]);
            report('a waiting job', (full - idle) / CALLS, 'KiB');
        });
        const one = await curlMemory(bot, 1), all = await curlMemory(bot, CALLS);
        report(`floor: libcurl alone with ${CALLS} calls`, all / KIB_PER_MIB, 'MiB');
        report('floor: a waiting call of libcurl', (all - one) / CALLS, 'KiB');
    } finally {
        bot.close();
    }
    fresh();
}

try {
    // Snapshots of the log in the middle would be measured as well.
    yard = await Yard.start(build, { jobs: JOBS, conf: 'auto-aof-rewrite-percentage 0' });
    await part('pushing', measurePush);
    await part('pushing together', measureBulk);
    await part('memory in Redis', measureStored);
    await part('an idle worker', measureIdle);
    await part('picking up', measurePick);
    await part('carrying out', measureCarry);
    await part('calls that wait', measureCalls);
    await part('a long queue', measureTakes);
} catch (error) {
    notMeasured('start', error);
} finally {
    await yard?.close();
}
process.exitCode = summary();
