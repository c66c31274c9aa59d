// document.js: a request as it lies in Redis, and its states (core/document.c, core/view.c and the guard of core/change.c).
import { intOf, isSound, pick, quote } from './json.js';
import { siphash } from './siphash.js';

const FIELDS = ['hash', 'service_slug', 'status', 'step', 'progress', 'current_message', 'estimated_duration', 'request_data', 'otp_data', 'result_data',
  'error_data', 'user_id', 'owner', 'locale', 'revision', 'started_at', 'updated_at', 'expires_at', 'completed_at'];

// --- states ---

const ENDED = ['completed', 'failed', 'cancelled'];
const NEXT = {
  pending: ['processing'],
  processing: ['otp_required'],
  otp_required: ['otp_verifying'],
  otp_verifying: ['otp_required', 'processing'],
};
export const isStatus = (name) => name in NEXT || ENDED.includes(name);
export const isFinal = (status) => ENDED.includes(status);
export const may = (from, to) => from === to || (!isFinal(from) && (isFinal(to) || NEXT[from].includes(to)));

// --- keys ---

const HASH = /^req_[0-9A-HJKMNP-TV-Z]{26}$/;
export const isHash = (text) => typeof text === 'string' && HASH.test(text);
export const keysOf = (hash) => ({
  document: `local_request:${hash}`,
  guard: `{local_request:${hash}}:guard`,
  events: `{local_request:${hash}}:events`,
  mailbox: `{local_request:${hash}}:otp`,
  updates: `local_request_updates:${hash}`,
});

// --- the guard ---

export const GUARD_FIELDS = ['status', 'revision', 'owner', 'user_id', 'run', 'tries', 'resends', 'clock', 'terms'];
// What `clock` packs, in this order.
const CLOCK = ['code_tries', 'code', 'taken', 'code_until', 'resend_at', 'estimate', 'started', 'waited', 'since', 'check'];
export const isPacked = (name) => CLOCK.includes(name);
export const packClock = (guard) => CLOCK.map((name) => guard[name]).join(' ');

const number = (text) => Number.parseInt(text, 10) || 0;

// What the service says, for a writer that has no definitions; it is stored where it is not this.
function readTerms(text = '5 120 3 5 60 3 0 completed') {
  const [length, seconds, triesCode, triesRequest, cooldown, resends, strict, lastStep] = text.split(' ');
  return { length: +length, seconds: +seconds, triesCode: +triesCode, triesRequest: +triesRequest, cooldown: +cooldown, resends: +resends, strict: strict === '1', lastStep };
}

/** The guard of the values of GUARD_FIELDS, strings of bytes or undefined. */
export function readGuard(values) {
  const raw = Object.fromEntries(GUARD_FIELDS.map((name, i) => [name, values[i]]));
  const packed = (raw.clock ?? '').split(' ');
  const guard = { status: raw.status, owner: raw.owner, user_id: raw.user_id };
  for (const name of ['revision', 'run', 'tries', 'resends']) guard[name] = number(raw[name]);
  CLOCK.forEach((name, i) => (guard[name] = number(packed[i])));
  return { guard, terms: readTerms(raw.terms) };
}

// --- the document ---

/** The raw values of its fields; null: it is no JSON object. */
export const readDocument = (text) => pick(text, FIELDS);

const list = (values) => `[${values.map((value) => value ?? 'null').join(',')}]`;

/** The entry of the history. */
export function entryOf(doc) {
  const otp = doc.status?.startsWith('"otp_') ? pick(doc.otp_data, ['expires_at', 'length', 'attempts', 'resends']) : null;
  return list([doc.revision, doc.updated_at, doc.status, doc.step, doc.progress, doc.current_message,
    otp ? list([otp.expires_at, otp.length, otp.attempts, otp.resends]) : 'null', doc.error_data]);
}

/** The number that tells whether somebody wrote the document past the guard. */
export const checkOf = (doc) => Number(siphash(entryOf(doc)) >> 11n) || 1;

export const time = (ms) => quote(new Date(ms).toISOString());

/** Raw otp_data, by name. */
export const otpOf = (doc) => pick(doc.otp_data, ['hash', 'expires_at', 'message', 'length', 'resent_at', 'expiry', 'reason']) ?? {};

// --- the public view ---

function viewOtp({ status, doc, guard, terms }) {
  if (status !== 'otp_required' && status !== 'otp_verifying') return 'null';
  const left = Math.max(0, Math.min(terms.triesCode - guard.code_tries, terms.triesRequest - guard.tries));
  const resend = guard.resends >= terms.resends ? 'null' : time(guard.resend_at);
  return `{"expires_at":${time(guard.code_until)},"resend_at":${resend},"attempts_left":${left},"length":${intOf(otpOf(doc).length, terms.length)}}`;
}

function viewError(doc) {
  const error = pick(doc.error_data, ['code', 'message', 'retryable']);
  if (!error || Object.keys(error).length === 0) return 'null';
  return `{"code":${error.code ?? 'null'},"message":${error.message ?? 'null'},"retryable":${error.retryable ?? 'false'}}`;
}

/** The stored part of the view, for the request's channel. */
export function viewOf(rq) {
  const { doc, status } = rq;
  const duration = intOf(doc.estimated_duration, -1), slug = doc.service_slug, stored = (name) => `"${name}":${doc[name] ?? 'null'}`;
  // No history holds hash, service and duration, so that whoever writes past the guard can leave anything there unseen.
  const members = [`"hash":${quote(rq.hash)}`, `"service_slug":${slug?.[0] === '"' && isSound(slug) ? slug : 'null'}`,
    ...['status', 'step', 'progress', 'revision', 'updated_at'].map(stored), `"estimated_duration":${duration >= 0 ? duration : 'null'}`, stored('current_message')];
  members.push(`"requires_otp":${status === 'otp_required'}`, `"is_completed":${status === 'completed'}`, `"is_failed":${status === 'failed'}`,
    `"is_cancelled":${status === 'cancelled'}`, `"error":${viewError(doc)}`, `"otp":${viewOtp(rq)}`);
  return `{${members.join(',')}}`;
}
