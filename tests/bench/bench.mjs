// bench.mjs: what Peygir costs on this machine, as `make bench` prints it. Speeds are told as ratios to the floor (floor.c), which
// was measured in the same minutes, because other things run on machines too. A missed target is said, not punished: the exit
// status is 1 only when something could not be measured.
//
//   BUILD_DIR      the build that is measured
//   BENCH_SECONDS  length of one run of wrk (1); BENCH_ROUNDS  rounds of floor and web (30): many short ones, because the speed of
//                  a shared machine changes from one second to the next
//   PEYGIR_LIMIT_FACTOR=0  without counting limits, which are otherwise counted and never reached
//   BENCH_POLLS    polls before memory is looked at (100000); BENCH_REQUESTS  journeys that are kept in Redis (10000)
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Instance } from './instance.mjs';
import { median, notMeasured, number, part, report, summary } from './report.mjs';
import { crowd, nationalCode } from './visitor.mjs';
import { waitingRequest, wrk } from './wrk.mjs';

const build = path.resolve(process.env.BUILD_DIR ?? '.');
const SECONDS = number('BENCH_SECONDS', 1), ROUNDS = number('BENCH_ROUNDS', 30);
const POLLS = number('BENCH_POLLS', 100000), REQUESTS = number('BENCH_REQUESTS', 10000);
const KIB_PER_MIB = 1024, BYTES_PER_MIB = 1024 * 1024;
const JOURNEYS_LONGEST_S = 300, SUBMITS_S = 10;

const key = () => [...randomBytes(26)].map((byte) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[byte % 32]).join('');

const poll = (url, waiting, seconds = SECONDS) => wrk(url + waiting.path, waiting.cookie, seconds);

// Floor and web take turns in being first.
async function pollBoth(instance, floorUrl) {
    const floor = [], web = [];
    for (let round = 0; round < ROUNDS; round++) {
        const waiting = await waitingRequest(instance);
        const turns = [() => floor.push(poll(floorUrl, waiting)), () => web.push(poll(instance.url, waiting))];
        if (round % 2) turns.reverse();
        for (const turn of turns) turn();
    }
    return { floor, web };
}

async function measurePolls(instance, floorUrl) {
    const { floor, web } = await pollBoth(instance, floorUrl);
    const of = (runs, what) => median(runs.map((run) => run[what]));
    const ratio = (what) => of(web, what) / of(floor, what);
    report('floor status polls', of(floor, 'perSecond'), 'a second');
    report('floor p50', of(floor, 'p50'), 'ms');
    report('floor p99', of(floor, 'p99'), 'ms');
    report('web status polls', of(web, 'perSecond'), 'a second');
    report('web p50', of(web, 'p50'), 'ms');
    report('web p99', of(web, 'p99'), 'ms');
    report('status polls a second, web / floor', ratio('perSecond'), '', ['at least', 0.8]);
    report('p50, web / floor', ratio('p50'), '');
    report('p99, web / floor', ratio('p99'), '', ['at most', 1.5]);
}

async function measureTrips(instance) {
    const waiting = await waitingRequest(instance);
    const look = async () => ({ ...await instance.metrics(), ...instance.info('stats') });
    const before = await look(), { count } = poll(instance.url, waiting), after = await look();
    const each = (name) => (after[name] - before[name]) / count;
    report('round trips to Redis a poll', each('peygir_web_redis_round_trips_total'), '', ['at most', 1.005]);
    report('commands in Redis a poll (all programs)', each('total_commands_processed'), '');
    report('reads in Redis a poll (all programs)', each('total_reads_processed'), '');
}

async function measureAllocations(instance) {
    const library = path.join(instance.dir, 'alloccount.so'), file = path.join(instance.dir, 'alloccount');
    execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, fileURLToPath(new URL('alloccount.c', import.meta.url))]);
    const url = await instance.addResponder('counted', ['/usr/bin/env', `LD_PRELOAD=${library}`, `ALLOCCOUNT_FILE=${file}`,
        path.join(build, 'peygir-web'), '--config', path.join(instance.run, 'peygir.env')]);
    const waiting = await waitingRequest(instance);
    poll(url, waiting, 1);
    const counted = () => Number(fs.readFileSync(file).readBigUInt64LE());
    const before = counted(), { count } = poll(url, waiting);
    report('allocations a poll', (counted() - before) / count, '');
}

const SERVICES = ['web', 'push', 'worker', 'nginx', 'bot', 'redis'];
function reportMemory(instance, when) {
    for (const service of SERVICES) {
        const { rss, pss } = instance.memory(service);
        report(`${service} resident ${when}`, rss / KIB_PER_MIB, 'MiB', service === 'web' ? ['at most', 15] : null);
        report(`${service} proportional ${when}`, pss / KIB_PER_MIB, 'MiB');
    }
}

async function measureMemory(instance) {
    const many = async () => {
        for (let count = 0; count < POLLS;) count += poll(instance.url, await waitingRequest(instance)).count;
    };
    await many();
    reportMemory(instance, `after ${POLLS} polls`);
    const before = instance.memory('web').rss;
    await many();
    report(`web grows by ${POLLS} more polls`, instance.memory('web').rss - before, 'KiB', ['at most', 256]);
}

async function measureSubmits(instance) {
    const start = performance.now();
    const { done } = await crowd(instance.url, 32, Infinity, SUBMITS_S, (visitor, i) => visitor.submit(key(), nationalCode(i)));
    report('submits (jobs begin meanwhile)', done / ((performance.now() - start) / 1000), 'a second');
}

async function journey(visitor, i) {
    const hash = await visitor.submit(key(), nationalCode(i));
    await visitor.until(hash, ['otp_required'], 60);
    await visitor.enterCode(hash);
    await visitor.until(hash, ['completed'], 60);
}

async function measureRedis(instance) {
    const used = () => Number(instance.info('memory').used_memory);
    await crowd(instance.url, 4, 20, 60, journey);
    const before = used(), start = performance.now();
    const { done, refused } = await crowd(instance.url, 64, REQUESTS, JOURNEYS_LONGEST_S, journey);
    const seconds = (performance.now() - start) / 1000;
    const mib = (used() - before) / BYTES_PER_MIB;
    report('whole journeys', done, '');
    report('whole journeys', done / seconds, 'a second');
    report('polls answered with 503 on these', refused, '');
    report('Redis for 10000 whole journeys', mib / done * 10000, 'MiB', ['at most', 40]);
    reportMemory(instance, `after ${done} journeys`);
}

async function withInstance(options, work) {
    let instance = null;
    try {
        instance = await Instance.start(build, { WORKER_DRAIN: '1', ...options });
        await work(instance);
    } catch (error) {
        notMeasured('start', error);
    } finally {
        await instance?.close();
    }
}

await withInstance({ PEYGIR_DEMO_SPEED: '100' }, async (instance) => {
    const floorUrl = await instance.addResponder('floor', [path.join(build, 'bench-floor'),
        `unix://${path.join(instance.run, 'redis.sock')}?db=0`, instance.option('WEB_THREADS')]);
    await part('memory, idle', () => reportMemory(instance, 'idle'));
    await part('status polls', () => measurePolls(instance, floorUrl));
    await part('round trips', () => measureTrips(instance));
    await part('allocations', () => measureAllocations(instance));
    await part('memory, polled', () => measureMemory(instance));
    await part('submits', () => measureSubmits(instance));
});
await withInstance({ PEYGIR_DEMO_SPEED: '1000' }, (instance) => part('memory in Redis', () => measureRedis(instance)));

process.exitCode = summary();
