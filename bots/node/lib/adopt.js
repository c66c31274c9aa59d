// adopt.js: what a bot wrote into a document by itself, past the guard, is taken for what the guard lets it be (core/request_change.c).
import { adoptCode } from './code.js';
import { isStatus, may } from './document.js';
import { fromBytes, intOf, quote } from './json.js';

function adoptedStatus({ guard, status, written }) {
  if (!isStatus(guard.status)) return isStatus(written) ? written : 'pending';
  // A bot that writes by itself goes from the first progress straight to the code.
  if (written === 'otp_required' && status === 'pending') return written;
  return isStatus(written) && may(status, written) ? written : status;
}

// How values that go into the view as they stand may begin.
const MENDED = [['service_slug', '"', 'null'], ['step', '"n', 'null'], ['progress', '0123456789', '0'], ['estimated_duration', '0123456789n', 'null'],
  ['current_message', '"n', 'null'], ['error_data', '{n', 'null']];

function isJson(raw) {
  try {
    JSON.parse(fromBytes(raw));
    return true;
  } catch {
    return false;
  }
}

function mend({ doc }, c) {
  for (const [field, first, instead] of MENDED) {
    const value = doc[field];
    if (value !== undefined && (!first.includes(value[0]) || !isJson(value))) c.json(field, instead);
  }
}

// Within one run progress does not go back, whoever writes it.
function keepProgress({ doc, entry }, c) {
  if (!entry || !isJson(entry)) return;
  const recorded = Number(JSON.parse(fromBytes(entry))[4]) || 0, written = intOf(doc.progress, -1);
  if (written < recorded || written > 100) c.json('progress', String(recorded));
}

// Whether it opens only those can tell who have the key.
const isSealed = (raw) => /^\{\s*"sealed"\s*:\s*"v\d[\w-]*:[\w:-]*"\s*\}$/.test(raw);

function takeResult({ doc, terms }, c) {
  const result = doc.result_data;
  if (result === undefined || result === 'null') return;
  if (terms.strict && !isSealed(result)) {
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
  if (rq.status === 'processing' && c.to === 'processing') keepProgress(rq, c);
  if (rq.status === 'pending' && c.to !== 'pending') c.guard.started = rq.now;
  if (c.to === 'otp_required' && rq.status !== 'otp_required') adoptCode(rq, c);
  takeResult(rq, c);
}
