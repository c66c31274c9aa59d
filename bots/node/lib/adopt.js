// adopt.js: what a bot wrote into a document by itself, past the guard, is taken for what the guard lets it be (core/request_change.c).
import { adoptCode } from './code.js';
import { isStatus, may } from './document.js';
import { WRITTEN_MAX, clip, fromBytes, intOf, isSound, pick, quote, set, stringOf } from './json.js';

const CODE_MAX = 64;

function adoptedStatus({ guard, status, written }) {
  if (!isStatus(guard.status)) return isStatus(written) ? written : 'pending';
  // A bot that writes by itself goes from the first progress straight to the code.
  if (written === 'otp_required' && status === 'pending') return written;
  return isStatus(written) && may(status, written) ? written : status;
}

// Each revision puts it into the history. Undefined: it is not too long.
function clipped(raw) {
  const text = raw.length > WRITTEN_MAX ? stringOf(raw) : null;
  return text === null ? undefined : quote(clip(text, WRITTEN_MAX));
}

// Words and a code that people can be shown. Whatever else the error holds stays as it is, unless that is more than is recorded.
function mendedError(raw) {
  const known = pick(raw, ['code', 'message', 'retryable']) ?? {}, { code, message, retryable } = known, mended = new Map();
  if (code && (code[0] !== '"' || code.length > CODE_MAX + 2)) mended.set('code', '"bot_error"');
  if (message && message[0] !== '"') mended.set('message', '"errors.failed"');
  else if (message?.length > WRITTEN_MAX) mended.set('message', clipped(message));
  if (retryable && retryable !== 'true' && retryable !== 'false') mended.set('retryable', 'false');
  if (raw.length > WRITTEN_MAX) {
    const kept = Object.entries(known).filter(([, value]) => value !== undefined).map(([name, value]) => `"${name}":${mended.get(name) ?? value}`);
    return `{${kept.join(',')}}`;
  }
  return mended.size > 0 ? set(raw, mended) : undefined;
}

// How values that go into the view as they stand may begin, what they are otherwise, and what is made of them.
const MENDED = [['service_slug', '"', 'null'], ['step', '"n', 'null', clipped], ['estimated_duration', '0123456789n', 'null'],
  ['current_message', '"n', 'null', clipped], ['error_data', '{n', 'null', mendedError]];

function mend({ doc }, c) {
  for (const [field, first, instead, more] of MENDED) {
    const value = doc[field];
    if (value === undefined) continue;
    const mended = first.includes(value[0]) && isSound(value) ? more?.(value) : instead;
    if (mended !== undefined) c.json(field, mended);
  }
}

function recordedProgress(entry) {
  const recorded = entry && isSound(entry) ? Number(JSON.parse(fromBytes(entry))[4]) : 0;
  return recorded >= 0 && recorded <= 100 ? Math.trunc(recorded) : 0;
}

// A whole number from 0 to 100; within one run (`forward`) it does not go back, whoever writes it.
function mendProgress({ doc, entry }, c, forward) {
  const written = intOf(doc.progress, -1), recorded = recordedProgress(entry);
  if (written < 0 || written > 100 || (forward && written < recorded)) c.json('progress', String(recorded));
  else if (!/^\d+$/.test(doc.progress)) c.json('progress', String(written));
}

// Whether it opens only those can tell who have the key.
const isSealed = (raw) => /^\{\s*"sealed"\s*:\s*"v\d[\w-]*:[\w:-]*"\s*\}$/.test(raw);

function takeResult({ doc, terms }, c) {
  const result = doc.result_data;
  if (result === undefined || result === 'null') return;
  if (result[0] !== '{' || !isSound(result)) { // as bad as such an answer
    c.text('result_data', null);
    if (c.to === 'completed') c.fail({ code: 'bot_invalid', message: 'errors.bot_invalid', retryable: true });
  } else if (terms.strict && !isSealed(result)) {
    c.text('result_data', null);
    if (c.to === 'completed') c.fail({ code: 'plain_result', message: 'errors.plain_result', retryable: false });
  } else if (c.to === 'completed') {
    c.complete(result);
  }
}

/** Decide what is recorded of a document that nobody has recorded; for one whose request has not ended. */
export function decideAdopt(rq, c) {
  const known = isStatus(rq.guard.status);
  if (known) {
    for (const field of ['owner', 'user_id']) c.json(field, rq.guard[field] ? quote(fromBytes(rq.guard[field])) : 'null');
  }
  c.text('hash', rq.hash);
  mend(rq, c);
  c.to = adoptedStatus(rq);
  mendProgress(rq, c, rq.status === 'processing' && c.to === 'processing');
  if (rq.status === 'pending' && c.to !== 'pending') c.guard.started = rq.now;
  if (c.to === 'otp_required' && rq.status !== 'otp_required') adoptCode(rq, c);
  takeResult(rq, c);
}
