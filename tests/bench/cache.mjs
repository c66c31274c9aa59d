// cache.mjs: what the cache costs on this machine, as `make bench-cache` prints it: how often a value is computed for which very many ask at
// once, and a hit as a ratio to a bare GET, both in turns over the same connection; the ratio told is the median of the turns. Then hits of
// /api/data a second, through nginx and web, as a ratio to the floor of status polls (floor.c). A missed target is said, not punished.
//
//   BUILD_DIR      the build that is measured
//   BENCH_TURNS    turns of each pair (20);  BENCH_ASKERS  threads that ask together (1000);  BENCH_SECONDS  of one run of wrk (1)
import path from 'node:path';

import { Yard } from '../lib/yard.mjs';
import { Instance } from './instance.mjs';
import { median, notMeasured, number, part, report, summary } from './report.mjs';
import { waitingRequest, wrk } from './wrk.mjs';

const build = path.resolve(process.env.BUILD_DIR ?? '.');
const TURNS = number('BENCH_TURNS', 20), ASKERS = number('BENCH_ASKERS', 1000), SECONDS = number('BENCH_SECONDS', 1);
const PREFIX = 'peygir', BLOCKS = 20, WORK_MS = 200, US = 1e6;

let yard;
const load = (...args) => yard.json('cache-load', [yard.url, PREFIX, ...args.map(String)]);

async function measureMisses() {
    const turns = [];
    for (let turn = 0; turn < TURNS; turn++) turns.push(await load('misses', ASKERS, WORK_MS));
    report(`computations when ${ASKERS} ask at once, most of ${TURNS} turns`, Math.max(...turns.map(({ computed }) => computed)), '', ['at most', 1]);
    report(`until all ${ASKERS} have the value that takes ${WORK_MS} ms`, median(turns.map(({ seconds }) => seconds)) * 1000, 'ms');
}

async function measureHits() {
    for (const bytes of [200, 20000]) {
        const turns = [];
        for (let turn = 0; turn < TURNS; turn++) turns.push(await load('hits', BLOCKS, bytes));
        report(`floor: a bare GET of ${bytes} bytes`, median(turns.map(({ floor }) => floor)) * US, 'us');
        report(`a hit of ${bytes} bytes`, median(turns.map(({ hit }) => hit)) * US, 'us');
        report(`a hit of ${bytes} bytes, ratio`, median(turns.map(({ hit, floor }) => hit / floor)), '', ['at most', 3]);
    }
}

const DATA = '/api/data/stock/quote?symbol=AAPL';

// Floor and web take turns in being first.
async function measureData(instance) {
    const floorUrl = await instance.addResponder('floor', [path.join(build, 'bench-floor'),
        `unix://${path.join(instance.run, 'redis.sock')}?db=0`, instance.option('WEB_THREADS')]);
    while ((await fetch(instance.url + DATA)).status !== 200);
    const floor = [], web = [];
    for (let turn = 0; turn < TURNS; turn++) {
        const waiting = await waitingRequest(instance);
        const turns = [() => floor.push(wrk(floorUrl + waiting.path, waiting.cookie, SECONDS).perSecond),
            () => web.push(wrk(instance.url + DATA, waiting.cookie, SECONDS).perSecond)];
        for (const run of turn % 2 ? turns.reverse() : turns) run();
    }
    report('floor: status polls', median(floor), 'a second');
    report('/api/data from the cache', median(web), 'a second');
    report('/api/data, ratio', median(web) / median(floor), '', ['at least', 0.9]);
}

async function withInstance(work) {
    let instance = null;
    try {
        instance = await Instance.start(build, { WORKER_DRAIN: '1', PEYGIR_DEMO_SPEED: '100' });
        await work(instance);
    } catch (error) {
        notMeasured('start', error);
    } finally {
        await instance?.close();
    }
}

try {
    yard = await Yard.start(build, { jobs: {} });
    await part('one computes', measureMisses);
    await part('a hit', measureHits);
} catch (error) {
    notMeasured('start', error);
} finally {
    await yard?.close();
}
await withInstance((instance) => part('data of a source', () => measureData(instance)));
process.exitCode = summary();
