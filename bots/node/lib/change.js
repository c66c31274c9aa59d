// change.js: the one way to change a request, as core/change.c goes: read, decide, let request_save.lua compare and write document, guard,
// history and message together; decide again when somebody was faster.
import { setTimeout as pause } from 'node:timers/promises';
import { decideAdopt } from './adopt.js';
import { GUARD_FIELDS, checkOf, entryOf, isFinal, isHash, isPacked, isStatus, keysOf, may, packClock, readDocument, readGuard, time, viewOf } from './document.js';
import { refuse } from './errors.js';
import { intOf, quote, set, stringOf, timeOf } from './json.js';
import { runScript, scripts } from './scripts.js';

const TRIED_MS = 5000, SPREAD_MS = 50, TTL_MS = 1_800_000;

/** What a change sets: `to` a status, document fields as JSON, fields of the guard; the mailbox is emptied when `mailClear`. */
class Change {
  to = null;
  doc = new Map();
  guard = {};
  mailClear = false;

  json(field, raw) {
    this.doc.set(field, raw);
  }

  text(field, text) {
    this.doc.set(field, quote(text));
  }

  fail({ code, message, retryable }) {
    this.to = 'failed';
    this.json('error_data', `{"code":${quote(code)},"message":${quote(message)},"retryable":${retryable}}`);
    this.text('current_message', message);
  }

  complete(json) {
    this.json('result_data', json);
    this.guard.result = json;
  }
}

// --- reading ---

const bytesOf = (buffer) => buffer?.toString('latin1');

/** One reading; null: there is no such request (any more). */
async function read(redis, hash) {
  const keys = keysOf(hash);
  const [now, buffer, values, entry] = await Promise.all([redis.time(), redis.getBuffer(keys.document), redis.hmgetBuffer(keys.guard, ...GUARD_FIELDS), redis.lindexBuffer(keys.events, -1)]);
  if (!buffer) return null;
  const text = bytesOf(buffer), doc = readDocument(text);
  if (!doc) refuse('INVALID', `the document of request ${hash} is not a JSON object`);
  const { guard, terms } = readGuard(values.map(bytesOf));
  const written = stringOf(doc.status);
  const status = isStatus(guard.status) ? guard.status : isStatus(written) ? written : 'pending';
  return {
    hash, keys, text, doc, guard, terms, status, written, entry: bytesOf(entry),
    foreign: checkOf(doc) !== guard.check || guard.status !== written,
    now: Number(now[0]) * 1000 + Math.floor(Number(now[1]) / 1000),
  };
}

// As long as whoever wrote it last meant: a bot need not know Peygir's settings.
function ttlOf({ doc }) {
  const ms = timeOf(doc.expires_at) - timeOf(doc.updated_at);
  return ms >= 1000 && timeOf(doc.updated_at) > 0 ? ms : TTL_MS;
}

// --- writing ---

// What every change brings along: revision, times, and the clock of the estimate.
function stamp(rq, c, ttl) {
  const waited = rq.status === 'otp_required', waits = c.to === 'otp_required';
  if (waits && !waited) c.guard.since = rq.now;
  if (waited && !waits && rq.guard.since > 0) c.guard.waited = rq.guard.waited + rq.now - rq.guard.since;
  c.text('status', c.to);
  c.json('revision', String(rq.guard.revision + 1));
  c.json('updated_at', time(rq.now));
  c.json('expires_at', time(rq.now + ttl));
  if (!isFinal(c.to)) return;
  c.json('completed_at', time(rq.now));
  Object.assign(c.guard, { code_until: 0, resend_at: 0, leg: '' });
}

async function write(redis, rq, c, run, repairs) {
  const ttl = ttlOf(rq), { keys } = rq;
  stamp(rq, c, ttl);
  const text = set(rq.text, c.doc), doc = readDocument(text), revision = rq.guard.revision + 1;
  const next = { ...rq, doc, status: c.to, guard: { ...rq.guard, ...c.guard, revision, check: checkOf(doc) } };
  const fields = Object.entries(c.guard).filter(([name]) => !isPacked(name)).concat([['clock', packClock(next.guard)]]);
  const args = [rq.text, text, c.to, revision, ttl, entryOf(doc), keys.updates, viewOf(next), run ?? '', c.mailClear ? '1' : '', '', '1', '',
    repairs ? '1' : '', '', '', '0', ...fields.flat()];
  const [word] = await runScript(redis, scripts.request_save, [keys.document, keys.guard, keys.events, keys.mailbox], args.map((arg) => Buffer.from(String(arg), 'latin1')));
  return word;
}

// --- the loop ---

const ended = (rq) => refuse('FINAL', `request ${rq.hash} has ended: it is ${rq.status}`, { status: rq.status });
const gone = (hash) => refuse('GONE', `request ${hash} does not exist any more`);
const stale = (hash, run) => refuse('STALE', `run ${run} of request ${hash} is over`);

// 'saved', 'same' when nothing is to be written, or a word of the script that asks for another reading.
async function decideAndWrite(redis, rq, run, decide) {
  const c = new Change();
  if (isFinal(rq.status)) {
    const wish = decide.ends;
    return wish === rq.status ? 'same' : ended(rq);
  }
  if (run && rq.guard.run && rq.guard.run !== run) stale(rq.hash, run);
  if (!decide(rq, c)) return 'same';
  c.to ??= rq.status;
  if (!may(rq.status, c.to)) refuse('STATE', `request ${rq.hash} is ${rq.status} and cannot become ${c.to}`);
  return write(redis, rq, c, run, false);
}

// Somebody wrote the document past the guard: that is recorded first, as a revision of its own.
async function adopt(redis, rq) {
  const c = new Change();
  const newest = rq.entry && intOf(/^\[(\d+),/.exec(rq.entry)?.[1], 0);
  if (rq.entry && newest !== rq.guard.revision) return 'again'; // a change came between two of the commands that read
  decideAdopt(rq, c);
  await write(redis, rq, c, null, true);
  return 'again';
}

/**
 * Change a request. `decide(rq, c)` is called anew after each lost race: true writes what it has set in `c`, false writes nothing; what it
 * throws is the answer. `decide.ends` is the final state that it leads to, in which it is no error to find it already.
 * True: changed; false: it was so already.
 */
export async function change(redis, hash, run, decide) {
  if (!isHash(hash)) refuse('INVALID', 'the first argument is the hash of a request');
  const until = performance.now() + TRIED_MS;
  for (let spread = 0.5; ; spread = Math.min(spread * 2, SPREAD_MS)) {
    const rq = await read(redis, hash);
    if (!rq) gone(hash);
    const word = rq.foreign && !isFinal(rq.guard.status) ? await adopt(redis, rq) : await decideAndWrite(redis, rq, run, decide);
    if (word === 'saved') return true;
    if (word === 'same') return false;
    if (word === 'gone') gone(hash);
    if (word === 'stale') stale(hash, run);
    if (performance.now() >= until) refuse('BUSY', `request ${hash} is being written by too many at once; try again`);
    await pause(Math.random() * spread);
  }
}
