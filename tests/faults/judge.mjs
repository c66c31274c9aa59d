// judge.mjs: does the ledger of the bot agree with what Redis says, and is each repetition explained? Pure: what it says depends only on
// what it is given. Each complaint is a sentence.
import { endOf, idOf, isRetried } from './jobs.mjs';

// A worker that died or froze has that long to be too late with what was answered before.
const LATE_MS = 6000;
// What a worker sent before it died is read by the bot within that.
const UNREAD_MS = 2000;

// The entries of the ledger as calls by id: { id, run, worker, at, answeredAt, as }.
export function callsById(entries) {
  const calls = new Map(), open = new Map();
  for (const entry of entries) {
    const key = `${entry.id} ${entry.run}`;
    if (entry.what !== 'answered') {
      const call = { id: entry.id, run: entry.run, worker: entry.worker, at: entry.at, answeredAt: Infinity, as: null };
      if (entry.what !== 'asked') call.wrong = entry.what;
      if (!calls.has(entry.id)) calls.set(entry.id, []);
      calls.get(entry.id).push(call);
      open.set(key, call);
    } else {
      Object.assign(open.get(key), { answeredAt: entry.at, as: entry.as });
    }
  }
  return calls;
}

// Did something happen to the worker of `call` that makes a call after it right? `harms`: what was done to workers: { worker, at, until }.
// A worker that was frozen from `at` to `until` may begin what it had taken when it wakes: it cannot know.
function isExplained(call, next, harms) {
  return harms.some(({ worker, at, until = at }) => worker === call.worker && until >= call.at - UNREAD_MS && at <= next.at &&
    at <= call.answeredAt + LATE_MS);
}

// Calls of one job, in order of their runs.
function judgeCalls(id, calls, harms, seen) {
  const complaints = calls.filter(({ wrong }) => wrong).map(({ wrong }) => `${id}: was ${wrong}`);
  for (let i = 1; i < calls.length; i++) {
    const [call, next] = [calls[i - 1], calls[i]];
    if (next.run === call.run) complaints.push(`${id}: run ${next.run} was called twice`);
    else if (isExplained(call, next, harms)) seen.repeated++;
    else if (isRetried(call.as) && call.answeredAt <= next.at) seen.retried++;
    else complaints.push(`${id}: was called again (run ${next.run}) though run ${call.run} was ${call.as ?? 'not'} answered and its worker was well`);
  }
  return complaints;
}

// One job: `data` is its hash, `places` where its id stands.
function judgeEnd(n, calls, data, places, kills) {
  const id = idOf(n), complaints = [], last = calls.at(-1);
  const poison = data.status === 'failed' && data.error === 'poison';
  if (!data.status) return [`${id}: is lost: Redis has no data of it`];
  if (poison) {
    if (Number(data.deaths) < 3 || kills < 3) complaints.push(`${id}: is poison after ${data.deaths} deaths`);
  } else if (data.status !== endOf(n)) {
    complaints.push(`${id}: is ${data.status} (${data.error ?? ''}) instead of ${endOf(n)}`);
  } else if (!last) {
    complaints.push(`${id}: is ${data.status}, but was never asked for`);
  } else if (Number(data.run) !== last.run) {
    complaints.push(`${id}: ended with run ${data.run}, the last one that was asked for is ${last.run}`);
  } else if (!last.as) {
    complaints.push(`${id}: is ${data.status}, but its last call was not answered`);
  }
  if (data.status === 'completed' && last && data.result && JSON.parse(data.result).run !== last.run)
    complaints.push(`${id}: has the result of another run than the last one: ${data.result}`);
  const wanted = data.status === 'failed' ? 'failed' : '';
  if (places.join() !== wanted) complaints.push(`${id}: is ${data.status} and stands in: ${places.join() || 'nothing'}`);
  return complaints;
}

// jobs: numbers of all; data(n), places(n): as above. { complaints, repeated, retried, poison, completed, failed }
export function judge({ jobs, entries, harms, data, places }) {
  const calls = callsById(entries);
  const seen = { repeated: 0, retried: 0, poison: 0, completed: 0, failed: 0, attempts: 0 };
  const complaints = [];
  for (const n of jobs) {
    const mine = (calls.get(idOf(n)) ?? []).sort((a, b) => a.run - b.run), hash = data(n);
    complaints.push(...judgeCalls(idOf(n), mine, harms, seen), ...judgeEnd(n, mine, hash, places(n), harms.length));
    if (hash.status in seen) seen[hash.status]++;
    if (hash.error === 'poison') seen.poison++;
    seen.attempts += Number(hash.attempts ?? 0);
    calls.delete(idOf(n));
  }
  for (const id of calls.keys()) complaints.push(`${id}: was asked for, but nobody pushed it`);
  return { complaints, ...seen };
}
