// cache.mjs: what the cache costs on this machine, as `make bench-cache` prints it: how often a value is computed for which very many ask at
// once, and a hit as a ratio to a bare GET, both in turns over the same connection; the ratio told is the median of the turns. A missed target is
// said, not punished.
//
//   BUILD_DIR      the build that is measured
//   BENCH_TURNS    turns of each pair (20);  BENCH_ASKERS  threads that ask together (1000)
import path from 'node:path';

import { Yard } from '../lib/yard.mjs';
import { median, notMeasured, number, part, report, summary } from './report.mjs';

const build = path.resolve(process.env.BUILD_DIR ?? '.');
const TURNS = number('BENCH_TURNS', 20), ASKERS = number('BENCH_ASKERS', 1000);
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

try {
    yard = await Yard.start(build, { jobs: {} });
    await part('one computes', measureMisses);
    await part('a hit', measureHits);
} catch (error) {
    notMeasured('start', error);
} finally {
    await yard?.close();
}
process.exitCode = summary();
