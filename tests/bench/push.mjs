// push.mjs: what peygir-push costs on this machine, as `make bench-push` prints it. Viewers (push_load.c) come straight to its socket with
// what nginx passes on; requests are made and changed by core (push_tell.c), no worker runs. Times are told as ratios to a bare loop
// (push_floor.c) that writes as many bytes to as many viewers, measured in turns, because other things run on machines too; the ratio
// told is the median of the turns. An event's age is the time from just before its change is written until a viewer has it; that the
// change is written and that viewers read takes its time too, the same of both. A missed target is said, not punished.
//
//   BUILD_DIR      the build that is measured
//   BENCH_VIEWERS  viewers of the largest crowd (10000); half of them look at one request, or come within ten seconds; a tenth of them
//                  look at requests that change once a second. Fewer when the process may not open as many descriptors
//   BENCH_TURNS    turns of each pair (5);  BENCH_SECONDS  length of a turn with changes once a second (5)
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { cpuSeconds, descriptorLimit, descriptorsOf, memoryOf } from '../lib/looks.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Yard } from '../lib/yard.mjs';
import { median, notMeasured, number, part, report, summary } from './report.mjs';

const build = path.resolve(process.env.BUILD_DIR ?? '.');
const TURNS = number('BENCH_TURNS', 5), SECONDS = number('BENCH_SECONDS', 5), WANTED = number('BENCH_VIEWERS', 10000);
const LEAST = 100, OTHER_DESCRIPTORS = 200, IDLE_S = 6, STORM_S = 10, SINGLE_CHANGES = 5, SAMPLE = 5;
const QUIET_MS = 20000, BYTES_PER_KIB = 1024, KIB_PER_MIB = 1024;

let yard, push, floor, sizes, lists, eventBytes;

// --- the crowd ---

// Viewers in a program of their own, which end with close().
class Crowd {
    constructor(server, list, count, overS = 0) {
        this.child = spawn(path.join(build, 'push-load'), [server.socket, list, String(count), String(overS * 1000)],
            { stdio: ['pipe', 'pipe', 'inherit'] });
        this.child.stdin.on('error', () => {});
        this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
        this.gone = new Promise((resolve) => this.child.once('close', resolve));
    }

    async #line() {
        const { value, done } = await this.lines.next();
        if (done) throw new Error('push-load ended');
        return JSON.parse(value);
    }

    // All have come: how long it took.
    come() {
        return this.#line();
    }

    // The events that came since the last time, as soon as there are so many or no more come.
    async events(count) {
        this.child.stdin.write(`${count}\n`);
        const events = await this.#line();
        if (events.events !== count || events.repeated > 0 || events.ended > 0)
            throw new Error(`${count} events were sent: ${JSON.stringify(events)}`);
        return events;
    }

    async close() {
        this.child.stdin.end();
        await this.gone;
    }
}

async function withCrowd(server, list, count, work) {
    const crowd = new Crowd(server, list, count);
    try {
        const came = await crowd.come();
        if (came.refused > 0) throw new Error(`${came.refused} of ${count} were refused\n${yard.log('push')}`);
        await work(crowd, came);
    } finally {
        await crowd.close();
    }
}

// --- two servers and who tells them ---

const change = (...args) => yard.json('push-tell', ['change', ...args.map(String)]);
const startPush = () => {
    const child = yard.push({ options: { PEYGIR_LOG_LEVEL: 'error' } });
    return { socket: yard.file('push.sock'), pid: child.pid };
};
const startFloor = () => {
    const socket = yard.file('floor.sock'), child = yard.program('push-floor', [yard.socket, socket, String(eventBytes)]);
    return { socket, pid: child.pid };
};

// Work with each, in turns; they take turns in being first. What it gave, of all turns.
async function inTurns(work) {
    const mine = [], least = [];
    for (let turn = 0; turn < TURNS; turn++) {
        const pair = [async () => mine.push(await work(push)), async () => least.push(await work(floor))];
        if (turn % 2) pair.reverse();
        for (const one of pair) await one();
    }
    return { mine, least };
}

function compare(name, { mine, least }, what, unit, scale, target = null) {
    const of = (turns) => median(turns.map((turn) => turn[what])) * scale;
    report(`floor: ${name}`, of(least), unit);
    report(name, of(mine), unit);
    report(`${name}, ratio`, median(mine.map((turn, i) => turn[what] / least[i][what])), '', target);
}

// Processor time of a process meanwhile, in ms a second.
async function cpuDuring(pid, work) {
    const before = cpuSeconds(pid), start = performance.now();
    await work();
    return (cpuSeconds(pid) - before) / (performance.now() - start) * 1e6;
}

// --- the parts ---

const rss = () => memoryOf(push.pid).rss;

// All have gone, and the process has closed what was theirs. False: some of it stays open.
const quiet = (descriptors) => waitFor(() => descriptorsOf(push.pid) <= descriptors, { timeout: QUIET_MS }).then(() => true, () => false);

async function reportIdle(count, baseKib) {
    const cpu = await cpuDuring(push.pid, () => sleep(IDLE_S * 1000));
    report(`resident with ${count} idle viewers`, rss() / KIB_PER_MIB, 'MiB');
    report(`a viewer of ${count}`, (rss() - baseKib) * BYTES_PER_KIB / count, 'bytes', ['at most', 2048]);
    report(`processor with ${count} idle viewers`, cpu, 'ms a second');
}

// Two crowds of half, the second beside the first.
async function fill(between) {
    const half = sizes.all / 2;
    await withCrowd(push, lists.all, half, async (_, came) => {
        report(`${half} viewers let in`, came.seconds, 's');
        await between(half);
        await withCrowd(push, lists.rest, half, async () => between(sizes.all));
    });
}

async function measureIdle() {
    let descriptors;
    await withCrowd(push, lists.many, LEAST, () => { descriptors = descriptorsOf(push.pid) - LEAST; });
    const empty = async (when) => {
        await quiet(descriptors);
        report(`descriptors without viewers, ${when}`, descriptorsOf(push.pid), '', ['at most', descriptors]);
        return rss();
    };
    const base = await empty(`after ${LEAST}`);
    report('resident without viewers', base / KIB_PER_MIB, 'MiB');
    await fill((count) => reportIdle(count, base));
    const first = await empty(`after ${sizes.all}`);
    await fill(() => {});
    const second = await empty(`after ${sizes.all} more`);
    report(`peygir-push grows by ${sizes.all} more viewers that come and go`, second - first, 'KiB', ['at most', 1024]);
}

// All requests of a list change once a second.
async function eachSecond(server, list, count, seconds = SECONDS) {
    const turn = {};
    await withCrowd(server, list, count, async (crowd) => {
        turn.cpu = await cpuDuring(server.pid, async () => {
            const { sent, seconds: took } = await change(list, count, count * seconds);
            turn.rate = sent / took;
            Object.assign(turn, await crowd.events(sent));
        });
    });
    return turn;
}

async function measureMany() {
    const name = `${sizes.many} viewers of different requests`;
    const turns = await inTurns((server) => eachSecond(server, lists.many, sizes.many));
    report(`${name}: changes told to push`, median(turns.mine.map(({ rate }) => rate)), 'a second');
    report(`${name}: changes told to the floor`, median(turns.least.map(({ rate }) => rate)), 'a second');
    compare(`${name}: p50 of ages`, turns, 'p50', 'ms', 1e3);
    compare(`${name}: p99 of ages`, turns, 'p99', 'ms', 1e3, ['at most', 3]);
    compare(`${name}: the oldest`, turns, 'max', 'ms', 1e3);
    compare(`${name}: processor`, turns, 'cpu', 'ms a second', 1);
}

// One change after the other, each when all have the one before: the time until the last viewer has it.
async function ofOne(server) {
    const last = [];
    let cpu;
    await withCrowd(server, lists.one, sizes.half, async (crowd) => {
        const before = cpuSeconds(server.pid);
        for (let i = 0; i < SINGLE_CHANGES; i++) {
            await change(lists.one, 1, 1);
            last.push((await crowd.events(sizes.half)).max);
        }
        cpu = (cpuSeconds(server.pid) - before) / SINGLE_CHANGES;
    });
    return { last: median(last), cpu };
}

async function measureOne() {
    const turns = await inTurns(ofOne), name = `${sizes.half} viewers of one request`;
    compare(`${name}: until the last has it`, turns, 'last', 'ms', 1e3);
    compare(`${name}: processor for a change`, turns, 'cpu', 'ms', 1e3);
}

async function measureStorm() {
    const name = `${sizes.half} more come within ${STORM_S} s`;
    await withCrowd(push, lists.many, sizes.many, async (crowd) => {
        const storm = new Crowd(push, lists.rest, sizes.half, STORM_S);
        try {
            const cpu = await cpuDuring(push.pid, async () => {
                const [came, { sent }] = await Promise.all([storm.come(), change(lists.many, sizes.many, sizes.many * STORM_S)]);
                report(`${name}: refused`, came.refused, '', ['at most', 0]);
                for (const what of ['p50', 'p99', 'max']) report(`${name}: ${what} of waits for the first event`, came[what] * 1e3, 'ms');
                const events = await crowd.events(sent);
                for (const what of ['p50', 'p99', 'max']) report(`${name}: ${what} of ages of ${sizes.many} others' events`, events[what] * 1e3, 'ms');
            });
            report(`${name}: processor`, cpu, 'ms a second');
        } finally {
            await storm.close();
        }
    });
}

// --- start ---

function chooseSizes() {
    const room = descriptorLimit(push.pid) - OTHER_DESCRIPTORS, all = Math.max(LEAST, Math.min(WANTED, room));
    if (all < WANTED) console.log(`peygir-push may open ${room + OTHER_DESCRIPTORS} descriptors: ${all} viewers instead of ${WANTED}`);
    const half = Math.floor(all / 2);
    sizes = { all: 2 * half, half, many: Math.max(LEAST, Math.floor(all / 10)) };
}

// Requests for all, in files: all of them, the second half, the first tenth, one. Without the jobs that nobody here takes.
async function makeRequests() {
    const { code, stdout, stderr } = await yard.command('push-tell', ['make', String(sizes.all)]);
    if (code !== 0) throw new Error(stderr);
    yard.redis('DEL', 'peygir:task:queue');
    const lines = stdout.trim().split('\n'), parts = { all: lines, rest: lines.slice(sizes.half), many: lines.slice(0, sizes.many), one: lines.slice(0, 1) };
    lists = {};
    for (const [name, some] of Object.entries(parts)) {
        lists[name] = yard.file(`${name}.list`);
        fs.writeFileSync(lists[name], `${some.join('\n')}\n`);
    }
}

async function start() {
    // Snapshots of the log in the middle would be measured as well.
    yard = await Yard.start(build, { options: { PEYGIR_LIMIT_FACTOR: '0' }, conf: 'auto-aof-rewrite-percentage 0' });
    const listens = (server) => waitFor(() => fs.existsSync(server.socket), { timeout: QUIET_MS, what: `${server.socket} to be there` });
    push = startPush();
    await listens(push);
    chooseSizes();
    await makeRequests();
    await withCrowd(push, lists.one, 1, async (crowd) => {
        await change(lists.one, 100, SAMPLE);
        eventBytes = Math.round((await crowd.events(SAMPLE)).bytes / SAMPLE);
    });
    report('an event', eventBytes, 'bytes');
    floor = startFloor();
    await listens(floor);
}

try {
    await start();
    await part('idle viewers', measureIdle);
    await part('viewers of different requests', measureMany);
    await part('viewers of one request', measureOne);
    await part('many come at once', measureStorm);
} catch (error) {
    notMeasured('start', error);
} finally {
    await yard?.close();
}
process.exitCode = summary();
