// wrk.mjs: one address asked for by wrk, and a request to ask for.
import { execFileSync } from 'node:child_process';

import { Visitor } from './visitor.mjs';

const UNITS_MS = { us: 0.001, ms: 1, s: 1000, m: 60000 };
// So many seconds; an answer that is no success is an error.
export function wrk(url, cookie, seconds) {
    const said = execFileSync('wrk', ['-t2', '-c32', `-d${seconds}s`, '--latency', '-H', `Cookie: ${cookie}`, url], { encoding: 'utf8' });
    const wrong = /^ *(Non-2xx.*|Socket errors.*)$/m.exec(said);
    if (wrong) throw new Error(`wrk says: ${wrong[1]}`);
    const latency = (share) => {
        const [, value, unit] = new RegExp(`^ *${share}% +([0-9.]+)(us|ms|s|m)`, 'm').exec(said);
        return Number(value) * UNITS_MS[unit];
    };
    return {
        perSecond: Number(/Requests\/sec: +([0-9.]+)/.exec(said)[1]), p50: latency(50), p99: latency(99),
        count: Number(/^ *(\d+) requests in/m.exec(said)[1]),
    };
}

// A visitor whose request waits for its code: what a browser polls longest.
export async function waitingRequest(instance) {
    const visitor = new Visitor(instance.url);
    const hash = await visitor.submit(await visitor.open());
    await visitor.until(hash, ['otp_required'], 30);
    visitor.close();
    return { cookie: visitor.cookie, path: `/api/local-requests/${hash}/status` };
}
